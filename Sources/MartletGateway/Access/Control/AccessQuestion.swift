/// What a request asks of which model, as far as access to it is decided by that.
///
/// What is not understood counts as `admin`: a path that only a node knows must not be a way around
/// what a credential may not ask.
struct AccessQuestion: Sendable, Equatable {
    /// What is asked; a credential has to allow all of it.
    var verbs: AccessVerbs
    /// Of which model.
    var model: RouteQuery.Model
    /// Whether it is answered without a credential: health, and what browsers ask before a request.
    var isOpen = false
    /// Whether its path is one of an API that is known.
    var isKnown = true
    /// Whether its answer costs tokens of a language model.
    var spendsTokens = false
    /// Whether messages that follow may name other models than the first.
    var mayNameOthers = false

    /// A question to a model.
    init(_ verbs: AccessVerbs, model: RouteQuery.Model) {
        self.verbs = verbs
        self.model = model
    }

    /// Reads the head of a request.
    ///
    /// - Parameters:
    ///   - isGRPC: whether it is a call by gRPC.
    ///   - method: the method, such as `POST`.
    ///   - path: the raw path, with or without a query.
    ///   - isPreflight: whether a browser asks what it may send.
    init(isGRPC: Bool, method: String, path: String, isPreflight: Bool = false) {
        let path = path.utf8.contains(UInt8(ascii: "?")) ? String(path.prefix { $0 != "?" }) : path
        switch ModelNaming(isGRPC: isGRPC, method: method, path: path) {
        case .path(let target):
            self.init(AccessVerbs(target.verb.accessVerb), model: .named(target.model))
        case .body:
            let call = OpenAICall(path: path)
            self.init(AccessVerbs(call?.accessVerb ?? .admin), model: .notYetKnown)
            spendsTokens = call?.spendsTokens ?? false
        case .message:
            self.init(AccessQuestion.verbs(ofCall: path), model: .notYetKnown)
            mayNameOthers = path == AccessQuestion.openInference + "ModelStreamInfer"
        case .nowhere:
            self.init(AccessQuestion.verbs(ofServer: path, method, isGRPC), model: .none)
            isKnown = verbs != AccessVerbs(.admin) || AccessQuestion.adminCalls.contains(path)
            isOpen = isPreflight || AccessQuestion.isHealth(path, method, isGRPC)
        }
    }

    /// Whether a path asks for health, of which nothing of anybody's is told.
    private static func isHealth(_ path: String, _ method: String, _ isGRPC: Bool) -> Bool {
        guard isGRPC else {
            return ["GET", "HEAD"].contains(method)
                && ["/v2/health/live", "/v2/health/ready", "/healthz/live", "/healthz/ready"]
                    .contains(path)
        }
        return ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"].contains(path)
            || ["ServerLive", "ServerReady"].contains { path == openInference + $0 }
    }

    /// What is asked by a request that names no model.
    private static func verbs(
        ofServer path: String, _ method: String, _ isGRPC: Bool
    ) -> AccessVerbs {
        if isGRPC {
            let isStatus = ["ServerMetadata", "RepositoryIndex"].contains {
                path == openInference + $0
            }
            return AccessVerbs(isStatus ? .status : .admin)
        }
        let isStatus =
            switch method {
            case "GET", "HEAD": ["/v1/models", "/v2", "/v2/", "/v2/models/stats"].contains(path)
            case "POST": path == "/v2/repository/index"
            default: false
            }
        return AccessVerbs(isStatus ? .status : .admin)
    }

    private static let openInference = "/inference.GRPCInferenceService/"

    /// Calls of services that are known and name no model.
    private static let adminCalls: Set<String> = [
        "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
    ]

    /// What a call asks whose message names a model.
    private static func verbs(ofCall path: String) -> AccessVerbs {
        let method = path.split(separator: "/").last.map(String.init) ?? ""
        return switch method {
        case "Predict", "SessionRun", "ModelInfer", "ModelStreamInfer": AccessVerbs(.predict)
        case "Classify": AccessVerbs(.classify)
        case "Regress": AccessVerbs(.regress)
        case "MultiInference": AccessVerbs([.classify, .regress])
        case "GetModelMetadata", "ModelMetadata", "ModelConfig": AccessVerbs(.metadata)
        case "GetModelStatus", "ModelReady", "ModelStatistics": AccessVerbs(.status)
        default: AccessVerbs(.admin)
        }
    }
}

extension ModelTarget.Verb {
    /// What a credential has to allow.
    fileprivate var accessVerb: AccessVerb {
        switch self {
        case .predict, .infer: .predict
        case .classify: .classify
        case .regress: .regress
        case .metadata, .config: .metadata
        case .status, .ready, .stats: .status
        case .load, .unload: .admin
        }
    }
}
