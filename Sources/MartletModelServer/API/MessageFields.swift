/// Counts the fields of a serialized message, up to a bound, without reading what they hold.
///
/// An empty field takes two bytes on the wire and a hundred in memory, so messages made of nothing
/// else cost far more than their length says. No request has many fields of its own: its tensors
/// and examples are within a few.
struct MessageFields {
    /// Most fields that a request may have of its own.
    static let requestMax = 65_536

    private var rest: Slice<UnsafeRawBufferPointer>

    /// Whether a message has more than `maximum` fields of its own.
    ///
    /// What is no message is left to the decoder, which says what is wrong with it.
    static func exceed(_ maximum: Int, in message: [UInt8]) -> Bool {
        // The shortest field has two bytes, so most messages need no counting.
        guard message.count / 2 > maximum else { return false }
        return message.withUnsafeBytes { bytes in
            var fields = MessageFields(rest: bytes[...])
            var count = 0
            while count <= maximum, fields.skip() { count += 1 }
            return count > maximum
        }
    }

    /// Goes over one field; `false` at the end, and at what is none.
    private mutating func skip() -> Bool {
        guard let tag = varint() else { return false }
        switch tag & 7 {
        case 0: return varint() != nil
        case 1: return drop(8)
        case 2: return varint().map { drop($0) } ?? false
        // The two ends of a group, whose fields count as the message's own.
        case 3, 4: return true
        case 5: return drop(4)
        default: return false
        }
    }

    private mutating func drop(_ count: UInt64) -> Bool {
        guard count <= UInt64(rest.count) else { return false }
        rest = rest.dropFirst(Int(count))
        return true
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
