import MartletCore

/// The fields of a message in Protocol Buffers' wire format, one after the other.
///
/// Nodes read messages by libraries of several makers, so this refuses what those differ on, such
/// as the number of a field that has more bits than it may: else a client could show one model to
/// the gateway, and another to the node. Source: Protocol Buffers' documentation, "Encoding".
struct ProtobufFields {
    /// A field.
    struct Field {
        /// Its number in the message's definition.
        let number: Int
        let value: Value
        /// All its bytes, the number among them.
        let bytes: ArraySlice<UInt8>
    }

    /// What a field holds.
    enum Value {
        /// A whole number, or what is counted as such.
        case varint(UInt64)
        /// Four or eight bytes.
        case fixed
        /// Bytes with a length: a text, a message, or a list of numbers.
        case bytes(ArraySlice<UInt8>)
    }

    private let message: ArraySlice<UInt8>
    private var rest: ArraySlice<UInt8>

    /// The fields of a message.
    init(_ message: ArraySlice<UInt8>) {
        self.message = message
        rest = message
    }

    /// The next field; nil behind the last.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what is no such message.
    mutating func next() throws(ServingError) -> Field? {
        guard !rest.isEmpty else { return nil }
        let start = rest.startIndex
        let key = try varint()
        guard key <= UInt64(UInt32.max), key >> 3 > 0 else { throw ProtobufFields.broken }
        let value: Value
        switch key & 7 {
        case 0: value = .varint(try varint())
        case 1:
            _ = try take(8)
            value = .fixed
        case 2: value = .bytes(try take(Int(clamping: try varint())))
        case 5:
            _ = try take(4)
            value = .fixed
        default: throw ProtobufFields.broken
        }
        return Field(
            number: Int(key >> 3), value: value, bytes: message[start..<rest.startIndex])
    }

    private static var broken: ServingError { .invalidArgument("The message is broken") }

    private mutating func take(_ count: Int) throws(ServingError) -> ArraySlice<UInt8> {
        guard count <= rest.count else { throw ProtobufFields.broken }
        defer { rest = rest.dropFirst(count) }
        return rest.prefix(count)
    }

    private mutating func varint() throws(ServingError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { break }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw ProtobufFields.broken
    }
}

extension ProtobufFields {
    /// A field with a length as it is written, whose number is below 16.
    static func field(_ number: UInt8, _ content: [UInt8]) -> [UInt8] {
        [number << 3 | 2] + [UInt8](varint: UInt64(content.count)) + content
    }
}
