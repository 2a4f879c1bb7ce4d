import Foundation
import MartletCore
import MartletProtocols
public import MartletTensors
import MartletTransport
internal import SwiftProtobuf

/// Puts tensors into requests.
public enum PredictRequests {
    /// Most bytes that all requests of a load may take.
    public static let bytesMax = 256 << 20

    /// Makes requests of made-up tensors.
    ///
    /// - Parameters:
    ///   - choice: which model and signature.
    ///   - api: how it is asked.
    ///   - inputs: what the signature takes.
    ///   - generator: makes the tensors.
    ///   - variants: how many different requests there are, as far as memory allows.
    /// - Returns: the requests.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) where a tensor cannot be made up.
    public static func generated(
        _ choice: ModelChoice, _ api: BenchAPI, inputs: [TensorSpec],
        generator: TensorGenerator, variants: Int
    ) throws -> BenchRequests {
        var generator = generator
        var requests: [LoadRequest] = []
        var bytes = 0
        var description = ""
        for _ in 0..<max(1, variants) {
            let tensors = try generator.tensors(for: inputs)
            description = tensors.map {
                "\($0.name) \($0.tensor.dtype.name) \($0.tensor.shape)"
            }.joined(separator: ", ")
            let body = try body(choice, api, tensors)
            bytes += body.count
            guard requests.isEmpty || bytes <= bytesMax else { break }
            requests.append(request(choice, api, body))
        }
        return BenchRequests(requests, wire: api.wire, description: description)
    }

    /// Makes a request of what somebody has written.
    ///
    /// - Parameters:
    ///   - choice: which model is asked.
    ///   - api: how it is asked.
    ///   - data: the JSON body, or the serialized message of a gRPC call.
    /// - Returns: the one request.
    public static func given(
        _ choice: ModelChoice, _ api: BenchAPI, data: [UInt8]
    ) -> BenchRequests {
        BenchRequests(
            [request(choice, api, data)], wire: api.wire,
            description: "\(data.count) bytes of --data")
    }

    private static func request(
        _ choice: ModelChoice, _ api: BenchAPI, _ body: [UInt8]
    ) -> LoadRequest {
        switch api {
        case .grpc:
            LoadRequest(path: "/tensorflow.serving.PredictionService/Predict", body: body)
        case .oipGRPC:
            LoadRequest(path: "/inference.GRPCInferenceService/ModelInfer", body: body)
        case .rest:
            json(choice.path("/v1/models") + ":predict", body)
        case .oip: json(choice.path("/v2/models") + "/infer", body)
        case .openAI: json("/v1/chat/completions", body)
        }
    }

    private static func json(_ path: String, _ body: [UInt8]) -> LoadRequest {
        LoadRequest(path: path, headers: ["content-type": "application/json"], body: body)
    }

    private static func body(
        _ choice: ModelChoice, _ api: BenchAPI, _ tensors: [NamedTensor]
    ) throws -> [UInt8] {
        switch api {
        case .grpc: try predict(choice, tensors).serializedBytes()
        case .oipGRPC: try infer(choice, tensors).serializedBytes()
        case .rest: try PredictDocuments.predict(choice, tensors)
        case .oip: try PredictDocuments.infer(choice, tensors)
        case .openAI: throw ServingError.invalidArgument("OpenAI's API takes no tensors")
        }
    }

    private static func predict(
        _ choice: ModelChoice, _ tensors: [NamedTensor]
    ) -> Tensorflow_Serving_PredictRequest {
        var message = Tensorflow_Serving_PredictRequest()
        message.modelSpec.name = choice.model
        if let version = choice.version { message.modelSpec.version.value = version }
        if let signature = choice.signature { message.modelSpec.signatureName = signature }
        for named in tensors {
            var proto = Tensorflow_TensorProto()
            let dtype = Int(named.tensor.dtype.rawValue)
            proto.dtype = Tensorflow_DataType(rawValue: dtype) ?? .dtFloat
            proto.tensorShape.dim = named.tensor.shape.dimensions.map { size in
                var dimension = Tensorflow_TensorShapeProto.Dim()
                dimension.size = Int64(size)
                return dimension
            }
            switch named.tensor.storage {
            case .fixed(let bytes): proto.tensorContent = Data(bytes)
            case .strings(let strings): proto.stringVal = strings.map { Data($0) }
            }
            message.inputs[named.name] = proto
        }
        return message
    }

    private static func infer(
        _ choice: ModelChoice, _ tensors: [NamedTensor]
    ) throws -> Inference_ModelInferRequest {
        var message = Inference_ModelInferRequest()
        message.modelName = choice.model
        message.modelVersion = choice.version.map(String.init) ?? ""
        if let signature = choice.signature {
            message.parameters["signature_name"] = .with { $0.stringParam = signature }
        }
        for named in tensors {
            var input = Inference_ModelInferRequest.InferInputTensor()
            input.name = named.name
            input.datatype = try openInferenceName(named)
            input.shape = named.tensor.shape.dimensions.map { Int64($0) }
            message.inputs.append(input)
            var bytes: [UInt8] = []
            try OpenInferenceBinary.append(named.tensor, to: &bytes)
            message.rawInputContents.append(Data(bytes))
        }
        return message
    }

    /// The type as the Open Inference Protocol names it.
    static func openInferenceName(_ named: NamedTensor) throws -> String {
        guard let name = named.tensor.dtype.openInferenceName else {
            throw ServingError.invalidArgument(
                "'\(named.name)' is of type \(named.tensor.dtype.name), which the Open Inference "
                    + "Protocol does not have")
        }
        return name
    }
}
