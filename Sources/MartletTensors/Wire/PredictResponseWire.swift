/// TensorFlow Serving's `PredictResponse`, written in one pass into memory of the right size.
public enum PredictResponseWire {
    private enum Field {
        static let outputs = 1
        static let modelSpec = 2
        /// Of an entry of a map.
        static let key = 1
        static let value = 2
    }

    /// Encodes a response.
    ///
    /// - Parameters:
    ///   - outputs: the tensors, each name once.
    ///   - modelSpec: what has answered.
    ///   - asContent: whether elements go as they lie in memory (`tensor_content`), not as typed
    ///     values, which is what clients read first.
    /// - Returns: the bytes.
    public static func encode(
        _ outputs: [NamedTensor], modelSpec: ModelSpecWire, asContent: Bool
    ) -> [UInt8] {
        let tensors = outputs.map { TensorWire($0.tensor, asContent: asContent) }
        let specBytes = modelSpec.byteCount
        var size = WireWriter.size(ofField: Field.modelSpec, bytes: specBytes)
        for (output, tensor) in zip(outputs, tensors) {
            let entry = entryBytes(output.name, tensor)
            size += WireWriter.size(ofField: Field.outputs, bytes: entry)
        }
        var writer = WireWriter(capacity: size)
        for (output, tensor) in zip(outputs, tensors) {
            writer.begin(Field.outputs, bytes: entryBytes(output.name, tensor))
            // Protobuf writes the key of an entry even when it is empty.
            writer.begin(Field.key, bytes: output.name.utf8.count)
            writer.raw(Array(output.name.utf8))
            writer.begin(Field.value, bytes: tensor.byteCount)
            tensor.write(to: &writer)
        }
        writer.begin(Field.modelSpec, bytes: specBytes)
        modelSpec.write(to: &writer)
        return writer.bytes
    }

    private static func entryBytes(_ name: String, _ tensor: TensorWire) -> Int {
        WireWriter.size(ofField: Field.key, bytes: name.utf8.count)
            + WireWriter.size(ofField: Field.value, bytes: tensor.byteCount)
    }
}
