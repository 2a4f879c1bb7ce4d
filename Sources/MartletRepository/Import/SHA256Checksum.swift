internal import Crypto
import MartletCore

/// The SHA-256 of a file.
public struct SHA256Checksum: Sendable, Hashable, CustomStringConvertible {
    private let bytes: [UInt8]

    /// Reads 64 hexadecimal digits, as `sha256sum` writes them, after `sha256:` or without.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for anything else.
    public init(_ text: String) throws {
        let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : text[...]
        let values = digits.utf8.compactMap(SHA256Checksum.value)
        guard values.count == 64, digits.utf8.count == 64 else {
            throw ServingError.invalidArgument(
                "'\(text.shown)' is not a SHA-256: 64 hexadecimal digits")
        }
        bytes = stride(from: 0, to: 64, by: 2).map { values[$0] << 4 | values[$0 + 1] }
    }

    fileprivate init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// 64 digits in lower case.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x41...0x46: digit - 0x41 + 10
        case 0x61...0x66: digit - 0x61 + 10
        default: nil
        }
    }
}

/// Sums up bytes piece by piece.
struct SHA256Summing {
    private var hasher = SHA256()

    mutating func add(_ bytes: UnsafeRawBufferPointer) { hasher.update(bufferPointer: bytes) }

    /// The sum of what was added.
    var checksum: SHA256Checksum { SHA256Checksum(Array(hasher.finalize())) }
}
