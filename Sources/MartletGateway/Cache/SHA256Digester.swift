internal import Crypto

extension InputDigester {
    /// The digester in use: by SHA-256 (FIPS 180-4).
    static func sha256(limits: CanonicalJSON.Limits = CanonicalJSON.Limits()) -> InputDigester {
        InputDigester(limits: limits) { InputDigest.Words(SHA256.hash(data: $0)) }
    }
}
