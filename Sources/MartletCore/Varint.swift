extension [UInt8] {
    /// Appends a whole number as Protocol Buffers write it: seven bits a byte, the lowest first,
    /// the highest bit of each byte but the last set.
    ///
    /// Source: Protocol Buffers' documentation, "Encoding", Base 128 Varints.
    @inlinable
    public mutating func append(varint value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// The bytes of a whole number as Protocol Buffers write it.
    @inlinable
    public init(varint value: UInt64) {
        self = []
        append(varint: value)
    }
}
