import MartletTelemetry
import MartletTransport

/// What a request asks of which model, as its path says.
///
/// Paths are taken apart as nodes do it, for a gateway that reads a path otherwise than the node
/// behind it can be gone around.
struct ModelTarget: Sendable, Equatable {
    /// The family of paths.
    enum API: Sendable {
        case tensorFlowServing
        case openInference
    }

    /// Which version is asked for.
    enum Version: Sendable, Equatable {
        /// The one the node chooses.
        case latest
        case number(Int64)
        case label(String)
    }

    /// What is asked.
    enum Verb: String, Sendable {
        case predict, classify, regress, status, metadata
        case infer, ready, config, stats, load, unload

        /// Whether it runs the model, and so changes nothing and may run twice.
        var isPrediction: Bool {
            switch self {
            case .predict, .classify, .regress, .infer: true
            case .status, .metadata, .ready, .config, .stats, .load, .unload: false
            }
        }
    }

    var api: API
    var model: String
    var version: Version
    var verb: Verb
}

/// Where a request names its model.
enum ModelNaming: Sendable, Equatable {
    /// In its path.
    case path(ModelTarget)
    /// In its JSON body, as `model` (OpenAI's API, and its extensions, some of which may leave it
    /// out).
    case body
    /// In its gRPC message.
    case message
    /// Nowhere.
    case nowhere

    /// Reads the head of a request; the path is the raw one.
    init(isGRPC: Bool, method: String, path: String) {
        if isGRPC {
            self = ModelNaming.isInMessage(path) ? .message : .nowhere
        } else if let target = ModelTarget(tensorFlowServing: method, path)
            ?? ModelTarget(openInference: method, path)
        {
            self = .path(target)
        } else {
            let isCall = method == "POST" && OpenAICall(path: path) != nil
            self = isCall ? .body : .nowhere
        }
    }

    /// Reads the head of a request.
    init(_ request: ForwardedRequest) {
        self.init(isGRPC: request.api == .grpc, method: request.method, path: request.path)
    }

    /// What is asked of which model, where the path says so.
    var target: ModelTarget? {
        if case .path(let target) = self { target } else { nil }
    }

    /// The model, where the path names it.
    var model: String? { target?.model }

    /// Services all of whose methods name a model.
    private static let modelServices = [
        "/tensorflow.serving.PredictionService/", "/tensorflow.serving.SessionService/",
    ]

    /// Whether a gRPC method runs a model, and so changes nothing and may run twice.
    static func isPrediction(call path: String) -> Bool {
        [
            "/tensorflow.serving.PredictionService/Predict",
            "/tensorflow.serving.PredictionService/Classify",
            "/tensorflow.serving.PredictionService/Regress",
            "/tensorflow.serving.PredictionService/MultiInference",
            "/inference.GRPCInferenceService/ModelInfer",
        ].contains(path)
    }

    private static func isInMessage(_ path: String) -> Bool {
        if modelServices.contains(where: { path.utf8.starts(with: $0.utf8) }) { return true }
        if path == "/tensorflow.serving.ModelService/GetModelStatus" { return true }
        let openInference = "/inference.GRPCInferenceService/"
        guard path.utf8.starts(with: openInference.utf8) else { return false }
        let method = path.dropFirst(openInference.count)
        return method.hasPrefix("Model")
            || ["RepositoryModelLoad", "RepositoryModelUnload"].contains(method)
    }
}

extension ModelTarget {
    /// Reads `/v1/models/NAME[/versions/N|/labels/L][:VERB|/metadata]`; nil if it is none.
    init?(tensorFlowServing method: String, _ path: String) {
        if method == "POST", let model = ModelTarget.plainPredictModel(path) {
            self.init(api: .tensorFlowServing, model: model, version: .latest, verb: .predict)
            return
        }
        var segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard segments.popFirst()?.lowercased() == "v1",
            segments.popFirst()?.lowercased() == "models", let last = segments.popLast()
        else { return nil }
        let parts = last.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        segments.append(parts[0])
        let word = parts.count == 2 ? parts[1].lowercased() : nil
        let wantsMetadata = word == nil && segments.count > 1 && segments.last == "metadata"
        if wantsMetadata { segments.removeLast() }
        guard let name = segments.popFirst().flatMap(PathBytes.decoded), !name.isEmpty,
            let version = Version(tensorFlowServing: segments)
        else { return nil }
        let verb: Verb
        switch (method, word) {
        case ("POST", "predict"): verb = .predict
        case ("POST", "classify"): verb = .classify
        case ("POST", "regress"): verb = .regress
        case ("GET", nil): verb = wantsMetadata ? .metadata : .status
        default: return nil
        }
        self.init(api: .tensorFlowServing, model: name, version: version, verb: verb)
    }

    /// The model of a path that is exactly `/v1/models/NAME:predict` with nothing to decode in the
    /// name, as that of nearly all predictions is; nil for all others.
    private static func plainPredictModel(_ path: String) -> String? {
        path.utf8.withContiguousStorageIfAvailable { bytes -> String? in
            let (prefix, suffix) = (PathBytes.models.utf8, ":predict".utf8)
            guard bytes.count > prefix.count + suffix.count, bytes.starts(with: prefix),
                bytes.suffix(suffix.count).elementsEqual(suffix)
            else { return nil }
            let name = bytes.dropFirst(prefix.count).dropLast(suffix.count)
            guard name.allSatisfy({ $0 != 0x2F && $0 != 0x3A && $0 != 0x25 }) else { return nil }
            return String(decoding: name, as: UTF8.self)
        } ?? nil
    }

    /// Reads `/v2/models/NAME[/versions/V]/VERB` and those of the repository; nil if it is none.
    init?(openInference method: String, _ path: String) {
        guard path.hasPrefix("/v2/") else { return nil }
        var rest = path.split(separator: "/").dropFirst()
        let area = rest.popFirst()
        if area == "repository" {
            self.init(repository: method, rest)
            return
        }
        guard area == "models", let first = rest.popFirst() else { return nil }
        // Those of all models.
        if method == "GET", first == "stats", rest.isEmpty { return nil }
        guard let name = PathBytes.decoded(first), !name.isEmpty else { return nil }
        var version = Version.latest
        if rest.first == "versions", rest.count >= 2 {
            rest.removeFirst()
            guard let text = rest.popFirst().flatMap(PathBytes.decoded),
                let read = Version(openInference: text)
            else { return nil }
            version = read
        }
        guard rest.count <= 1 else { return nil }
        let verb: Verb
        switch (method, rest.first) {
        case ("GET", nil): verb = .metadata
        case ("GET", "ready"): verb = .ready
        case ("GET", "config"): verb = .config
        case ("GET", "stats"): verb = .stats
        case ("POST", "infer"): verb = .infer
        default: return nil
        }
        self.init(api: .openInference, model: name, version: version, verb: verb)
    }

    private init?(repository method: String, _ segments: ArraySlice<Substring>) {
        let parts = Array(segments)
        guard method == "POST", parts.count == 3, parts[0] == "models",
            let name = PathBytes.decoded(parts[1]), !name.isEmpty,
            let verb = Verb(rawValue: String(parts[2])), verb == .load || verb == .unload
        else { return nil }
        self.init(api: .openInference, model: name, version: .latest, verb: verb)
    }
}

extension ModelTarget.Version {
    /// Reads what stands between a model's name and its verb; nil if it is no version.
    fileprivate init?(tensorFlowServing segments: ArraySlice<Substring>) {
        guard !segments.isEmpty else {
            self = .latest
            return
        }
        guard segments.count == 2, let kind = segments.first?.lowercased(),
            let text = segments.last, !text.isEmpty
        else { return nil }
        if kind == "labels" {
            guard let label = PathBytes.decoded(text) else { return nil }
            self = .label(label)
        } else {
            guard kind == "versions", text.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                let number = Int64(text)
            else { return nil }
            self = .number(number)
        }
    }

    /// Reads a number, or a label; nil for a number that is too large.
    init?(openInference text: String) {
        guard !text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            guard !text.isEmpty else {
                self = .latest
                return
            }
            guard let number = Int64(text) else { return nil }
            self = .number(number)
            return
        }
        self = .label(text)
    }
}
