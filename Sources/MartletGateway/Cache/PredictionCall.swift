/// A request that runs a signature and changes nothing: the only kind whose answer may be cached.
///
/// Paths are taken literally. One that has to be decoded first, or is spelled unusually, may be
/// understood by the gateway in one way and by a node in another; such a request is answered, and
/// not cached.
struct PredictionCall: Sendable, Equatable {
    /// The API and its method, as ``CacheKey`` takes it.
    let operation: String
    /// The model and version; nil where the message or the body names them, as in gRPC and OpenAI's
    /// API.
    let target: Target?

    /// What a path names.
    struct Target: Sendable, Equatable {
        /// The model.
        let model: String
        /// The version asked for.
        let version: CacheKey.Version
    }

    /// Whether its JSON body may name shared memory in place of a tensor's elements.
    var mayNameSharedMemory: Bool { operation == PredictionCall.openInference }

    private static let openInference = "rest/v2/infer"

    /// Whether it is a gRPC call, whose operation is its path.
    var isGRPC: Bool { operation.utf8.first == UInt8(ascii: "/") }

    /// The methods of gRPC services that only predict, of one model.
    private static let grpcMethods: Set<String> = [
        "/tensorflow.serving.PredictionService/Predict",
        "/tensorflow.serving.PredictionService/Classify",
        "/tensorflow.serving.PredictionService/Regress",
        "/inference.GRPCInferenceService/ModelInfer",
    ]

    /// Reads the path of a gRPC call; nil if it is no prediction.
    ///
    /// What it asks is in its message; see ``PredictionMessage``.
    init?(grpcPath path: String) {
        guard PredictionCall.grpcMethods.contains(path) else { return nil }
        operation = path
        target = nil
    }

    /// Reads the method and path of a REST request; nil if it is no prediction.
    ///
    /// OpenAI's API: `POST /v1/chat/completions` and `POST /v1/completions`, where the body decides
    /// whether the answer is the same each time; see ``CompletionBody``.
    /// TensorFlow Serving: `POST /v1/models/NAME[/versions/N|/labels/L]:predict`, and `classify`
    /// and `regress`. The Open Inference Protocol: `POST /v2/models/NAME[/versions/V]/infer`.
    init?(restMethod method: String, path: String) {
        guard method == "POST", !path.utf8.contains(where: PredictionCall.isDelicate) else {
            return nil
        }
        if path == "/v1/chat/completions" || path == "/v1/completions" {
            operation = "rest" + path
            target = nil
            return
        }
        let segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard let api = segments.first, segments.dropFirst().first == "models",
            !segments.contains("")
        else { return nil }
        let rest = segments.dropFirst(2).map(String.init)
        let call =
            switch api {
            case "v1": PredictionCall.tensorFlowServing(rest)
            case "v2": PredictionCall.openInference(rest)
            default: nil as PredictionCall?
            }
        guard let call else { return nil }
        self = call
    }

    private init(operation: String, model: String, version: CacheKey.Version) {
        self.operation = operation
        target = Target(model: model, version: version)
    }

    /// `NAME:VERB`, `NAME/versions/N:VERB` or `NAME/labels/L:VERB`.
    private static func tensorFlowServing(_ segments: [String]) -> PredictionCall? {
        guard let last = segments.last else { return nil }
        let parts = last.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, ["predict", "classify", "regress"].contains(parts[1]),
            !parts[0].isEmpty, !segments.dropLast().contains(where: { $0.contains(":") })
        else { return nil }
        let operation = "rest/v1:\(parts[1])"
        let names = segments.dropLast() + [parts[0]]
        if names.count == 1 {
            return PredictionCall(operation: operation, model: names[0], version: .latest)
        }
        guard names.count == 3, let version = version(kind: names[1], text: names[2]) else {
            return nil
        }
        return PredictionCall(operation: operation, model: names[0], version: version)
    }

    /// `NAME/infer` or `NAME/versions/V/infer`.
    private static func openInference(_ segments: [String]) -> PredictionCall? {
        guard segments.last == "infer" else { return nil }
        let operation = openInference
        if segments.count == 2 {
            return PredictionCall(operation: operation, model: segments[0], version: .latest)
        }
        guard segments.count == 4, segments[1] == "versions" else { return nil }
        let version = number(segments[2]).map(CacheKey.Version.number) ?? .label(segments[2])
        return PredictionCall(operation: operation, model: segments[0], version: version)
    }

    private static func version(kind: String, text: String) -> CacheKey.Version? {
        switch kind {
        case "versions": number(text).map(CacheKey.Version.number)
        case "labels": .label(text)
        default: nil
        }
    }

    private static func number(_ text: String) -> Int64? {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }

    /// Whether a byte has a meaning of its own in paths, or none.
    private static func isDelicate(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte >= 0x7F || "%?#\\;".utf8.contains(byte)
    }
}
