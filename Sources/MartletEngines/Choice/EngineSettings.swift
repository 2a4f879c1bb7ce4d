/// The engines there are.
public enum EngineName: String, Sendable, Hashable, CaseIterable {
    case tensorflow
    case openvino
    case litert
    case llama

    /// Whether it loads models of a format.
    public func loads(_ format: ModelFormat) -> Bool {
        switch self {
        case .tensorflow: format == .savedModel
        case .openvino: true
        case .litert: format == .tfLite
        case .llama: format == .gguf
        }
    }
}

/// Which engine runs a model.
public enum EnginePreference: Sendable, Hashable {
    /// The one that measures best of those that are right.
    case automatic
    /// The same, but of a language model both engines where each is faster with another number of
    /// sequences: see ``PairedLanguageModel``.
    case both
    /// This one.
    case named(EngineName)

    /// The names that ``init(text:)`` takes.
    public static let allNames = ["auto", "auto-both"] + EngineName.allCases.map(\.rawValue)

    /// Reads a preference as flags and files have it; `nil` for another word.
    public init?(text: String) {
        if text == "auto" {
            self = .automatic
        } else if text == "auto-both" {
            self = .both
        } else if let name = EngineName(rawValue: text) {
            self = .named(name)
        } else {
            return nil
        }
    }

    /// The word that flags and files have.
    public var text: String {
        switch self {
        case .automatic: "auto"
        case .both: "auto-both"
        case .named(let name): name.rawValue
        }
    }
}

/// How the operator wants models to be run.
public struct EngineSettings: Sendable, Hashable {
    /// Which engine runs a model, where nothing is said of the model itself.
    public var preference: EnginePreference
    /// How exactly, where nothing is said of the model itself.
    public var precision: EnginePrecision
    /// Which engine runs a model, by the model's name.
    public var preferences: [String: EnginePreference] = [:]
    /// How exactly, by the model's name.
    public var precisions: [String: EnginePrecision] = [:]
    /// Sequences that clients will have a language model generate at once, where nothing is said
    /// of the model itself; see ``LanguageModelTrial``.
    public var concurrency = LanguageModelTrial.usualConcurrency
    /// The same by the model's name.
    public var concurrencies: [String: Int] = [:]

    /// What ``concurrency`` may be.
    public static let concurrencyRange = 1...1_000_000

    /// Creates settings.
    public init(
        preference: EnginePreference = .automatic, precision: EnginePrecision = .exact
    ) {
        self.preference = preference
        self.precision = precision
    }

    /// Which engine runs a model.
    public func preference(of model: String) -> EnginePreference {
        preferences[model] ?? preference
    }

    /// Whether two engines may keep a version of a model, where both are there.
    ///
    /// - Parameters:
    ///   - model: its name.
    ///   - files: the version's; `nil` for one that is no language model.
    /// - Returns: false where one is enough.
    public func mayKeepBoth(of model: String, _ files: LanguageModelFiles?) -> Bool {
        preference(of: model) == .both && files.map(OpenVINOGenAIEngine.mayLoad) ?? false
    }

    /// Sequences that clients will have a language model generate at once.
    public func expectedConcurrency(of model: String) -> Int {
        concurrencies[model] ?? concurrency
    }

    /// Whether TensorFlow may be asked for.
    public var mayNeedTensorFlow: Bool {
        ([preference] + preferences.values).contains {
            [.automatic, .both, .named(.tensorflow)].contains($0)
        }
    }
}
