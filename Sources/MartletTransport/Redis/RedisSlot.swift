/// Which of a Redis Cluster's slots a key belongs to.
///
/// Source: the Redis Cluster specification: CRC-16 of the key modulo 16384, where only what stands
/// between the first `{` and the next `}` counts, unless that is nothing.
enum RedisSlot {
    /// The slots that a cluster's masters share.
    static let count = 16384

    /// The slot of a key.
    static func of(_ key: [UInt8]) -> Int {
        Int(crc16(hashed(key))) % count
    }

    private static func hashed(_ key: [UInt8]) -> ArraySlice<UInt8> {
        guard let open = key.firstIndex(of: UInt8(ascii: "{")) else { return key[...] }
        let behind = key[(open + 1)...]
        guard let close = behind.firstIndex(of: UInt8(ascii: "}")), close > behind.startIndex
        else { return key[...] }
        return behind[..<close]
    }

    /// CRC-16/XMODEM: polynomial 0x1021, begun at 0, bits not reflected.
    private static func crc16(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        bytes.reduce(0) { sum, byte in
            (sum << 8) ^ table[Int(UInt8(truncatingIfNeeded: sum >> 8) ^ byte)]
        }
    }

    private static let table: [UInt16] = (0..<256 as Range<UInt16>).map { byte in
        (0..<8).reduce(byte << 8) { sum, _ in
            sum & 0x8000 == 0 ? sum << 1 : (sum << 1) ^ 0x1021
        }
    }
}
