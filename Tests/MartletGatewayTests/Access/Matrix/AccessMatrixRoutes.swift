import MartletTelemetry
import MartletTransport

/// Where a request of the matrix names its model.
enum MatrixNaming: String {
    /// In its path.
    case path
    /// In its JSON body: once; not at all; twice, the second time with an escape.
    case body, missing, twice
    /// In its gRPC message: as a specification, one in a task, the first or the second field.
    case specification, task, first, second
    /// Nowhere.
    case none
}

/// A way to ask for something, and what that needs.
struct MatrixRoute {
    let api: RequestAPI
    let method: String
    /// The path, in which `{m}` stands for the model.
    let path: String
    /// What a credential has to allow, all of it; `open` for nothing, `bad` for what nobody may
    /// send.
    let needs: [String]
    let naming: MatrixNaming

    /// Reads `rest POST /v1/models/{m}:predict predict path`.
    init?(_ line: String) {
        let words = line.split(separator: " ").map(String.init)
        guard words.count == 5, let naming = MatrixNaming(rawValue: words[4]) else { return nil }
        api = words[0] == "grpc" ? .grpc : .rest
        method = words[1]
        path = words[2]
        needs = words[3].split(separator: "+").map(String.init)
        self.naming = naming
    }

    /// Every way to ask that is known, and some that are not.
    static let all = table.split(separator: "\n").compactMap { MatrixRoute(String($0)) }

    /// How many lines there are.
    static let count = table.split(separator: "\n").count

    private static let table = """
        rest POST /v1/models/{m}:predict predict path
        rest POST /v1/models/{m}:classify classify path
        rest POST /v1/models/{m}:regress regress path
        rest GET /v1/models/{m} status path
        rest GET /v1/models/{m}/metadata metadata path
        rest POST /v1/models/{m}/versions/1:predict predict path
        rest GET /v1/models/{m}/versions/1 status path
        rest POST /v1/models/{m}/labels/stable:regress regress path
        rest GET /v1/models/{m}/labels/stable/metadata metadata path
        rest POST /V1/Models/{m}:PREDICT predict path
        rest POST /v1/MODELS/{m}/Versions/1:Classify classify path
        rest POST /v1/models/{m}:predict/ admin none
        rest POST /v1/models/{m}:generate admin none
        rest POST /v1/models/{m} admin none
        rest DELETE /v1/models/{m} admin none
        rest GET /v1/models/{m}:predict admin none
        rest HEAD /v1/models/{m} admin none
        rest POST //v1/models/{m}:predict bad none
        rest POST /v1//models/{m}:predict bad none
        rest POST /v1/models//{m}:predict bad none
        rest POST /v1/models/../models/{m}:predict bad none
        rest POST /v1/models/x%2F{m}:predict bad none
        rest POST /v1/models/{m}%00:predict bad none
        rest POST /v2/models/{m}/infer predict path
        rest POST /v2/models/{m}/versions/1/infer predict path
        rest GET /v2/models/{m} metadata path
        rest GET /v2/models/{m}/config metadata path
        rest GET /v2/models/{m}/ready status path
        rest GET /v2/models/{m}/versions/1/ready status path
        rest GET /v2/models/{m}/stats status path
        rest POST /v2/models/{m}/generate admin none
        rest POST /V2/models/{m}/infer admin none
        rest POST /v2//models/{m}/infer bad none
        rest POST /v2/repository/models/{m}/load admin path
        rest POST /v2/repository/models/{m}/unload admin path
        rest POST /v2/repository/index status none
        rest GET /v1/models status none
        rest GET /v2 status none
        rest GET /v2/models/stats status none
        rest GET /v2/health/ready open none
        rest HEAD /healthz/live open none
        rest POST /healthz/live admin none
        rest GET /healthz/live/x admin none
        rest POST /v1/chat/completions chat body
        rest POST /v1/completions chat body
        rest POST /v1/responses chat body
        rest POST /v1/embeddings embeddings body
        rest POST /v1/rerank chat body
        rest POST /v2/rerank chat body
        rest POST /rerank chat body
        rest POST /tokenize chat body
        rest POST /detokenize chat body
        rest POST /v1/chat/completions chat missing
        rest POST /tokenize chat missing
        rest POST /v1/embeddings embeddings twice
        rest POST /v1/completions chat twice
        rest GET /v1/chat/completions admin none
        rest POST /v1/chat/completions/ admin none
        rest POST /V1/chat/completions admin none
        rest POST /tensorflow.serving.PredictionService/Predict admin none
        grpc POST /tensorflow.serving.PredictionService/Predict predict specification
        grpc POST /tensorflow.serving.PredictionService/Classify classify specification
        grpc POST /tensorflow.serving.PredictionService/Regress regress specification
        grpc POST /tensorflow.serving.PredictionService/MultiInference classify+regress task
        grpc POST /tensorflow.serving.PredictionService/GetModelMetadata metadata specification
        grpc POST /tensorflow.serving.PredictionService/Other admin specification
        grpc POST /tensorflow.serving.SessionService/SessionRun predict specification
        grpc POST /tensorflow.serving.ModelService/GetModelStatus status specification
        grpc POST /tensorflow.serving.ModelService/HandleReloadConfigRequest admin none
        grpc POST /inference.GRPCInferenceService/ModelInfer predict first
        grpc POST /inference.GRPCInferenceService/ModelReady status first
        grpc POST /inference.GRPCInferenceService/ModelMetadata metadata first
        grpc POST /inference.GRPCInferenceService/ModelConfig metadata first
        grpc POST /inference.GRPCInferenceService/ModelStatistics status first
        grpc POST /inference.GRPCInferenceService/RepositoryModelLoad admin second
        grpc POST /inference.GRPCInferenceService/RepositoryModelUnload admin second
        grpc POST /inference.GRPCInferenceService/RepositoryIndex status none
        grpc POST /inference.GRPCInferenceService/ServerMetadata status none
        grpc POST /inference.GRPCInferenceService/ServerLive open none
        grpc POST /inference.GRPCInferenceService/SystemSharedMemoryRegister admin none
        grpc POST /grpc.health.v1.Health/Check open none
        grpc POST /grpc.health.v1.Health/Other admin none
        grpc POST /v1/models/{m}:predict admin none
        grpc POST /tensorflow.ProfilerService/Profile admin none
        """
}
