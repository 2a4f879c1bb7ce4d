public import Foundation
import MartletCore
import SwiftASN1
import X509

/// The folder of a certificate authority: its certificate and key, its revocation list, and what
/// it signs.
///
/// The edge of ``CertificateAuthority``: makes keys and serial numbers, and reads and writes files.
public struct AuthorityFolder: Sendable {
    /// Files that were made.
    public struct Issued: Sendable, Equatable {
        /// The certificate, and those of the authority behind it.
        public let certificateFile: String
        /// Its private key.
        public let keyFile: String
        /// What the certificate says.
        public let summary: CertificateSummary
    }

    /// The folder.
    public let path: String

    /// Creates a description of a folder; nothing is looked at yet.
    public init(path: String) {
        self.path = path
    }

    private var certificateFile: String { file("ca.pem") }
    private var keyFile: String { file("ca.key") }
    var listFile: String { file("crl.pem") }

    private func file(_ name: String) -> String {
        path.hasSuffix("/") ? path + name : "\(path)/\(name)"
    }

    /// What is wrong with how the authority's key is kept, and the remedy; `nil` if nothing is.
    public var warning: String? {
        guard CertificateFiles.isOpenToOthers(keyFile) else { return nil }
        return "'\(printable(keyFile))' may be read by others, who could then sign certificates: "
            + "chmod 600 it"
    }

    // MARK: Authority

    /// Makes an authority, in a folder that is made if it is not there.
    ///
    /// - Parameters:
    ///   - name: the authority's common name; one that no other has unless given.
    ///   - days: how long it is valid.
    ///   - curve: the curve of its key.
    ///   - replacing: whether an authority that is there may be lost.
    ///   - now: the date.
    /// - Returns: its files.
    /// - Throws: `ServingError` with the remedy.
    public func found(
        name: String?, days: Int, curve: KeyCurve, replacing: Bool, now: Date
    ) throws -> Issued {
        var generator = SystemRandomNumberGenerator()
        let authority = try CertificateAuthority.founded(
            name: name, days: days, key: SigningKey(generating: curve),
            serial: .random(using: &generator), now: now)
        try makeFolder()
        return try CertificateFiles.locking(path) {
            for file in [certificateFile, keyFile, listFile]
            where !replacing && CertificateFiles.exists(file) {
                throw ServingError(
                    .alreadyExists,
                    "'\(printable(file))' is there already: name another folder with --dir. With "
                        + "--force the authority is replaced, and what it signed is worth nothing")
            }
            try write(authority.chain, certificateFile, authority.key, keyFile)
            // The list of the authority that was is none of the new one's.
            if replacing { unlink(listFile) }
            return Issued(
                certificateFile: certificateFile, keyFile: keyFile,
                summary: try CertificateSummary(authority.certificate))
        }
    }

    private func makeFolder() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw ServingError(
                .failedPrecondition, "The folder '\(printable(path))' cannot be made", cause: error)
        }
    }

    /// Reads the authority.
    ///
    /// - Throws: `ServingError` with the remedy, if it is not there or cannot sign.
    func authority() throws -> CertificateAuthority {
        guard CertificateFiles.exists(certificateFile) else {
            throw ServingError.notFound(
                "There is no certificate authority in '\(printable(path))': make one with "
                    + "'martlet certs init', or name its folder with --dir")
        }
        guard CertificateFiles.exists(keyFile) else {
            throw ServingError.notFound(
                "'\(printable(keyFile))', the private key of the authority, is not there: "
                    + "certificates are made where it is kept")
        }
        let chain = try CertificateFiles.certificates(of: certificateFile)
        let key = try SigningKey(pem: try CertificateFiles.text(of: keyFile), source: keyFile)
        return try CertificateAuthority(chain: chain, key: key)
    }

    // MARK: Certificates

    /// Makes a key and a certificate, each in a file of its own.
    ///
    /// - Parameters:
    ///   - profile: what the certificate says.
    ///   - fileName: what the files are called, without `.pem` and `.key`; made of the name of who
    ///     owns them unless given.
    ///   - replacing: whether files that are there may be replaced, as to renew a certificate.
    ///   - now: the date.
    /// - Returns: the two files.
    /// - Throws: `ServingError` with the remedy.
    public func issue(
        _ profile: CertificateProfile, fileName: String?, replacing: Bool, now: Date
    ) throws -> Issued {
        let name = try checked(fileName ?? profile.fileName)
        let (certificateFile, keyFile) = (file("\(name).pem"), file("\(name).key"))
        let authority = try authority()
        var generator = SystemRandomNumberGenerator()
        let key = SigningKey(generating: profile.curve)
        let certificate = try authority.issue(
            profile, for: key.publicKey, serial: .random(using: &generator), now: now)
        return try CertificateFiles.locking(path) {
            for file in [certificateFile, keyFile]
            where !replacing && CertificateFiles.exists(file) {
                throw ServingError(
                    .alreadyExists,
                    "'\(printable(file))' is there already: renew it with --force, or name other "
                        + "files with --out")
            }
            try write([certificate] + authority.chain, certificateFile, key, keyFile)
            return Issued(
                certificateFile: certificateFile, keyFile: keyFile,
                summary: try CertificateSummary(certificate))
        }
    }

    /// A name for files that stay in the folder, and are not those of the authority.
    private func checked(_ name: String) throws -> String {
        guard !name.isEmpty else {
            throw ServingError.invalidArgument(
                "No name of a file can be made of that name: give one with --out")
        }
        guard SubjectName.isPlain(name), !name.hasPrefix("."), !name.hasPrefix("-"),
            name.count <= 200
        else {
            throw ServingError.invalidArgument(
                "'\(printable(name))' cannot be the name of a file: use letters, digits, '.', '-' "
                    + "and '_', and begin with none of '.-'; folders are named with --dir")
        }
        guard !["ca", "crl"].contains(name) else {
            throw ServingError.invalidArgument(
                "'\(name)' is the name of the authority's own files: give another with --out")
        }
        return name
    }

    private func write(
        _ chain: [Certificate], _ certificateFile: String, _ key: SigningKey, _ keyFile: String
    ) throws {
        try CertificateFiles.write([
            (keyFile, key.pem, .owner),
            (certificateFile, try CertificateFiles.pem(chain), .all),
        ])
    }
}
