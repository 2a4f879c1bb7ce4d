public import Foundation
import SwiftASN1
public import X509

/// A list of revoked certificates as an authority signed it: `CertificateList` of RFC 5280,
/// section 5.1, of version 1 or 2.
///
/// Lists that say only a part of what there is to say, or speak for others, are not read: they mark
/// it as critical (sections 5.2.4 and 5.2.5).
public struct SignedRevocationList: Sendable {
    /// A certificate that is revoked.
    public struct Entry: Sendable, Hashable {
        /// Its number, which the list's issuer gave once.
        public let serial: Certificate.SerialNumber
        /// Since when it is.
        public let date: Date
        /// Why, by the numbers of RFC 5280, section 5.3.1; nil if nothing is said.
        public let reasonCode: UInt8?
    }

    /// The word in the first line of its file.
    public static let discriminator = "X509 CRL"

    /// The most bytes of a file of lists: about 400,000 entries.
    public static let bytesMax = 16 << 20

    /// Whose certificates they are, and who signed it.
    public let issuer: DistinguishedName
    /// The number of the list, which grows from each to the next; nil if it has none, and the
    /// greatest there is if it has a greater one.
    public let number: Int?
    /// When it was made.
    public let thisUpdate: Date
    /// When there is to be a newer one, if it says so.
    public let nextUpdate: Date?
    /// The certificates that are revoked.
    public let entries: [Entry]
    /// The bytes of the whole.
    public let bytes: [UInt8]
    /// The bytes that are signed.
    private let signedBytes: ArraySlice<UInt8>
    private let algorithm: ASN1ObjectIdentifier
    private let signature: ArraySlice<UInt8>

    /// Reads a list, without asking who signed it.
    ///
    /// - Throws: `ASN1Error` for what is no such list, or says what this program does not know.
    public init(bytes: [UInt8]) throws {
        let (content, algorithm, signature) = try DER.sequence(
            DER.parse(bytes), identifier: .sequence
        ) { nodes in
            let content = try nodes.required()
            let algorithm = try ASN1ObjectIdentifier(algorithmOf: nodes.required())
            return (content, algorithm, try ASN1BitString(derEncoded: nodes.required()))
        }
        guard signature.paddingBits == 0 else {
            throw ASN1Error.invalidASN1Object(reason: "The signature is not whole bytes")
        }
        let list = try RevocationListContent(content, algorithm: algorithm)
        issuer = list.issuer
        number = list.number
        thisUpdate = list.thisUpdate
        nextUpdate = list.nextUpdate
        entries = list.entries
        self.bytes = bytes
        self.signedBytes = content.encodedBytes
        self.algorithm = algorithm
        self.signature = signature.bytes
    }

    /// Whether the private key that belongs to a public one signed it.
    public func isSigned(by key: Certificate.PublicKey) -> Bool {
        guard let algorithm = Certificate.SignatureAlgorithm(identifier: algorithm) else {
            return false
        }
        return key.isValidSignature(signature, for: signedBytes, signatureAlgorithm: algorithm)
    }

    /// Whether an authority signed it that may (RFC 5280, section 6.3.3, step f).
    public func isSigned(by authority: Certificate) -> Bool {
        issuer == authority.subject
            && (try? authority.extensions.keyUsage)?.cRLSign != false
            && isSigned(by: authority.publicKey)
    }
}

extension Certificate.SignatureAlgorithm {
    /// The algorithm with an identifier (RFC 5758, RFC 4055, RFC 8410); nil for those that are not
    /// known, or broken.
    fileprivate init?(identifier: ASN1ObjectIdentifier) {
        switch identifier {
        case [1, 2, 840, 10045, 4, 3, 2]: self = .ecdsaWithSHA256
        case [1, 2, 840, 10045, 4, 3, 3]: self = .ecdsaWithSHA384
        case [1, 2, 840, 10045, 4, 3, 4]: self = .ecdsaWithSHA512
        case [1, 2, 840, 113549, 1, 1, 11]: self = .sha256WithRSAEncryption
        case [1, 2, 840, 113549, 1, 1, 12]: self = .sha384WithRSAEncryption
        case [1, 2, 840, 113549, 1, 1, 13]: self = .sha512WithRSAEncryption
        case [1, 3, 101, 112]: self = .ed25519
        default: return nil
        }
    }
}
