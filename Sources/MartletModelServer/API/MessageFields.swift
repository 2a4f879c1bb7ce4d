/// Goes over the fields of a serialized message without reading what they hold.
///
/// An empty field takes two bytes on the wire and a hundred in memory, so messages made of nothing
/// else cost far more than their length says. No request has many fields of its own; what its
/// tensors and examples may have, ``MessageWeight`` says.
struct MessageFields {
    /// Most fields that a request may have of its own.
    static let requestMax = 65_536

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Whether a message has more than `maximum` fields of its own.
    ///
    /// What is no message is left to the decoder, which says what is wrong with it.
    static func exceed(_ maximum: Int, in message: [UInt8]) -> Bool {
        // The shortest field has two bytes, so most messages need no counting.
        guard message.count / 2 > maximum else { return false }
        return message.withUnsafeBytes { bytes in
            var fields = MessageFields(bytes)
            var count = 0
            while count <= maximum, fields.next() != nil { count += 1 }
            return count > maximum
        }
    }

    /// One field: its number, and the bytes of one that has a length.
    struct Field {
        let number: UInt64
        var bytes: UnsafeRawBufferPointer?
    }

    /// Goes over one field; `nil` at the end, and at what is none.
    mutating func next() -> Field? {
        guard let tag = varint() else { return nil }
        let field = Field(number: tag >> 3)
        switch tag & 7 {
        case 0: return varint() == nil ? nil : field
        case 1: return take(8) == nil ? nil : field
        case 2:
            guard let bytes = varint().flatMap({ take($0) }) else { return nil }
            return Field(number: field.number, bytes: bytes)
        // The two ends of a group, whose fields count as the message's own.
        case 3, 4: return field
        case 5: return take(4) == nil ? nil : field
        default: return nil
        }
    }

    private mutating func take(_ count: UInt64) -> UnsafeRawBufferPointer? {
        guard count <= UInt64(bytes.count - position) else { return nil }
        let end = position + Int(count)
        defer { position = end }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<end])
    }

    private mutating func varint() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.count else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }
}
