/// Elements of whole-number types, as protobuf packs them and as they lie in memory.
enum PackedVarints {
    /// The elements as they lie in memory.
    ///
    /// - Throws: ``WireFault`` when there are not `count` of them or one does not fit the type.
    static func bytes(
        _ packed: UnsafeRawBufferPointer, _ dtype: DataType, count: Int
    ) throws -> [UInt8] {
        switch dtype {
        case .int64: try read(packed, count) { Int64(bitPattern: $0) }
        case .uint64: try read(packed, count) { $0 }
        case .uint32: try read(packed, count) { UInt32(truncatingIfNeeded: $0) }
        case .bool: try read(packed, count) { UInt8($0 == 0 ? 0 : 1) }
        case .int32, .qint32: try read(packed, count) { Int32(truncatingIfNeeded: $0) }
        case .int16, .qint16: try read(packed, count) { try narrow($0, to: Int16.self) }
        case .int8, .qint8: try read(packed, count) { try narrow($0, to: Int8.self) }
        case .uint16, .quint16, .half, .bfloat16:
            try read(packed, count) { try narrow($0, to: UInt16.self) }
        case .uint8, .quint8: try read(packed, count) { try narrow($0, to: UInt8.self) }
        case .float, .double, .complex64, .complex128, .string: throw WireFault()
        }
    }

    /// Bytes that a tensor's elements take when they are packed.
    static func size(of tensor: Tensor) -> Int {
        var size = 0
        forEach(in: tensor) { size += WireWriter.size(ofVarint: $0) }
        return size
    }

    /// Writes a tensor's elements.
    static func write(_ tensor: Tensor, to writer: inout WireWriter) {
        forEach(in: tensor) { writer.varint($0) }
    }

    private static func read<Element: BitwiseCopyable>(
        _ packed: UnsafeRawBufferPointer, _ count: Int, _ convert: (UInt64) throws -> Element
    ) throws -> [UInt8] {
        let stride = MemoryLayout<Element>.stride
        var message = WireMessage(packed)
        let bytes = try [UInt8](unsafeUninitializedCapacity: count * stride) { buffer, filled in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            for index in 0..<count {
                raw.storeBytes(
                    of: try convert(message.varint()), toByteOffset: index * stride,
                    as: Element.self)
            }
            filled = count * stride
        }
        guard message.isAtEnd else { throw WireFault() }
        return bytes
    }

    /// A number that was sent as one of 32 bits.
    private static func narrow<Narrow: FixedWidthInteger>(
        _ value: UInt64, to type: Narrow.Type
    ) throws -> Narrow {
        guard let narrow = Narrow(exactly: Int32(truncatingIfNeeded: value)) else {
            throw WireFault()
        }
        return narrow
    }

    private static func forEach(in tensor: Tensor, _ body: (UInt64) -> Void) {
        func each<Element: FixedWidthInteger & BitwiseCopyable>(_ type: Element.Type) {
            guard case .fixed(let bytes) = tensor.storage else { return }
            let stride = MemoryLayout<Element>.stride
            bytes.withUnsafeBytes { raw in
                for offset in Swift.stride(from: 0, to: raw.count - stride + 1, by: stride) {
                    let element = raw.loadUnaligned(fromByteOffset: offset, as: type)
                    // Negative numbers are sent as if they had 64 bits.
                    body(UInt64(truncatingIfNeeded: element))
                }
            }
        }
        switch tensor.dtype {
        case .int64: each(Int64.self)
        case .uint64: each(UInt64.self)
        case .uint32: each(UInt32.self)
        case .int32, .qint32: each(Int32.self)
        case .int16, .qint16: each(Int16.self)
        case .int8, .qint8: each(Int8.self)
        case .uint16, .quint16, .half, .bfloat16: each(UInt16.self)
        case .uint8, .quint8: each(UInt8.self)
        case .bool: each(UInt8.self)
        case .float, .double, .complex64, .complex128, .string: break
        }
    }
}
