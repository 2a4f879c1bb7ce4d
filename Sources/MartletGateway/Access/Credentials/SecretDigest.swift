internal import Crypto

/// The SHA-256 digest of a secret, which is all that is kept of one.
struct SecretDigest: Sendable, Hashable {
    // No vector: values that want more than 16 bytes of alignment cannot be returned by
    // asynchronous functions (Swift 6.3).
    private let first, second, third, fourth: UInt64

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
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in bytes.prefix(32).enumerated() {
            words[index / 8] = words[index / 8] << 8 | UInt64(byte)
        }
        (first, second, third, fourth) = (words[0], words[1], words[2], words[3])
    }

    /// The digest of an empty secret, which nobody may have.
    static let ofNothing = SecretDigest(of: "")

    /// The digest in 64 hexadecimal digits.
    var hex: String {
        [first, second, third, fourth].map { word in
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        .joined()
    }

    /// The first eight bytes, by which digests are found before they are compared.
    var prefix: UInt64 { first }

    /// Whether two digests are the same, in a time that does not depend on where they differ.
    func isSame(as other: SecretDigest) -> Bool {
        let differences =
            (first ^ other.first) | (second ^ other.second) | (third ^ other.third)
            | (fourth ^ other.fourth)
        return differences == 0
    }
}
