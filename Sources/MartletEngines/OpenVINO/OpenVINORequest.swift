internal import COpenVINO
import MartletCore
import MartletTensors

/// The working memory of one run of a compiled model at a time.
final class OpenVINORequest: Sendable {
    private let library: OpenVINOLibrary
    // Used by one thread at a time: its program hands it out.
    nonisolated(unsafe) private let pointer: OpaquePointer

    init(library: OpenVINOLibrary, compiled: OpaquePointer) throws {
        self.library = library
        pointer = try library.object(as: .resourceExhausted, "prepare a run") {
            library.api.compiled_model_create_infer_request(compiled, $0)
        }
    }

    deinit { library.api.infer_request_free(pointer) }

    /// Runs in the calling thread over the tensors' own memory, then calls `body`.
    ///
    /// - Parameters:
    ///   - signature: what is run, for messages.
    ///   - inputs: where the tensors go.
    ///   - tensors: as many, in the same order.
    ///   - body: reads the outputs.
    /// - Returns: what `body` does.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what OpenVINO cannot run.
    func run<Result>(
        _ signature: Signature, inputs: ArraySlice<OpenVINOProgram.Port>,
        tensors: ArraySlice<NamedTensor>, _ body: () throws -> Result
    ) throws -> Result {
        guard let input = inputs.first, let named = tensors.first else {
            try library.check(
                library.api.infer_request_infer(pointer), as: .invalidArgument,
                "run signature '\(signature.name)'")
            return try body()
        }
        guard case .fixed(let bytes) = named.tensor.storage else {
            throw ServingError(.internal, "'\(input.spec.name)' is a tensor of strings")
        }
        return try bytes.withUnsafeBytes { raw in
            try set(input, shape: named.tensor.shape, raw)
            return try run(
                signature, inputs: inputs.dropFirst(), tensors: tensors.dropFirst(), body)
        }
    }

    private func set(
        _ input: OpenVINOProgram.Port, shape: Shape, _ bytes: UnsafeRawBufferPointer
    ) throws {
        var dimensions = shape.dimensions.map(Int64.init)
        // Of an empty tensor nothing is read, but the address must be one.
        var nothing: UInt64 = 0
        try dimensions.withUnsafeMutableBufferPointer { dimensions in
            try withUnsafeMutableBytes(of: &nothing) { nothing in
                let start = bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0) }
                let tensor = try library.object(
                    as: .invalidArgument, "take input '\(input.spec.name)'"
                ) {
                    library.api.tensor_create_from_host_ptr(
                        input.element,
                        martlet_ov_shape(
                            rank: Int64(dimensions.count), dimensions: dimensions.baseAddress),
                        start ?? nothing.baseAddress, $0)
                }
                defer { library.api.tensor_free(tensor) }
                try library.check(
                    library.api.infer_request_set_tensor_by_const_port(
                        pointer, input.pointer, tensor),
                    as: .invalidArgument,
                    "take input '\(input.spec.name)' of shape \(shape)")
            }
        }
    }

    /// A copy of an output of the last run.
    func output(_ port: OpenVINOProgram.Port) throws -> Tensor {
        let name = port.spec.name
        let tensor = try library.object("read output '\(name)'") {
            library.api.infer_request_get_tensor_by_const_port(pointer, port.pointer, $0)
        }
        defer { library.api.tensor_free(tensor) }
        let element: Int32 = try library.number("read the type of '\(name)'") {
            library.api.tensor_get_element_type(tensor, $0)
        }
        guard element == port.element else {
            throw ServingError(.internal, "Output '\(name)' is of another type than announced")
        }
        let count: Int = try library.number("read the size of '\(name)'") {
            library.api.tensor_get_byte_size(tensor, $0)
        }
        let shape = try shape(of: tensor, isScalar: count == port.spec.dtype.byteSize, name)
        return try Tensor(
            dtype: port.spec.dtype, shape: shape,
            bytes: count == 0 ? [] : bytes(of: tensor, count: count, name))
    }

    private func bytes(of tensor: OpaquePointer, count: Int, _ name: String) throws -> [UInt8] {
        var data: UnsafeMutableRawPointer?
        try library.check(library.api.tensor_data(tensor, &data), "read '\(name)'")
        return [UInt8](UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : count))
    }

    /// The shape of a tensor, which may be a scalar if it has one element: the C API refuses to
    /// tell the shape of a scalar.
    private func shape(
        of tensor: OpaquePointer, isScalar: Bool, _ name: String
    ) throws -> Shape {
        var shape = martlet_ov_shape()
        let status = library.api.tensor_get_shape(tensor, &shape)
        if isScalar, Int(status) == MARTLET_OPENVINO_INVALID_PARAMETER { return try Shape([]) }
        try library.check(status, "read the shape of '\(name)'")
        defer { _ = library.api.shape_free(&shape) }
        let dimensions = UnsafeBufferPointer(
            start: shape.dimensions, count: shape.dimensions == nil ? 0 : Int(shape.rank))
        return try Shape(dimensions.map(Int.init))
    }
}
