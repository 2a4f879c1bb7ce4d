import MartletCore
import MartletProtocols
import MartletTensors
import MartletTransport
internal import SwiftProtobuf

/// The Open Inference Protocol, version 2, over gRPC: `inference.GRPCInferenceService`.
struct OpenInferenceGRPCService: GRPCService, GRPCStreamService {
    private static let prefix = "/inference.GRPCInferenceService/"

    let node: OpenInferenceNode

    var operations: [String: Operation<GRPCCall, [UInt8]>] {
        var operations = repositoryOperations
        operations["ServerLive"] = control("live") { (_: Inference_ServerLiveRequest, _) in
            Inference_ServerLiveResponse.with { $0.live = true }
        }
        operations["ServerReady"] = control("ready") { (_: Inference_ServerReadyRequest, _) in
            Inference_ServerReadyResponse.with { $0.ready = node.health.isReady }
        }
        operations["ServerMetadata"] = control("server_metadata") {
            (_: Inference_ServerMetadataRequest, _) in node.serverMetadata
        }
        operations["ModelReady"] = control("model_ready") {
            (request: Inference_ModelReadyRequest, subject) in
            let version = try note(request.name, request.version, &subject)
            return Inference_ModelReadyResponse.with {
                $0.ready = node.manager.isReady(model: request.name, version: version)
            }
        }
        operations["ModelMetadata"] = control("metadata") {
            (request: Inference_ModelMetadataRequest, subject) in
            let version = try note(request.name, request.version, &subject)
            return try node.modelMetadata(request.name, version, subject: &subject)
        }
        operations["ModelConfig"] = control("config") {
            (request: Inference_ModelConfigRequest, subject) in
            let version = try note(request.name, request.version, &subject)
            var response = Inference_ModelConfigResponse()
            response.config = try node.modelConfig(request.name, version, subject: &subject)
            return response
        }
        operations["ModelStatistics"] = control("statistics") {
            (request: Inference_ModelStatisticsRequest, subject) in
            let name = request.name.isEmpty ? nil : request.name
            return try node.statistics(name, note(name, request.version, &subject))
        }
        operations["ModelInfer"] = Operation(name: "infer", lane: .engine) { call, subject in
            try infer(call, subject: &subject) { try GRPCCoding.encode($0) }
        }
        return Dictionary(
            operations.map { (Self.prefix + $0.key, $0.value) }, uniquingKeysWith: { $1 })
    }

    private var repositoryOperations: [String: Operation<GRPCCall, [UInt8]>] {
        [
            "RepositoryIndex": control("repository_index") {
                (request: Inference_RepositoryIndexRequest, _) in
                node.repositoryIndex(readyOnly: request.ready)
            },
            "RepositoryModelLoad": Operation(name: "repository_load", lane: .control) {
                let request: Inference_RepositoryModelLoadRequest = try GRPCCoding.decode($0)
                $1.model = request.modelName
                return try node.answer(
                    .load, request.modelName, parameters: request.parameters.keys,
                    remoteAddress: $0.context.remoteAddress, headers: $0.metadata,
                    response: GRPCCoding.encode(Inference_RepositoryModelLoadResponse()))
            },
            "RepositoryModelUnload": Operation(name: "repository_unload", lane: .control) {
                let request: Inference_RepositoryModelUnloadRequest = try GRPCCoding.decode($0)
                $1.model = request.modelName
                return try node.answer(
                    .unload, request.modelName, parameters: request.parameters.keys,
                    remoteAddress: $0.context.remoteAddress, headers: $0.metadata,
                    response: GRPCCoding.encode(Inference_RepositoryModelUnloadResponse()))
            },
        ]
    }

    private func control<Request: Message, Response: Message>(
        _ name: String,
        _ respond: @escaping @Sendable (Request, inout RequestSubject) throws -> Response
    ) -> Operation<GRPCCall, [UInt8]> {
        Operation(name: name, lane: .control) { call, subject in
            .ready(
                try GRPCCoding.encode(respond(GRPCCoding.decode(call), &subject)))
        }
    }

    /// Notes the model and version that a request names, and reads the version.
    private func note(
        _ model: String?, _ version: String, _ subject: inout RequestSubject
    ) throws -> VersionChoice {
        subject.model = model
        let version = try VersionChoice(openInference: version)
        subject.requestedVersion = version
        return version
    }

    // MARK: Streams

    var streams: [String: StreamOperation] {
        let each = Operation<GRPCCall, [UInt8]>(name: "stream_infer", lane: .engine) {
            call, subject in
            try infer(call, subject: &subject) { answer in
                try GRPCCoding.encode(
                    Inference_ModelStreamInferResponse.with { $0.inferResponse = answer })
            }
        }
        return [
            Self.prefix + "ModelStreamInfer": .exchange(
                StreamExchangeOperation(each: each, failure: streamFailure))
        ]
    }

    /// An error that ends its request and not the stream, with the request's identifier.
    @Sendable private func streamFailure(_ call: GRPCCall, _ error: ServingError) -> [UInt8] {
        let request: Inference_ModelInferRequest? =
            try? GRPCCoding.decode(call, within: node.limits)
        let response = Inference_ModelStreamInferResponse.with {
            // An empty one would say that nothing went wrong.
            $0.errorMessage = error.message.isEmpty ? error.code.name : error.message
            if let request { $0.inferResponse.id = request.id }
        }
        return (try? GRPCCoding.encode(response)) ?? []
    }

    // MARK: Inference

    private func infer(
        _ call: GRPCCall, subject: inout RequestSubject,
        encode: @escaping @Sendable (Inference_ModelInferResponse) throws -> [UInt8]
    ) throws -> Answer<[UInt8]> {
        let request: Inference_ModelInferRequest = try GRPCCoding.decode(
            call, within: node.limits)
        let memory = node.sharedMemory.memory(
            remoteAddress: call.context.remoteAddress, headers: call.metadata)
        let version = try note(request.modelName, request.modelVersion, &subject)
        return try node.infer(request.modelName, version, subject: &subject) {
            try InferRequest(request, limits: node.limits, sharedMemory: memory)
        } respond: { servable, inferRequest, outputs in
            try encode(
                Inference_ModelInferResponse(
                    servable, request: inferRequest, outputs: outputs, sharedMemory: memory))
        }
    }
}
