import MartletCore
import MartletTensors
import MartletTransport

/// The Open Inference Protocol, version 2, over REST.
struct OpenInferenceRESTService: RESTService {
    private static let headerLengthField = "Inference-Header-Content-Length"

    let node: OpenInferenceNode

    func operation(
        method: String, path: String
    ) throws -> Operation<HTTPRequest, HTTPResponse>? {
        guard let route = try OpenInferenceRoute(method: method, path: path) else { return nil }
        let (model, version) = route.target
        let lane: Lane = if case .infer = route { .engine } else { .control }
        return Operation(name: route.operation, lane: lane, model: model, version: version) {
            try respond(to: route, $0, subject: &$1)
        }
    }

    private func respond(
        to route: OpenInferenceRoute, _ request: HTTPRequest, subject: inout RequestSubject
    ) throws -> Answer<HTTPResponse> {
        switch route {
        case .infer(let model, let version):
            return try infer(model, version, request, subject: &subject)
        case .serverMetadata:
            return .ready(.json(OpenInferenceJSON.encode(node.serverMetadata)))
        case .serverLive: return .ready(HTTPResponse(status: 200))
        case .serverReady:
            try node.checkReady()
            return .ready(HTTPResponse(status: 200))
        case .modelReady(let model, let version):
            try node.checkReady(model, version)
            return .ready(HTTPResponse(status: 200))
        case .modelMetadata(let model, let version):
            let metadata = try node.modelMetadata(model, version, subject: &subject)
            return .ready(.json(OpenInferenceJSON.encode(metadata)))
        case .modelConfig(let model, let version):
            let config = try node.modelConfig(model, version, subject: &subject)
            return .ready(.json(OpenInferenceJSON.encode(config)))
        case .statistics(let model, let version):
            return .ready(.json(OpenInferenceJSON.encode(try node.statistics(model, version))))
        case .repositoryIndex:
            let readyOnly = try RepositoryRequestJSON.wantsReadyOnly(
                request.body, limits: node.limits)
            return .ready(
                .json(OpenInferenceJSON.encode(node.repositoryIndex(readyOnly: readyOnly))))
        case .repositoryLoad(let model): return try change(.load, model, request)
        case .repositoryUnload(let model): return try change(.unload, model, request)
        }
    }

    private func change(
        _ change: OpenInferenceNode.RepositoryChange, _ model: String, _ request: HTTPRequest
    ) throws -> Answer<HTTPResponse> {
        try node.answer(
            change, model,
            parameters: RepositoryRequestJSON.parameterNames(request.body, limits: node.limits),
            remoteAddress: request.context.remoteAddress, headers: request.headers,
            response: HTTPResponse(status: 200))
    }

    private func infer(
        _ model: String, _ version: VersionChoice, _ request: HTTPRequest,
        subject: inout RequestSubject
    ) throws -> Answer<HTTPResponse> {
        let memory = node.sharedMemory.memory(
            remoteAddress: request.context.remoteAddress, headers: request.headers)
        return try node.infer(model, version, subject: &subject) {
            try InferRequestJSON.decode(
                request.body, headerLength: headerLength(request), limits: node.limits,
                sharedMemory: memory)
        } respond: { servable, inferRequest, outputs in
            let response = try InferResponseJSON(
                model: servable.model, version: servable.version, request: inferRequest,
                outputs: outputs, sharedMemory: memory)
            guard let length = response.headerLength else { return .json(response.body) }
            return HTTPResponse(
                status: 200,
                headers: [
                    "content-type": "application/octet-stream",
                    Self.headerLengthField: String(length),
                ],
                body: response.body)
        }
    }

    private func headerLength(_ request: HTTPRequest) throws -> Int? {
        guard let text = request.headers.first(Self.headerLengthField) else { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(text) else {
            throw ServingError.invalidArgument(
                "\(Self.headerLengthField) is '\(text.prefix(64))'; it must be a whole number")
        }
        return length
    }
}
