import Testing

@testable import MartletCore

@Suite("Varints")
struct VarintTests {
    /// Numbers at the bounds of a byte more, and the example of Protocol Buffers' documentation.
    private static let table: [(value: UInt64, bytes: [UInt8])] = [
        (0, [0x00]),
        (1, [0x01]),
        (127, [0x7F]),
        (128, [0x80, 0x01]),
        (150, [0x96, 0x01]),
        (16_383, [0xFF, 0x7F]),
        (16_384, [0x80, 0x80, 0x01]),
        ((1 << 63) - 1, [UInt8](repeating: 0xFF, count: 8) + [0x7F]),
        (1 << 63, [UInt8](repeating: 0x80, count: 9) + [0x01]),
        (.max, [UInt8](repeating: 0xFF, count: 9) + [0x01]),
    ]

    @Test(arguments: table)
    func number_isWrittenSevenBitsAByteTheLowestFirst(value: UInt64, bytes: [UInt8]) {
        #expect([UInt8](varint: value) == bytes)
    }

    @Test func append_keepsWhatIsThereAlready() {
        var bytes: [UInt8] = [0xAB]
        bytes.append(varint: 300)
        bytes.append(varint: 7)
        #expect(bytes == [0xAB, 0xAC, 0x02, 0x07])
    }
}
