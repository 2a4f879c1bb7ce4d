internal import Crypto

extension InputDigester {
    /// The digester in use: SHA-256 (FIPS 180-4).
    static let sha256 = InputDigester { InputDigest.Words(SHA256.hash(data: $0)) }
}
