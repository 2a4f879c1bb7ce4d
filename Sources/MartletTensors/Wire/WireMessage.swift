/// A protobuf message in hostile bytes, read field by field with every length checked.
struct WireMessage {
    enum Value {
        case varint(UInt64)
        case fixed64
        case fixed32(UInt32)
        case bytes(UnsafeRawBufferPointer)
    }

    private static let maximumVarintBytes = 10

    private let bytes: UnsafeRawBufferPointer
    private var place = 0

    var isAtEnd: Bool { place == bytes.count }

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// The next field; `nil` at the end.
    mutating func next() throws -> (number: UInt64, value: Value)? {
        guard !isAtEnd else { return nil }
        let tag = try varint()
        let number = tag >> 3
        guard number > 0, tag <= UInt64(UInt32.max) else { throw WireFault() }
        switch tag & 7 {
        case 0: return (number, .varint(try varint()))
        case 1:
            _ = try take(8)
            return (number, .fixed64)
        case 2: return (number, .bytes(try take(try varint())))
        case 5:
            let bits = try take(4).loadUnaligned(as: UInt32.self)
            return (number, .fixed32(UInt32(littleEndian: bits)))
        default: throw WireFault()
        }
    }

    /// A number of up to 64 bits in steps of seven.
    mutating func varint() throws -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<WireMessage.maximumVarintBytes {
            guard place < bytes.count else { throw WireFault() }
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7F) << UInt64(7 * index)
            if byte < 0x80 { return value }
        }
        throw WireFault()
    }

    private mutating func take(_ count: UInt64) throws -> UnsafeRawBufferPointer {
        guard count <= UInt64(bytes.count - place) else { throw WireFault() }
        let start = place
        place += Int(count)
        return UnsafeRawBufferPointer(rebasing: bytes[start..<place])
    }
}

/// Bytes that are no protobuf message.
struct WireFault: Error {}
