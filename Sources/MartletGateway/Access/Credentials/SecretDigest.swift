internal import Crypto

/// The SHA-256 digest of a secret, which is all that is kept of one.
struct SecretDigest: Sendable, Hashable {
    private let words: SIMD4<UInt64>

    /// The digest of a secret (FIPS 180-4).
    init(of secret: some StringProtocol) {
        self.init(bytes: SHA256.hash(data: Array(secret.utf8)))
    }

    /// Reads 64 hexadecimal digits; nil if they are none.
    init?(hex: String) {
        guard hex.utf8.count == 64 else { return nil }
        var bytes: [UInt8] = []
        for digit in hex.utf8 {
            guard let value = Character(Unicode.Scalar(digit)).hexDigitValue else { return nil }
            bytes.append(UInt8(value))
        }
        self.init(bytes: stride(from: 0, to: 64, by: 2).map { bytes[$0] << 4 | bytes[$0 + 1] })
    }

    private init(bytes: some Sequence<UInt8>) {
        var words = SIMD4<UInt64>()
        for (index, byte) in bytes.prefix(32).enumerated() {
            words[index / 8] = words[index / 8] << 8 | UInt64(byte)
        }
        self.words = words
    }

    /// The digest of an empty secret, which nobody may have.
    static let ofNothing = SecretDigest(of: "")

    /// The digest in 64 hexadecimal digits.
    var hex: String {
        words.indices.map { index in
            let digits = String(words[index], radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        .joined()
    }

    /// The first eight bytes, by which digests are found before they are compared.
    var prefix: UInt64 { words[0] }

    /// Whether two digests are the same, in a time that does not depend on where they differ.
    func isSame(as other: SecretDigest) -> Bool {
        let differences = words ^ other.words
        return differences[0] | differences[1] | differences[2] | differences[3] == 0
    }
}
