import Testing

@testable import MartletGateway

@Suite("Which requests are cached")
struct CachePolicyTests {
    private let policy = CachePolicy(isEnabled: true)
    private let request = CachePolicy.Request(
        call: PredictionCall(restMethod: "POST", path: "/v1/models/pitch:predict"), bodyBytes: 10)

    @Test func prediction_isCachedWhereTheRouteOptsIn() {
        #expect(policy.use(for: request) == .full(ageMax: nil))
        #expect(CachePolicy().use(for: request) == .none(.disabled))
    }

    @Test func requestsThatAreNoSmallPlainPredictions_areNotCached() {
        var other = request
        other.call = nil
        #expect(policy.use(for: other) == .none(.noPrediction))
        other = request
        other.isEncoded = true
        #expect(policy.use(for: other) == .none(.encoded))
        other = request
        other.bodyBytes = policy.requestBytesMax
        #expect(policy.use(for: other) == .full(ageMax: nil))
        other.bodyBytes = policy.requestBytesMax + 1
        #expect(policy.use(for: other) == .none(.tooLarge))
        other.bodyBytes = nil
        #expect(policy.use(for: other) == .none(.tooLarge))
    }

    @Test(arguments: [
        (["no-store"], CachePolicy.Use.none(.noStore)),
        (["max-age=60, No-Store"], .none(.noStore)),
        (["no-cache"], .full(ageMax: .zero)),
        (["foo", " no-cache "], .full(ageMax: .zero)),
        (["max-age=0"], .full(ageMax: .zero)),
        (["max-age=60"], .full(ageMax: .seconds(60))),
        (["max-age=\"60\", max-age=5"], .full(ageMax: .seconds(5))),
        (["max-age=99999999999999999999"], .full(ageMax: .seconds(1 << 31))),
        (["max-age"], .full(ageMax: .zero)),
        (["max-age=-1"], .full(ageMax: .zero)),
        (["max-age=\""], .full(ageMax: .zero)),
        (["no-storeX, x-no-cache, =, ,", "only-if-cached"], .full(ageMax: nil)),
    ])
    func cacheControlOfTheRequest_isObeyed(fields: [String], use: CachePolicy.Use) {
        var request = request
        request.cacheControl = fields
        #expect(policy.use(for: request) == use)
    }

    @Test func answers_areKeptWhereNothingForbids() {
        let answer = CachePolicy.Answer(isOK: true, bodyBytes: policy.answerBytesMax)
        #expect(policy.keeps(answer))
        #expect(!CachePolicy().keeps(answer))
        #expect(!policy.keeps(CachePolicy.Answer(isOK: false, bodyBytes: 1)))
        #expect(!policy.keeps(CachePolicy.Answer(isOK: true, bodyBytes: policy.answerBytesMax + 1)))
        #expect(!policy.keeps(CachePolicy.Answer(isOK: true, bodyBytes: 1, setsCookie: true)))
        for field in ["no-store", "private", "no-cache", "max-age=0"] {
            #expect(
                !policy.keeps(
                    CachePolicy.Answer(isOK: true, bodyBytes: 1, cacheControl: ["public", field])))
        }
    }
}

@Suite("Prediction calls")
struct PredictionCallTests {
    @Test(arguments: [
        ("/v1/models/m:predict", "rest/v1:predict", CacheKey.Version.latest),
        ("/v1/models/m:classify", "rest/v1:classify", .latest),
        ("/v1/models/m/versions/3:regress", "rest/v1:regress", .number(3)),
        ("/v1/models/m/labels/stable:predict", "rest/v1:predict", .label("stable")),
        ("/v2/models/m/infer", "rest/v2/infer", .latest),
        ("/v2/models/m/versions/12/infer", "rest/v2/infer", .number(12)),
        ("/v2/models/m/versions/canary/infer", "rest/v2/infer", .label("canary")),
    ])
    func restPrediction_isUnderstood(path: String, operation: String, version: CacheKey.Version) {
        let call = PredictionCall(restMethod: "POST", path: path)
        #expect(call?.operation == operation)
        #expect(call?.target == PredictionCall.Target(model: "m", version: version))
    }

    @Test(arguments: [
        "/v1/models/m", "/v1/models/m:", "/v1/models/m:explain", "/v1/models/:predict",
        "/v1/models/m:predict:predict", "/v1/models/m/metadata", "/v1/models/m/versions/x:predict",
        "/v1/models/m/versions/99999999999999999999:predict", "/v1/models/m/versions:predict",
        "/v1/models/m:x/versions/1:predict", "/v1/models//m:predict", "//v1/models/m:predict",
        "/v1/models/m:predict/", "/v1/models/m:predict?x=1", "/v1/models/%6d:predict",
        "/V1/models/m:predict", "/v1/models/m\u{E9}:predict", "/v1/models/m:PREDICT", "", "/",
        "/v3/models/m:predict", "/v1/models", "/v2/models/m", "/v2/models/infer",
        "/v2/models/m/versions/1", "/v2/models/m/x/1/infer", "/v2/models/m/infer/",
        "/v2/models/stats", "/v2/repository/index", "v1/models/m:predict;x",
        "/v1/models/a b:predict",
    ])
    func otherPaths_areNoPredictions(path: String) {
        #expect(PredictionCall(restMethod: "POST", path: path) == nil)
    }

    @Test func otherMethods_areNoPredictions() {
        for method in ["GET", "PUT", "DELETE", "post", "OPTIONS", ""] {
            #expect(PredictionCall(restMethod: method, path: "/v1/models/m:predict") == nil)
        }
    }

    @Test func grpcPredictions_areUnderstood() {
        let path = "/tensorflow.serving.PredictionService/Predict"
        #expect(PredictionCall(grpcPath: path)?.operation == path)
        #expect(PredictionCall(grpcPath: path)?.isGRPC == true)
        #expect(PredictionCall(grpcPath: "/inference.GRPCInferenceService/ModelInfer") != nil)
        for other in [
            "/tensorflow.serving.PredictionService/GetModelMetadata",
            "/tensorflow.serving.PredictionService/MultiInference",
            "/tensorflow.serving.SessionService/SessionRun",
            "/inference.GRPCInferenceService/ModelStreamInfer",
            "/tensorflow.serving.ModelService/HandleReloadConfigRequest", "",
        ] {
            #expect(PredictionCall(grpcPath: other) == nil)
        }
    }
}
