public import MartletCore

extension Tensor {
    /// Reads a `TensorProto` as clients write it, straight into the tensor's memory.
    ///
    /// That is one with as many values as its shape says, each in one place. It is `nil` for
    /// whatever is unusual or wrong; that is left to the decoder of protobuf, which knows all of
    /// the format and has words for it.
    ///
    /// - Parameters:
    ///   - bytes: the message.
    ///   - limits: bounds the rank and the bytes.
    public init?(protobuf bytes: UnsafeRawBufferPointer, limits: Limits) {
        var reader = TensorWireReader()
        guard (try? reader.read(bytes, rankMax: limits.tensorRank)) != nil,
            let tensor = reader.tensor(limits: limits)
        else {
            return nil
        }
        self = tensor
    }
}

/// Takes a `TensorProto` apart, without looking at its elements before all else is known.
private struct TensorWireReader {
    /// Most strings that are read here: an empty one takes two bytes on the wire and many in
    /// memory, so the other decoder weighs messages of many first.
    private static let stringsMax = 4096

    private var dtype: DataType?
    private var dimensions: [Int] = []
    private var hasShape = false
    private var content: UnsafeRawBufferPointer?
    private var values: (field: Int, bytes: UnsafeRawBufferPointer)?
    private var strings: [[UInt8]] = []

    mutating func read(_ bytes: UnsafeRawBufferPointer, rankMax: Int) throws {
        var message = WireMessage(bytes)
        while let (number, value) = try message.next() {
            switch (Int(number), value) {
            case (TensorFields.dtype, .varint(let raw)):
                guard dtype == nil, let raw = Int32(exactly: raw) else { throw WireFault() }
                dtype = DataType(rawValue: raw)
            case (TensorFields.shape, .bytes(let shape)):
                guard !hasShape else { throw WireFault() }
                hasShape = true
                try readShape(shape, rankMax: rankMax)
            case (TensorFields.versionNumber, .varint): break
            case (TensorFields.content, .bytes(let bytes)):
                guard content == nil else { throw WireFault() }
                content = bytes
            case (TensorFields.strings, .bytes(let string)):
                guard strings.count < TensorWireReader.stringsMax else { throw WireFault() }
                strings.append([UInt8](string))
            case (let field, .bytes(let bytes)):
                guard values == nil else { throw WireFault() }
                values = (field, bytes)
            default: throw WireFault()
            }
        }
    }

    private mutating func readShape(
        _ bytes: UnsafeRawBufferPointer, rankMax: Int
    ) throws {
        var message = WireMessage(bytes)
        while let (number, value) = try message.next() {
            guard number == TensorFields.dimension, case .bytes(let dimension) = value,
                dimensions.count < rankMax
            else { throw WireFault() }
            var fields = WireMessage(dimension)
            var size = 0
            while let (number, value) = try fields.next() {
                guard number == TensorFields.dimensionSize, case .varint(let raw) = value,
                    let exact = Int(exactly: raw)
                else { throw WireFault() }
                size = exact
            }
            dimensions.append(size)
        }
    }

    func tensor(limits: Limits) -> Tensor? {
        guard let dtype, let shape = try? Shape(dimensions, maximumRank: limits.tensorRank) else {
            return nil
        }
        if let content, !content.isEmpty {
            guard values == nil, strings.isEmpty, dtype != .string,
                let count = try? shape.byteCount(of: dtype), count == content.count,
                count <= limits.messageBytes
            else { return nil }
            return try? Tensor(dtype: dtype, shape: shape, bytes: [UInt8](content))
        }
        return valued(dtype, shape, limits: limits)
    }

    private func valued(_ dtype: DataType, _ shape: Shape, limits: Limits) -> Tensor? {
        let form = TensorFields.values(of: dtype)
        if case .strings = form {
            guard values == nil else { return nil }
            return try? Tensor(shape: shape, strings: strings)
        }
        guard strings.isEmpty, let count = try? shape.byteCount(of: dtype),
            count <= limits.messageBytes
        else { return nil }
        let packed = values?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0)
        switch form {
        case .fixed(let field):
            guard values?.field ?? field == field, packed.count == count else { return nil }
            return try? Tensor(dtype: dtype, shape: shape, bytes: [UInt8](packed))
        case .varints(let field):
            guard values?.field ?? field == field, packed.count >= shape.elementCount,
                let bytes = try? PackedVarints.bytes(packed, dtype, count: shape.elementCount)
            else { return nil }
            return try? Tensor(dtype: dtype, shape: shape, bytes: bytes)
        case .strings: return nil
        }
    }
}
