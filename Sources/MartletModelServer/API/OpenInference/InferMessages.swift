internal import Foundation
import MartletCore
import MartletProtocols
import MartletTensors

extension InferRequest {
    /// Decodes a gRPC message.
    ///
    /// - Parameters:
    ///   - message: the message.
    ///   - limits: bounds the rank.
    ///   - sharedMemory: holds the tensors that are not in the message.
    /// - Throws: `ServingError`, mostly `INVALID_ARGUMENT`, naming the input at fault.
    init(
        _ message: Inference_ModelInferRequest, limits: Limits,
        sharedMemory: any SharedMemory = NoSharedMemory()
    ) throws {
        let slices = try message.inputs.map {
            try SharedMemorySlice($0.parameters, of: "input '\($0.name)'")
        }
        // Those in shared memory have no contents here.
        var raw = message.rawInputContents[...]
        let inMessage = slices.count { $0 == nil }
        guard raw.isEmpty || raw.count == inMessage else {
            throw ServingError.invalidArgument(
                "the request has \(inMessage) inputs, but \(raw.count) raw_input_contents")
        }
        var names: Set<String> = []
        var inputs: [NamedTensor] = []
        for (input, slice) in zip(message.inputs, slices) {
            guard names.insert(input.name).inserted else {
                throw ServingError.invalidArgument("input '\(input.name)' is given twice")
            }
            for parameter in input.parameters.keys {
                try InferRequest.check(parameter: parameter, of: input.name)
            }
            let tensor =
                try slice.map {
                    try InferRequest.tensor(input, in: $0, of: sharedMemory, limits: limits)
                } ?? InferRequest.tensor(input, raw: raw.popFirst(), limits: limits)
            inputs.append(NamedTensor(name: input.name, tensor: tensor))
        }
        var outputs: [Output] = []
        for output in message.outputs {
            for parameter in output.parameters.keys {
                try InferRequest.check(parameter: parameter, of: output.name)
            }
            let place = "output '\(output.name)'"
            let slice = try SharedMemorySlice(output.parameters, of: place)
            if let slice { try sharedMemory.check(slice, of: place) }
            outputs.append(Output(name: output.name, isBinary: true, sharedMemory: slice))
        }
        self.init(
            id: message.id,
            signatureName: try InferRequest.signatureName(message), inputs: inputs,
            outputs: outputs, prefersBinary: true)
    }

    private static func signatureName(_ message: Inference_ModelInferRequest) throws -> String? {
        guard let parameter = message.parameters[InferRequest.signatureParameter] else {
            return nil
        }
        guard case .stringParam(let name)? = parameter.parameterChoice else {
            throw ServingError.invalidArgument(
                "parameter '\(InferRequest.signatureParameter)' must be a string_param")
        }
        return name
    }

    private static func tensor(
        _ input: Inference_ModelInferRequest.InferInputTensor, in slice: SharedMemorySlice,
        of sharedMemory: any SharedMemory, limits: Limits
    ) throws -> Tensor {
        let (dtype, shape) = try layout(
            of: input.name, datatype: input.datatype, dimensions: input.shape.map { Int($0) },
            limits: limits)
        return try locating(input.name) {
            guard !input.hasContents else {
                throw ServingError.invalidArgument(
                    "contents field must not be specified when using shared memory")
            }
            return try OpenInferenceBinary.decode(
                sharedMemory.read(slice), dtype: dtype, shape: shape)
        }
    }

    private static func tensor(
        _ input: Inference_ModelInferRequest.InferInputTensor, raw: Data?, limits: Limits
    ) throws -> Tensor {
        let (dtype, shape) = try layout(
            of: input.name, datatype: input.datatype, dimensions: input.shape.map { Int($0) },
            limits: limits)
        return try locating(input.name) {
            guard let raw else {
                return try Tensor(input.contents, dtype: dtype, shape: shape)
            }
            guard !input.hasContents else {
                throw ServingError.invalidArgument(
                    "contents field must not be specified when using raw_input_contents")
            }
            return try OpenInferenceBinary.decode([UInt8](raw), dtype: dtype, shape: shape)
        }
    }
}

extension Tensor {
    /// Decodes the contents of a gRPC message: elements in the field that belongs to their type.
    fileprivate init(
        _ contents: Inference_InferTensorContents, dtype: DataType, shape: Shape
    ) throws {
        switch dtype {
        case .bool:
            let flags = contents.boolContents.map { $0 ? UInt8(1) : UInt8(0) }
            try self.init(dtype: dtype, shape: shape, values: flags)
        case .int8:
            let values = try Tensor.narrow(contents.intContents, as: Int8.self)
            try self.init(dtype: dtype, shape: shape, values: values)
        case .int16:
            let values = try Tensor.narrow(contents.intContents, as: Int16.self)
            try self.init(dtype: dtype, shape: shape, values: values)
        case .int32: try self.init(dtype: dtype, shape: shape, values: contents.intContents)
        case .int64: try self.init(dtype: dtype, shape: shape, values: contents.int64Contents)
        case .uint8:
            let values = try Tensor.narrow(contents.uintContents, as: UInt8.self)
            try self.init(dtype: dtype, shape: shape, values: values)
        case .uint16:
            let values = try Tensor.narrow(contents.uintContents, as: UInt16.self)
            try self.init(dtype: dtype, shape: shape, values: values)
        case .uint32: try self.init(dtype: dtype, shape: shape, values: contents.uintContents)
        case .uint64: try self.init(dtype: dtype, shape: shape, values: contents.uint64Contents)
        case .float: try self.init(dtype: dtype, shape: shape, values: contents.fp32Contents)
        case .double: try self.init(dtype: dtype, shape: shape, values: contents.fp64Contents)
        case .string:
            try self.init(shape: shape, strings: contents.bytesContents.map { [UInt8]($0) })
        default:
            throw ServingError.invalidArgument(
                "\(dtype.openInferenceName ?? dtype.name) has no field in contents; use "
                    + "raw_input_contents")
        }
    }

    private static func narrow<Narrow: FixedWidthInteger>(
        _ values: [some FixedWidthInteger], as type: Narrow.Type
    ) throws -> [Narrow] {
        try values.map { value in
            guard let narrow = Narrow(exactly: value) else {
                throw ServingError.invalidArgument("value \(value) does not fit \(type)")
            }
            return narrow
        }
    }
}

extension Inference_ModelInferResponse {
    /// Encodes the outputs of a run, as raw contents or in shared memory.
    ///
    /// - Throws: `ServingError` for an output that has no such form, or does not fit where it is
    ///   wanted.
    init(
        _ servable: ServableID, request: InferRequest, outputs: [NamedTensor],
        sharedMemory: any SharedMemory = NoSharedMemory()
    ) throws {
        self.init()
        let slices = Dictionary(
            request.outputs.compactMap { output in
                output.sharedMemory.map { (output.name, $0) }
            }, uniquingKeysWith: { $1 })
        modelName = servable.model
        modelVersion = String(servable.version)
        id = request.id ?? ""
        for output in outputs {
            var described = InferOutputTensor()
            described.name = output.name
            described.datatype = output.tensor.dtype.openInferenceName ?? ""
            described.shape = output.tensor.shape.dimensions.map { Int64($0) }
            if let slice = slices[output.name] {
                let count = try sharedMemory.write(output, to: slice)
                described.parameters = slice.parameters(byteCount: count)
                self.outputs.append(described)
                // Clients count them.
                rawOutputContents.append(Data())
                continue
            }
            self.outputs.append(described)
            switch output.tensor.storage {
            case .fixed(let bytes): rawOutputContents.append(Data(bytes))
            case .strings:
                var bytes: [UInt8] = []
                bytes.reserveCapacity(OpenInferenceBinary.byteCount(output.tensor))
                try OpenInferenceBinary.append(output.tensor, to: &bytes)
                rawOutputContents.append(Data(bytes))
            }
        }
    }
}
