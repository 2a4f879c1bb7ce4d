import Testing

@testable import MartletGateway

@Suite("What a request asks, for access")
struct AccessQuestionTests {
    @Test(arguments: [
        ("POST", "/v1/models/m:predict", ["predict"], "m"),
        ("POST", "/v1/models/m/versions/2:classify", ["classify"], "m"),
        ("POST", "/V1/MODELS/m:Regress", ["regress"], "m"),
        ("GET", "/v1/models/m/metadata", ["metadata"], "m"),
        ("GET", "/v1/models/m?x=y", ["status"], "m"),
        ("POST", "/v1/models/a%2Db:predict?x", ["predict"], "a-b"),
        ("POST", "/v2/models/m/infer", ["predict"], "m"),
        ("GET", "/v2/models/m/versions/1/ready", ["status"], "m"),
        ("GET", "/v2/models/m/config", ["metadata"], "m"),
        ("POST", "/v2/repository/models/m/load", ["admin"], "m"),
    ])
    func rest_namesModelAndVerbInThePath(
        method: String, path: String, verbs: [String], model: String
    ) {
        let question = AccessQuestion(isGRPC: false, method: method, path: path)
        #expect(question.verbs.names == verbs)
        #expect(question.model == .named(model))
        #expect(question.isKnown && !question.isOpen)
    }

    @Test(arguments: [
        ("/v1/chat/completions", "chat"), ("/v1/completions", "chat"), ("/v1/responses", "chat"),
        ("/v1/embeddings", "embeddings"), ("/v1/rerank", "chat"), ("/v2/rerank", "chat"),
        ("/rerank", "chat"), ("/tokenize", "chat"), ("/detokenize", "chat"),
    ])
    func openAI_namesTheModelInTheBody(path: String, verb: String) {
        let question = AccessQuestion(isGRPC: false, method: "POST", path: path)
        #expect(question.verbs.names == [verb] && question.model == .notYetKnown)
        #expect(question.isKnown && !question.isOpen)
        let spends = path.hasPrefix("/v1/") && path != "/v1/rerank"
        #expect(question.spendsTokens == spends)
    }

    @Test(arguments: [
        ("tensorflow.serving.PredictionService/Predict", ["predict"]),
        ("tensorflow.serving.PredictionService/MultiInference", ["classify", "regress"]),
        ("tensorflow.serving.PredictionService/GetModelMetadata", ["metadata"]),
        ("tensorflow.serving.PredictionService/New", ["admin"]),
        ("tensorflow.serving.SessionService/SessionRun", ["predict"]),
        ("tensorflow.serving.ModelService/GetModelStatus", ["status"]),
        ("inference.GRPCInferenceService/ModelInfer", ["predict"]),
        ("inference.GRPCInferenceService/ModelStreamInfer", ["predict"]),
        ("inference.GRPCInferenceService/ModelReady", ["status"]),
        ("inference.GRPCInferenceService/RepositoryModelUnload", ["admin"]),
    ])
    func calls_nameTheModelInTheirMessage(path: String, verbs: [String]) {
        let question = AccessQuestion(isGRPC: true, method: "POST", path: "/" + path)
        #expect(question.verbs.names == verbs && question.model == .notYetKnown)
    }

    @Test(arguments: [
        (false, "GET", "/v1/models", "status"), (false, "GET", "/v2", "status"),
        (false, "POST", "/v2/repository/index", "status"),
        (true, "POST", "/inference.GRPCInferenceService/RepositoryIndex", "status"),
        (true, "POST", "/tensorflow.serving.ModelService/HandleReloadConfigRequest", "admin"),
    ])
    func questionsToTheServer_nameNoModel(
        isGRPC: Bool, method: String, path: String, verb: String
    ) {
        let question = AccessQuestion(isGRPC: isGRPC, method: method, path: path)
        #expect(question.verbs.names == [verb] && question.model == .none)
        #expect(question.isKnown && !question.isOpen)
    }

    @Test(arguments: [
        (false, "GET", "/v2/health/live"), (false, "HEAD", "/healthz/ready"),
        (true, "POST", "/grpc.health.v1.Health/Check"),
        (true, "POST", "/inference.GRPCInferenceService/ServerReady"),
    ])
    func health_isOpen(isGRPC: Bool, method: String, path: String) {
        #expect(AccessQuestion(isGRPC: isGRPC, method: method, path: path).isOpen)
    }

    /// What nobody here understands must not be a way around a scope.
    @Test(arguments: [
        (false, "GET", "/metrics"), (false, "POST", "/v1/models/m"), (false, "GET", "/"),
        (false, "GET", "/tokenize"), (false, "POST", "/tokenize/"), (false, "POST", "/Tokenize"),
        (false, "POST", "/v1/models/m:predict/"), (false, "POST", "/v2/models/m/generate"),
        (false, "POST", "/v2/health/live"), (false, "GET", "/healthz/live/x"),
        (true, "POST", "/tensorflow.ProfilerService/Profile"),
        (true, "POST", "/inference.GRPCInferenceService/SystemSharedMemoryRegister"),
        (true, "POST", "/grpc.health.v1.Health/Other"), (false, "OPTIONS", "/v1/models/m:predict"),
    ])
    func whatIsNotKnown_isForAdministrators(isGRPC: Bool, method: String, path: String) {
        let question = AccessQuestion(isGRPC: isGRPC, method: method, path: path)
        #expect(question.verbs.names == ["admin"] && !question.isOpen && !question.isKnown)
    }

    // MARK: The request

    private func request(_ fields: [String: String], _ method: String = "GET") -> AccessRequest {
        AccessRequest(
            isGRPC: false, method: method, path: "/v1/models/m", fields: Fields(values: fields),
            unixTime: .zero)
    }

    @Test(
        arguments: [
            (["x-api-key": "k"], "k"), (["x-api-key": " \tk "], "k"),
            (["authorization": "Bearer k"], "k"), (["authorization": "bearer   a.b.c "], "a.b.c"),
            (["authorization": "Bearer k", "x-api-key": "own"], "own"),
            (["authorization": "Bearer k", "x-api-key": " "], "k"),
            (["authorization": "Basic k"], nil),
            (["authorization": "Bearer"], nil), (["authorization": "Bearer "], nil),
            (["authorization": "Bearerk"], nil), ([:], nil),
        ] as [([String: String], String?)])
    func secret_isInOneOfTwoFields(fields: [String: String], secret: String?) {
        #expect(request(fields).secret == secret)
    }

    @Test func preflight_isOpenWithBothOfItsFields() {
        let both = ["origin": "https://a", "access-control-request-method": "POST"]
        #expect(request(both, "OPTIONS").question.isOpen)
        #expect(!request(both, "GET").question.isOpen)
        #expect(!request(["origin": "https://a"], "OPTIONS").question.isOpen)
    }
}
