import Foundation
import MartletCore
import MartletProtocols
public import MartletTensors
public import MartletTransport
internal import SwiftProtobuf

/// Asks a server for the inputs of a model.
public enum SignatureSource {
    /// The inputs that a signature takes.
    ///
    /// - Parameters:
    ///   - choice: which model and signature.
    ///   - api: how the server is asked.
    ///   - server: the server.
    ///   - eventLoops: where it is asked from.
    /// - Returns: the inputs, sorted by name.
    /// - Throws: `ServingError` that says what the server does not have or does not answer.
    public static func inputs(
        of choice: ModelChoice, by api: BenchAPI, from server: BenchServer,
        on eventLoops: EventLoops
    ) async throws -> [TensorSpec] {
        let request = try request(choice, api)
        let answer: [UInt8]
        do {
            answer = try await SingleCall.send(request, to: server, on: eventLoops)
        } catch let error as ServingError {
            throw ServingError(
                error.code,
                "The inputs of model '\(choice.model)' cannot be learned: \(error.message)",
                cause: error.cause)
        }
        return try read(answer, choice, api).sorted { $0.name < $1.name }
    }

    private static func request(_ choice: ModelChoice, _ api: BenchAPI) throws -> LoadRequest {
        switch api {
        case .grpc:
            var message = Tensorflow_Serving_GetModelMetadataRequest()
            message.modelSpec.name = choice.model
            if let version = choice.version { message.modelSpec.version.value = version }
            message.metadataField = ["signature_def"]
            return LoadRequest(
                path: "/tensorflow.serving.PredictionService/GetModelMetadata",
                body: try message.serializedBytes())
        case .rest:
            return LoadRequest(method: "GET", path: choice.path("/v1/models") + "/metadata")
        case .oip: return LoadRequest(method: "GET", path: choice.path("/v2/models"))
        case .oipGRPC:
            var message = Inference_ModelMetadataRequest()
            message.name = choice.model
            message.version = choice.version.map(String.init) ?? ""
            return LoadRequest(
                path: "/inference.GRPCInferenceService/ModelMetadata",
                body: try message.serializedBytes())
        case .openAI: throw ServingError.invalidArgument("OpenAI's API has no signatures")
        }
    }

    private static func read(
        _ answer: [UInt8], _ choice: ModelChoice, _ api: BenchAPI
    ) throws -> [TensorSpec] {
        do {
            switch api {
            case .grpc: return try SignatureMessages.inputs(answer, choice)
            case .oipGRPC: return try SignatureMessages.openInferenceInputs(answer)
            case .rest: return try SignatureDocuments.inputs(answer, choice)
            case .oip: return try SignatureDocuments.openInferenceInputs(answer)
            case .openAI: return []
            }
        } catch let error as ServingError where error.code == .notFound {
            throw error
        } catch {
            throw ServingError(
                .failedPrecondition,
                "The server did not describe model '\(choice.model)' in a way that is understood; "
                    + "give what is to be sent with --data", cause: error)
        }
    }

    /// What is told where a model has no such signature.
    static func noSignature(_ name: String, among names: [String]) -> ServingError {
        // TensorFlow's own, which clients do not call, begin with two underscores.
        let callable = names.filter { !$0.hasPrefix("__") }.sorted()
        return .notFound(
            "The model has no signature '\(name)'; it has "
                + callable.map { "'\($0)'" }.joined(separator: ", "))
    }
}

/// Descriptions of models as gRPC messages.
enum SignatureMessages {
    static func inputs(_ answer: [UInt8], _ choice: ModelChoice) throws -> [TensorSpec] {
        let response = try Tensorflow_Serving_GetModelMetadataResponse(serializedBytes: answer)
        let map = try Tensorflow_Serving_SignatureDefMap(
            serializedBytes: response.metadata["signature_def"]?.value ?? Data())
        let name = choice.signature ?? Signature.defaultName
        guard let signature = map.signatureDef[name] else {
            throw SignatureSource.noSignature(name, among: Array(map.signatureDef.keys))
        }
        return try signature.inputs.map { name, info in
            guard let dtype = DataType(rawValue: Int32(info.dtype.rawValue)) else {
                throw ServingError.invalidArgument("The type of input '\(name)' is not known")
            }
            let shape = info.tensorShape
            return TensorSpec(
                name: name, graphName: info.name, dtype: dtype,
                shape: ShapeSpec(
                    dimensions: shape.unknownRank ? nil : shape.dim.map { Int($0.size) }))
        }
    }

    static func openInferenceInputs(_ answer: [UInt8]) throws -> [TensorSpec] {
        try Inference_ModelMetadataResponse(serializedBytes: answer).inputs.map { input in
            guard let dtype = DataType(openInferenceName: input.datatype) else {
                throw ServingError.invalidArgument("The type of input '\(input.name)' is not known")
            }
            return TensorSpec(
                name: input.name, graphName: input.name, dtype: dtype,
                shape: ShapeSpec(dimensions: input.shape.map { Int($0) }))
        }
    }
}

/// Descriptions of models as JSON.
enum SignatureDocuments {
    static func inputs(_ answer: [UInt8], _ choice: ModelChoice) throws -> [TensorSpec] {
        let document = try JSONValue(parsing: answer, limits: Limits())
        let signatures =
            document["metadata"]?["signature_def"]?["signature_def"]?.members ?? []
        let name = choice.signature ?? Signature.defaultName
        guard let signature = signatures.first(where: { $0.name == name })?.value else {
            throw SignatureSource.noSignature(name, among: signatures.map(\.name))
        }
        return try (signature["inputs"]?.members ?? []).map { input in
            let name = input.value["dtype"]?.text
            guard let dtype = DataType.allCases.first(where: { $0.protobufName == name }) else {
                throw ServingError.invalidArgument("The type of input '\(input.name)' is not known")
            }
            let shape = input.value["tensor_shape"]
            let isUnknown = shape?["unknown_rank"] == .bool(true)
            return TensorSpec(
                name: input.name, graphName: "", dtype: dtype,
                shape: ShapeSpec(dimensions: isUnknown ? nil : shape?["dim"].map(sizes) ?? []))
        }
    }

    private static func sizes(_ dimensions: JSONValue) -> [Int] {
        dimensions.elements.map { $0["size"]?.whole ?? -1 }
    }

    static func openInferenceInputs(_ answer: [UInt8]) throws -> [TensorSpec] {
        let document = try JSONValue(parsing: answer, limits: Limits())
        guard let inputs = document["inputs"]?.elements else {
            throw ServingError.invalidArgument("There are no inputs")
        }
        return try inputs.map { input in
            guard let name = input["name"]?.text,
                let dtype = input["datatype"]?.text.flatMap(DataType.init(openInferenceName:))
            else { throw ServingError.invalidArgument("The type of an input is not known") }
            return TensorSpec(
                name: name, graphName: name, dtype: dtype,
                shape: ShapeSpec(dimensions: input["shape"]?.elements.map { $0.whole ?? -1 }))
        }
    }
}

extension JSONValue {
    /// The value of a member; `nil` where there is none or this is no object.
    subscript(name: String) -> JSONValue? { members.first { $0.name == name }?.value }

    /// The members of an object; none of anything else.
    var members: [Member] {
        if case .object(let members) = self { members } else { [] }
    }

    /// The elements of a list; none of anything else.
    var elements: [JSONValue] {
        if case .list(let elements) = self { elements } else { [] }
    }

    /// The text; `nil` of anything else.
    var text: String? {
        if case .text(let text) = self { text } else { nil }
    }

    /// A whole number, which protobuf's JSON writes as text.
    var whole: Int? {
        switch self {
        case .integer(let number): Int(number)
        case .text(let text): Int(text)
        default: nil
        }
    }
}
