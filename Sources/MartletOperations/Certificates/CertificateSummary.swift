import Crypto
public import Foundation
import MartletCore
import MartletTransport
import SwiftASN1
import X509

/// Whether something with a beginning and an end is good.
public enum ValidityState: String, Sendable, Equatable {
    /// It is, and will be for a while.
    case valid
    /// It is, but not for long.
    case expiring
    /// It was.
    case expired
    /// It will be.
    case notYet = "not yet"

    /// Tells from dates.
    ///
    /// - Parameters:
    ///   - start: when it begins.
    ///   - end: when it ends.
    ///   - warnDays: the days before its end from which it is `expiring`.
    ///   - now: the date.
    init(from start: Date, to end: Date, warnDays: Int, now: Date) {
        if now > end {
            self = .expired
        } else if now < start {
            self = .notYet
        } else {
            let warning = end.addingTimeInterval(-Double(warnDays) * secondsOfADay)
            self = now > warning ? .expiring : .valid
        }
    }
}

/// What a certificate says, for people and programs.
public struct CertificateSummary: Sendable, Equatable {
    /// Whom it is for, as RFC 4514 writes names.
    public let subject: String
    /// The names by which its owner is known, such as `DNS:gateway.example`.
    public let names: [String]
    /// Who signed it.
    public let issuer: String
    /// Its number, in hexadecimal.
    public let serial: String
    /// From when it is valid.
    public let notBefore: Date
    /// Until when it is valid.
    public let notAfter: Date
    /// The kind of its key, such as `ECDSA P-256`.
    public let key: String
    /// Whether it may sign others.
    public let isAuthority: Bool
    /// The SHA-256 of its bytes, in hexadecimal.
    public let fingerprint: String
}

extension CertificateSummary {
    /// Sums a certificate up.
    ///
    /// - Throws: what the encoder throws.
    init(_ certificate: Certificate) throws {
        subject = certificate.subject.description
        names =
            ((try? certificate.extensions.subjectAlternativeNames) ?? SubjectAlternativeNames())
            .map(SubjectName.text)
        issuer = certificate.issuer.description
        serial = certificate.serialNumber.text
        notBefore = certificate.notValidBefore
        notAfter = certificate.notValidAfter
        key = CertificateSummary.kind(of: certificate.publicKey)
        if case .isCertificateAuthority? = try? certificate.extensions.basicConstraints {
            isAuthority = true
        } else {
            isAuthority = false
        }
        var coder = DER.Serializer()
        try coder.serialize(certificate)
        fingerprint = hexadecimal(SHA256.hash(data: coder.serializedBytes))
    }

    private static func kind(of key: Certificate.PublicKey) -> String {
        if P256.Signing.PublicKey(key) != nil { return "ECDSA P-256" }
        if P384.Signing.PublicKey(key) != nil { return "ECDSA P-384" }
        if P521.Signing.PublicKey(key) != nil { return "ECDSA P-521" }
        // RSA's word has its number of bits.
        return key.description.replacing(".PublicKey", with: "")
    }
}

/// What a revocation list says, for people and programs.
public struct RevocationListSummary: Sendable, Equatable {
    /// Who signed it.
    public let issuer: String
    /// How many certificates are revoked.
    public let count: Int
    /// Its number, which grows from list to list.
    public let number: Int
    /// When it was made.
    public let thisUpdate: Date
    /// When it has to be renewed.
    public let nextUpdate: Date
    /// The SHA-256 of its bytes, in hexadecimal.
    public let fingerprint: String
}

extension RevocationListSummary {
    /// Sums a list up.
    init(_ signed: SignedRevocationList) {
        issuer = signed.issuer.description
        count = signed.list.entries.count
        number = signed.list.number
        thisUpdate = signed.list.thisUpdate
        nextUpdate = signed.list.nextUpdate
        fingerprint = hexadecimal(SHA256.hash(data: signed.bytes))
    }
}
