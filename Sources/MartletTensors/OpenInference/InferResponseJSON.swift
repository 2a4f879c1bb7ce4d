import MartletCore

/// Encodes the answer to an `infer` request over REST.
public struct InferResponseJSON: Sendable {
    /// JSON, then the binary tensors.
    public let body: [UInt8]

    /// The length of the JSON; `nil` when there are no binary tensors.
    public let headerLength: Int?

    /// Encodes an answer.
    ///
    /// - Parameters:
    ///   - model: the model's name.
    ///   - version: the version that ran.
    ///   - request: says which outputs are wanted in binary form, and the id.
    ///   - outputs: the outputs in the order wanted.
    ///   - sharedMemory: takes the outputs that are not wanted in the answer.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for an output that has no such form, or does
    ///   not fit where it is wanted.
    public init(
        model: String, version: Int64, request: InferRequest, outputs: [NamedTensor],
        sharedMemory: any SharedMemory = NoSharedMemory()
    ) throws {
        let wishes = Dictionary(
            request.outputs.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        var binary: [UInt8] = []
        var hasBinary = false
        var writer = JSONWriter(style: .compact)
        writer.beginObject()
        if let id = request.id {
            writer.key("id")
            writer.string(id)
        }
        writer.key("model_name")
        writer.string(model)
        writer.key("model_version")
        writer.string(String(version))
        writer.key("outputs")
        writer.beginArray()
        for output in outputs {
            let wish = wishes[output.name]
            if let slice = wish?.sharedMemory {
                let count = try sharedMemory.write(output, to: slice)
                try InferResponseJSON.write(
                    output, form: .shared(slice, byteCount: count), to: &writer)
                continue
            }
            let isBinary = wish?.isBinary ?? request.prefersBinary
            try InferResponseJSON.write(
                output, form: isBinary ? .binary : .json, to: &writer)
            if isBinary {
                hasBinary = true
                try OpenInferenceBinary.append(output.tensor, to: &binary)
            }
        }
        writer.endArray()
        writer.endObject()
        headerLength = hasBinary ? writer.bytes.count : nil
        body = writer.bytes + binary
    }

    /// Where the elements of an output are.
    private enum Form {
        case json
        case binary
        case shared(SharedMemorySlice, byteCount: Int)
    }

    private static func write(
        _ output: NamedTensor, form: Form, to writer: inout JSONWriter
    ) throws {
        let tensor = output.tensor
        guard let datatype = tensor.dtype.openInferenceName else {
            throw ServingError.invalidArgument(
                "output '\(output.name)' has type \(tensor.dtype.name), which the Open Inference "
                    + "Protocol does not have")
        }
        writer.beginObject()
        writer.key("name")
        writer.string(output.name)
        writer.key("datatype")
        writer.string(datatype)
        writer.key("shape")
        writer.beginArray()
        for size in tensor.shape.dimensions { writer.integer(size) }
        writer.endArray()
        switch form {
        case .json:
            writer.key("data")
            try writeData(output, to: &writer)
        case .binary:
            writer.key("parameters")
            writer.beginObject()
            writer.key("binary_data_size")
            writer.integer(OpenInferenceBinary.byteCount(tensor))
            writer.endObject()
        case .shared(let slice, let byteCount):
            writer.key("parameters")
            writer.beginObject()
            writer.key(SharedMemorySlice.regionParameter)
            writer.string(slice.region)
            writer.key(SharedMemorySlice.sizeParameter)
            writer.integer(byteCount)
            if slice.offset > 0 {
                writer.key(SharedMemorySlice.offsetParameter)
                writer.integer(slice.offset)
            }
            writer.endObject()
        }
        writer.endObject()
    }

    private static func writeData(_ output: NamedTensor, to writer: inout JSONWriter) throws {
        writer.beginArray()
        if output.tensor.dtype == .string {
            for (index, string) in output.tensor.strings.enumerated() {
                guard let text = String(validating: string, as: UTF8.self) else {
                    throw ServingError.invalidArgument(
                        "output '\(output.name)': element \(index) is not UTF-8; ask for it in "
                            + "binary form ('binary_data': true)")
                }
                writer.string(text)
            }
        } else {
            try TensorWriter(output).writeFlat(to: &writer)
        }
        writer.endArray()
    }
}
