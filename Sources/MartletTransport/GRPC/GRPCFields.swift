import MartletCore

/// Values of gRPC's own header fields.
enum GRPCFields {
    /// The media type; requests may add `+proto` or parameters.
    static let contentType = "application/grpc"

    /// Longest `grpc-message` sent; clients limit header lists, 8 KiB is gRPC's usual bound.
    static let messageBytesMax = 4096

    /// Whether a content type is gRPC's: alone, with a format (`+proto`) or with parameters.
    static func isGRPC(contentType: String) -> Bool {
        guard contentType.hasPrefix(self.contentType) else { return false }
        let next = contentType.utf8.dropFirst(self.contentType.utf8.count).first
        return next == nil || next == UInt8(ascii: "+") || next == UInt8(ascii: ";")
    }

    /// Reads a `grpc-status` value; `nil` where it is no number.
    static func status(_ value: String) -> StatusCode? {
        Int(value).map { StatusCode(rawValue: $0) ?? .unknown }
    }

    /// Reads a `grpc-timeout` value: up to eight digits and a unit.
    ///
    /// `nil` when malformed.
    static func timeout(_ value: String) -> Duration? {
        guard let unit = value.utf8.last, (2...9).contains(value.utf8.count),
            value.utf8.dropLast().allSatisfy({ (0x30...0x39).contains($0) }),
            let number = Int64(value.dropLast())
        else { return nil }
        return switch unit {
        case UInt8(ascii: "H"): .seconds(number * 3600)
        case UInt8(ascii: "M"): .seconds(number * 60)
        case UInt8(ascii: "S"): .seconds(number)
        case UInt8(ascii: "m"): .milliseconds(number)
        case UInt8(ascii: "u"): .microseconds(number)
        case UInt8(ascii: "n"): .nanoseconds(number)
        default: nil
        }
    }

    /// A `grpc-timeout` value, in milliseconds as far as eight digits hold them.
    static func text(_ timeout: Duration) -> String {
        "\(min(max(1, Int64(timeout.seconds * 1000)), 99_999_999))m"
    }

    /// A `grpc-timeout` value for whoever has so much time left: in microseconds as far as eight
    /// digits hold them, and at least one.
    static func textLeft(_ left: Duration) -> String {
        guard left < .seconds(100) else { return text(left) }
        let (seconds, attoseconds) = max(left, .zero).components
        return "\(max(1, seconds * 1_000_000 + attoseconds / 1_000_000_000_000))u"
    }

    /// Percent-encodes a `grpc-message`: all but printable ASCII, and `%` itself.
    static func encodeMessage(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var encoded: [UInt8] = []
        for scalar in text.unicodeScalars {
            var next: [UInt8] = []
            for byte in String(scalar).utf8 {
                if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                    next.append(byte)
                } else {
                    next += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
                }
            }
            guard encoded.count + next.count <= messageBytesMax else { break }
            encoded += next
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
