public import MartletCore

/// Decodes the body of an `infer` request over REST, with or without the binary-data extension.
///
/// Reference: <https://github.com/kserve/open-inference-protocol> and, for the extension,
/// <https://docs.nvidia.com/deeplearning/triton-inference-server/user-guide/docs/protocol/extension_binary_data.html>.
public struct InferRequestJSON {
    private let tape: JSONTape
    private let limits: Limits
    private let sharedMemory: any SharedMemory
    /// What is left of the binary tensors, which lie in the order of the inputs.
    private var binary: ArraySlice<UInt8>

    /// Decodes a body.
    ///
    /// - Parameters:
    ///   - body: JSON, then the binary tensors.
    ///   - headerLength: the length of the JSON, as the request's header says; `nil` for all.
    ///   - limits: bounds on depth, number of values and rank.
    ///   - sharedMemory: holds the tensors that are not in the body.
    /// - Returns: the request.
    /// - Throws: `ServingError`, mostly `INVALID_ARGUMENT`, naming the input at fault.
    public static func decode(
        _ body: [UInt8], headerLength: Int? = nil, limits: Limits,
        sharedMemory: any SharedMemory = NoSharedMemory()
    ) throws -> InferRequest {
        guard let headerLength else {
            return try JSONTape.withParsed(body, limits: limits) { tape in
                var reader = InferRequestJSON(
                    tape: tape, limits: limits, sharedMemory: sharedMemory, binary: [])
                return try reader.read()
            }
        }
        guard headerLength > 0, headerLength <= body.count else {
            throw ServingError.invalidArgument(
                "Inference-Header-Content-Length is \(headerLength), but the body has "
                    + "\(body.count) bytes")
        }
        return try JSONTape.withParsed([UInt8](body[..<headerLength]), limits: limits) { tape in
            var reader = InferRequestJSON(
                tape: tape, limits: limits, sharedMemory: sharedMemory,
                binary: body[headerLength...])
            return try reader.read()
        }
    }

    private init(
        tape: JSONTape, limits: Limits, sharedMemory: any SharedMemory, binary: ArraySlice<UInt8>
    ) {
        self.tape = tape
        self.limits = limits
        self.sharedMemory = sharedMemory
        self.binary = binary
    }

    private mutating func read() throws -> InferRequest {
        let root = JSONTape.root
        guard tape.isObject(root) else {
            throw ServingError.invalidArgument("an inference request must be a JSON object")
        }
        var request = InferRequest(inputs: [])
        request.id = try string("id", of: root, in: "the request")
        if let parameters = try parameters(of: root, in: "the request") {
            request.signatureName = try string(
                InferRequest.signatureParameter, of: parameters, in: "the request's parameters")
            request.prefersBinary =
                try flag("binary_data_output", of: parameters, in: "the request's parameters")
                ?? false
        }
        request.inputs = try readInputs(root)
        request.outputs = try readOutputs(root, prefersBinary: request.prefersBinary)
        guard binary.isEmpty else {
            throw ServingError.invalidArgument(
                "unexpected additional input data: \(binary.count) bytes belong to no input")
        }
        return request
    }

    // MARK: Inputs

    private mutating func readInputs(_ root: JSONTape.Index) throws -> [NamedTensor] {
        guard let list = tape.member("inputs", of: root), tape.isArray(list) else {
            throw ServingError.invalidArgument(
                "Unable to parse 'inputs': the request needs an array of that name")
        }
        var inputs: [NamedTensor] = []
        var names: Set<String> = []
        var element = list + 1
        for _ in 0..<tape.count(list) {
            let input = try readInput(element)
            guard names.insert(input.name).inserted else {
                throw ServingError.invalidArgument("input '\(input.name)' is given twice")
            }
            inputs.append(input)
            element = tape.next(after: element)
        }
        return inputs
    }

    private mutating func readInput(_ input: JSONTape.Index) throws -> NamedTensor {
        guard tape.isObject(input), let name = try string("name", of: input, in: "an input") else {
            throw ServingError.invalidArgument("each input must be an object with a 'name'")
        }
        let place = "input '\(name)'"
        guard let datatype = try string("datatype", of: input, in: place) else {
            throw ServingError.invalidArgument("\(place) needs a 'datatype'")
        }
        let (dtype, shape) = try InferRequest.layout(
            of: name, datatype: datatype, dimensions: dimensions(of: input, in: place),
            limits: limits)
        let parameters = try parameters(of: input, in: place)
        if let parameters {
            try tape.forEachMember(of: parameters) { key, _ in
                try InferRequest.check(parameter: key, of: name)
            }
        }
        let size = parameters.flatMap { tape.member("binary_data_size", of: $0) }
        let data = tape.member("data", of: input)
        if let slice = try parameters.flatMap({ try sharedMemorySlice(in: $0, of: place) }) {
            guard size == nil, data == nil else {
                throw ServingError.invalidArgument("\(place) has both data and shared memory")
            }
            return try InferRequest.locating(name) {
                NamedTensor(
                    name: name,
                    tensor: try OpenInferenceBinary.decode(
                        sharedMemory.read(slice), dtype: dtype, shape: shape))
            }
        }
        switch (size, data) {
        case (.some(let size), nil):
            let bytes = try takeBinary(size, in: place)
            return try InferRequest.locating(name) {
                NamedTensor(
                    name: name,
                    tensor: try OpenInferenceBinary.decode(bytes, dtype: dtype, shape: shape))
            }
        case (nil, .some(let data)):
            return try InferRequest.locating(name) {
                NamedTensor(name: name, tensor: try read(data, dtype: dtype, shape: shape))
            }
        case (.some, .some):
            throw ServingError.invalidArgument("\(place) has both 'data' and binary data")
        case (nil, nil):
            throw ServingError.invalidArgument(
                "\(place) needs 'data', or the parameter 'binary_data_size'")
        }
    }

    private mutating func takeBinary(
        _ size: JSONTape.Index, in place: String
    ) throws -> [UInt8] {
        guard let count = tape.integer(size, as: Int.self), count >= 0 else {
            throw ServingError.invalidArgument(
                "\(place): 'binary_data_size' is \(tape.excerpt(size)); it must be a whole number")
        }
        guard count <= binary.count else {
            throw ServingError.invalidArgument(
                "\(place): 'binary_data_size' is \(count), but \(binary.count) bytes are left")
        }
        defer { binary = binary.dropFirst(count) }
        return [UInt8](binary.prefix(count))
    }

    private func dimensions(of input: JSONTape.Index, in place: String) throws -> [Int] {
        guard let list = tape.member("shape", of: input), tape.isArray(list) else {
            throw ServingError.invalidArgument("\(place) needs a 'shape', an array of numbers")
        }
        guard tape.count(list) <= limits.tensorRank else {
            throw ServingError.invalidArgument(
                "\(place) has \(tape.count(list)) dimensions; the limit is \(limits.tensorRank)")
        }
        var dimensions: [Int] = []
        try tape.forEachElement(of: list) { element in
            guard let size = tape.integer(element, as: Int.self) else {
                throw ServingError.invalidArgument(
                    "\(place): dimension \(tape.excerpt(element)) is not a whole number")
            }
            dimensions.append(size)
        }
        return dimensions
    }

    /// Reads elements in row-major order, in one list or in nested ones.
    private func read(_ data: JSONTape.Index, dtype: DataType, shape: Shape) throws -> Tensor {
        guard tape.isArray(data) else {
            throw ServingError.invalidArgument("'data' must be an array")
        }
        var elements = TensorElements(dtype: dtype, roundsWholeNumbers: true)
        // Lists of the tape are followed by what they hold, so that nested ones are flat already.
        var index = data + 1
        let end = tape.next(after: data)
        while index < end {
            if tape.isArray(index) {
                index += 1
                continue
            }
            guard elements.count < shape.elementCount else {
                throw ServingError.invalidArgument(
                    "'data' has more than the \(shape.elementCount) elements of shape \(shape)")
            }
            try elements.append(index, of: tape)
            index = tape.next(after: index)
        }
        guard elements.count == shape.elementCount else {
            throw ServingError.invalidArgument(
                "'data' has \(elements.count) elements, but shape \(shape) needs "
                    + "\(shape.elementCount)")
        }
        return try elements.tensor(shape: shape)
    }

    // MARK: Outputs

    private func readOutputs(
        _ root: JSONTape.Index, prefersBinary: Bool
    ) throws -> [InferRequest.Output] {
        guard let list = tape.member("outputs", of: root) else { return [] }
        guard tape.isArray(list) else {
            throw ServingError.invalidArgument("'outputs' must be an array")
        }
        var outputs: [InferRequest.Output] = []
        try tape.forEachElement(of: list) { output in
            guard tape.isObject(output), let name = try string("name", of: output, in: "an output")
            else {
                throw ServingError.invalidArgument("each output must be an object with a 'name'")
            }
            let place = "output '\(name)'"
            var isBinary = prefersBinary
            var slice: SharedMemorySlice?
            if let parameters = try parameters(of: output, in: place) {
                try tape.forEachMember(of: parameters) { key, _ in
                    try InferRequest.check(parameter: key, of: name)
                }
                isBinary = try flag("binary_data", of: parameters, in: place) ?? isBinary
                slice = try sharedMemorySlice(in: parameters, of: place)
                if let slice { try sharedMemory.check(slice, of: place) }
            }
            outputs.append(
                InferRequest.Output(name: name, isBinary: isBinary, sharedMemory: slice))
        }
        return outputs
    }

    // MARK: Members

    /// The slice that parameters of a tensor name, if they name one.
    private func sharedMemorySlice(
        in parameters: JSONTape.Index, of place: String
    ) throws -> SharedMemorySlice? {
        try SharedMemorySlice(
            region: string(SharedMemorySlice.regionParameter, of: parameters, in: place),
            byteCount: bytes(SharedMemorySlice.sizeParameter, of: parameters, in: place),
            offset: bytes(SharedMemorySlice.offsetParameter, of: parameters, in: place), of: place)
    }

    private func bytes(
        _ name: String, of object: JSONTape.Index, in place: String
    ) throws -> Int? {
        guard let value = tape.member(name, of: object) else { return nil }
        guard let count = tape.integer(value, as: Int.self), count >= 0 else {
            throw ServingError.invalidArgument(
                "'\(name)' of \(place) is \(tape.excerpt(value)); it must be a whole number")
        }
        return count
    }

    private func parameters(
        of object: JSONTape.Index, in place: String
    ) throws -> JSONTape.Index? {
        guard let parameters = tape.member("parameters", of: object) else { return nil }
        guard tape.isObject(parameters) else {
            throw ServingError.invalidArgument("'parameters' of \(place) must be an object")
        }
        return parameters
    }

    private func string(
        _ name: String, of object: JSONTape.Index, in place: String
    ) throws -> String? {
        guard let value = tape.member(name, of: object) else { return nil }
        guard let text = tape.text(value) else {
            throw ServingError.invalidArgument("'\(name)' of \(place) must be a string")
        }
        return text
    }

    private func flag(
        _ name: String, of object: JSONTape.Index, in place: String
    ) throws -> Bool? {
        guard let value = tape.member(name, of: object) else { return nil }
        guard let flag = tape.bool(value) else {
            throw ServingError.invalidArgument("'\(name)' of \(place) must be true or false")
        }
        return flag
    }
}
