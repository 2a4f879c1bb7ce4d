import Crypto
import Foundation
import MartletCore
import SwiftASN1
import X509

/// The elliptic curve of a key, by NIST's name (FIPS 186-5).
public enum KeyCurve: String, Sendable, CaseIterable {
    /// P-256: signatures with SHA-256.
    case p256
    /// P-384: signatures with SHA-384.
    case p384
}

/// A private key that signs by ECDSA.
enum SigningKey: Sendable {
    case p256(P256.Signing.PrivateKey)
    case p384(P384.Signing.PrivateKey)

    /// Makes a new key.
    init(generating curve: KeyCurve) {
        switch curve {
        case .p256: self = .p256(P256.Signing.PrivateKey())
        case .p384: self = .p384(P384.Signing.PrivateKey())
        }
    }

    /// Reads a key in PEM's format, of PKCS #8 (RFC 5958) or SEC 1 (RFC 5915).
    ///
    /// - Parameters:
    ///   - pem: the content of a file.
    ///   - source: the file as messages name it.
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) that says what it is instead.
    init(pem: String, source: String) throws {
        guard !pem.contains("ENCRYPTED") else {
            throw ServingError(
                .failedPrecondition,
                "The key in '\(source)' is encrypted: write it without a passphrase, by "
                    + "'openssl pkey -in FILE -out NEW'")
        }
        let documents = (try? PEMDocument.parseMultiple(pemString: pem)) ?? []
        let kinds = ["PRIVATE KEY", "EC PRIVATE KEY"]
        guard let bytes = documents.first(where: { kinds.contains($0.discriminator) })?.derBytes
        else {
            throw ServingError(
                .failedPrecondition,
                "There is no private key in '\(source)': it has no whole part that begins with "
                    + "'-----BEGIN PRIVATE KEY-----'")
        }
        if let key = try? P256.Signing.PrivateKey(derRepresentation: bytes) {
            self = .p256(key)
        } else if let key = try? P384.Signing.PrivateKey(derRepresentation: bytes) {
            self = .p384(key)
        } else {
            throw ServingError(
                .failedPrecondition,
                "The key in '\(source)' is broken, or not one of ECDSA with P-256 or P-384, the "
                    + "kinds that 'martlet certs init' makes")
        }
    }

    /// The key in PEM's format, of PKCS #8.
    var pem: String {
        let text =
            switch self {
            case .p256(let key): key.pemRepresentation
            case .p384(let key): key.pemRepresentation
            }
        return text.hasSuffix("\n") ? text : text + "\n"
    }

    /// The key as certificates are signed with it.
    var certificateKey: Certificate.PrivateKey {
        switch self {
        case .p256(let key): Certificate.PrivateKey(key)
        case .p384(let key): Certificate.PrivateKey(key)
        }
    }

    /// The public key that belongs to it.
    var publicKey: Certificate.PublicKey { certificateKey.publicKey }

    /// How it signs: with the hash that is as strong as the curve.
    var signatureAlgorithm: Certificate.SignatureAlgorithm {
        switch self {
        case .p256: .ecdsaWithSHA256
        case .p384: .ecdsaWithSHA384
        }
    }

    /// The identifier of ``signatureAlgorithm`` (RFC 5758, section 3.2), which has no parameters.
    var signatureIdentifier: ASN1ObjectIdentifier {
        switch self {
        case .p256: [1, 2, 840, 10045, 4, 3, 2]
        case .p384: [1, 2, 840, 10045, 4, 3, 3]
        }
    }

    /// A signature in DER's form, two numbers (RFC 3279, section 2.2.3).
    func signature(of bytes: [UInt8]) throws -> [UInt8] {
        switch self {
        case .p256(let key):
            Array(try key.signature(for: SHA256.hash(data: bytes)).derRepresentation)
        case .p384(let key):
            Array(try key.signature(for: SHA384.hash(data: bytes)).derRepresentation)
        }
    }

    /// Whether this key made a signature.
    func signed(_ bytes: ArraySlice<UInt8>, signature: ArraySlice<UInt8>) -> Bool {
        switch self {
        case .p256(let key):
            guard let signature = try? P256.Signing.ECDSASignature(derRepresentation: signature)
            else { return false }
            return key.publicKey.isValidSignature(signature, for: SHA256.hash(data: bytes))
        case .p384(let key):
            guard let signature = try? P384.Signing.ECDSASignature(derRepresentation: signature)
            else { return false }
            return key.publicKey.isValidSignature(signature, for: SHA384.hash(data: bytes))
        }
    }
}
