public import Foundation
import MartletCore
import MartletTransport
import SwiftASN1
import X509

/// Which certificate is meant.
public enum RevocationTarget: Sendable, Equatable {
    /// The first certificate of a file.
    case file(String)
    /// The one of this serial number, in hexadecimal.
    case serial(String)
}

/// The revocation list of an authority's folder.
extension AuthorityFolder {
    /// What became of the list.
    public struct Revocations: Sendable, Equatable {
        /// The file of the list.
        public let file: String
        /// What it says.
        public let summary: RevocationListSummary
        /// The serial number that was to be revoked, if one was.
        public let serial: String?
        /// Since when it is.
        public let since: Date?
        /// Whether it was not before.
        public let isNew: Bool
    }

    /// Revokes a certificate, and renews the list.
    ///
    /// What is revoked already stays so, since when it was.
    ///
    /// - Parameters:
    ///   - target: the certificate.
    ///   - reason: why.
    ///   - days: when the list has to be renewed.
    ///   - now: the date.
    /// - Returns: what the list says now.
    /// - Throws: `ServingError` with the remedy.
    public func revoke(
        _ target: RevocationTarget, reason: RevocationReason, days: Int, now: Date
    ) throws -> Revocations {
        let authority = try authority()
        let serial = try serial(of: target, authority: authority)
        return try change(authority, days: days, now: now) { list in
            let known = list.entry(of: serial)
            list.revoke(serial, reason: reason, now: now)
            return (serial, known == nil)
        }
    }

    /// Makes the list anew, as good for so many days; an empty one if there is none.
    ///
    /// - Throws: `ServingError` with the remedy.
    public func renewList(days: Int, now: Date) throws -> Revocations {
        try change(try authority(), days: days, now: now) { _ in nil }
    }

    private func change(
        _ authority: CertificateAuthority, days: Int, now: Date,
        _ body: (inout RevocationList) -> (serial: Certificate.SerialNumber, isNew: Bool)?
    ) throws -> Revocations {
        try authority.checkIsValid(at: now)
        guard (try? authority.certificate.extensions.keyUsage)?.cRLSign != false else {
            throw ServingError(
                .failedPrecondition,
                "The certificate of the authority does not let it sign revocation lists: make an "
                    + "authority with 'martlet certs init'")
        }
        return try CertificateFiles.locking(path) {
            var list = try readList(authority, now: now)
            let outcome = body(&list)
            try list.renew(days: days, now: now)
            let signed = try SignedRevocationList(list, authority: authority)
            try CertificateFiles.write([(listFile, signed.pem, .all)])
            return Revocations(
                file: listFile, summary: RevocationListSummary(signed),
                serial: outcome?.serial.text,
                since: outcome.flatMap { list.entry(of: $0.serial)?.date },
                isNew: outcome?.isNew ?? false)
        }
    }

    /// The list as it is, whose entries are to be believed; an empty one where there is none.
    private func readList(_ authority: CertificateAuthority, now: Date) throws -> RevocationList {
        guard CertificateFiles.exists(listFile) else {
            return RevocationList(thisUpdate: now, nextUpdate: now)
        }
        let documents = try CertificateFiles.documents(
            of: listFile, bytesMax: CertificateFiles.listBytesMax)
        guard documents.count == 1, let document = documents.first,
            document.discriminator == SignedRevocationList.discriminator
        else {
            throw ServingError(
                .failedPrecondition,
                "'\(printable(listFile))' holds something else than one revocation list: move it "
                    + "away, and revoke again what was revoked")
        }
        let signed = try CertificateFiles.list(document, path: listFile)
        guard signed.isSigned(by: authority) else {
            throw ServingError(
                .failedPrecondition,
                "'\(printable(listFile))' was not signed by the authority in this folder: move it "
                    + "away, and revoke again what was revoked")
        }
        return signed.list
    }

    private func serial(
        of target: RevocationTarget, authority: CertificateAuthority
    ) throws -> Certificate.SerialNumber {
        switch target {
        case .serial(let text):
            return try Certificate.SerialNumber(text: text)
        case .file(let path):
            let certificates = try CertificateFiles.certificates(of: path)
            guard let certificate = certificates.first, certificate != authority.certificate else {
                throw ServingError.invalidArgument(
                    "'\(printable(path))' is the authority itself, which no list of its own can "
                        + "revoke: make a new one with 'martlet certs init' in another folder, and "
                        + "take this one's ca.pem away from whoever trusts it")
            }
            guard authority.signed(certificate) else {
                throw ServingError.invalidArgument(
                    "'\(printable(path))' was not signed by the authority in "
                        + "'\(printable(self.path))': name the folder of the one that did with "
                        + "--dir")
            }
            return certificate.serialNumber
        }
    }
}
