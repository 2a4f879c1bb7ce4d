/// A tensor on its way into a `TensorProto`, with the sizes of its parts.
struct TensorWire {
    private let tensor: Tensor
    private let sendsContent: Bool
    private let shapeBytes: Int
    private let valueBytes: Int

    /// Bytes of the message.
    let byteCount: Int

    /// Measures a tensor.
    ///
    /// - Parameters:
    ///   - tensor: the tensor.
    ///   - asContent: whether its elements go as they lie in memory (`tensor_content`), not as
    ///     typed values; strings never do.
    init(_ tensor: Tensor, asContent: Bool) {
        self.tensor = tensor
        sendsContent = asContent && tensor.dtype != .string
        shapeBytes = tensor.shape.dimensions.reduce(0) { sum, size in
            sum + WireWriter.size(ofField: TensorFields.dimension, bytes: TensorWire.bytes(size))
        }
        let values = TensorFields.values(of: tensor.dtype)
        valueBytes =
            switch (sendsContent, values) {
            case (true, _), (false, .fixed): tensor.byteCount
            case (false, .varints): PackedVarints.size(of: tensor)
            case (false, .strings): 0
            }
        var sum =
            1 + WireWriter.size(ofVarint: UInt64(tensor.dtype.rawValue))
            + WireWriter.size(ofField: TensorFields.shape, bytes: shapeBytes)
        if case .strings = values {
            for string in tensor.strings {
                sum += WireWriter.size(ofField: TensorFields.strings, bytes: string.count)
            }
        } else if valueBytes > 0 {
            let field = TensorWire.field(values, asContent: sendsContent)
            sum += WireWriter.size(ofField: field, bytes: valueBytes)
        }
        byteCount = sum
    }

    /// Writes the message.
    func write(to writer: inout WireWriter) {
        writer.tag(TensorFields.dtype, .varint)
        writer.varint(UInt64(tensor.dtype.rawValue))
        writer.begin(TensorFields.shape, bytes: shapeBytes)
        for size in tensor.shape.dimensions {
            writer.begin(TensorFields.dimension, bytes: TensorWire.bytes(size))
            if size > 0 {
                writer.tag(TensorFields.dimensionSize, .varint)
                writer.varint(UInt64(size))
            }
        }
        switch tensor.storage {
        case .strings(let strings):
            for string in strings {
                writer.begin(TensorFields.strings, bytes: string.count)
                writer.raw(string)
            }
        case .fixed(let bytes):
            guard valueBytes > 0 else { return }
            let values = TensorFields.values(of: tensor.dtype)
            writer.begin(
                TensorWire.field(values, asContent: sendsContent), bytes: valueBytes)
            if !sendsContent, case .varints = values {
                PackedVarints.write(tensor, to: &writer)
            } else {
                writer.raw(bytes)
            }
        }
    }

    /// Bytes of a dimension's message.
    private static func bytes(_ size: Int) -> Int {
        size > 0 ? 1 + WireWriter.size(ofVarint: UInt64(size)) : 0
    }

    private static func field(_ values: TensorFields.Values, asContent: Bool) -> Int {
        if asContent { return TensorFields.content }
        switch values {
        case .fixed(let field), .varints(let field): return field
        case .strings: return TensorFields.strings
        }
    }
}
