import MartletCore
internal import Synchronization

/// What a version's folder holds.
public enum ModelFormat: String, Sendable, Hashable, CaseIterable {
    /// A TensorFlow SavedModel.
    case savedModel = "saved_model"
    /// A TensorFlow Lite model.
    case tfLite = "tflite"
    /// An ONNX model.
    case onnx = "onnx"
    /// A language model, as llama.cpp keeps it.
    case gguf = "gguf"
}

/// The engines of a node, each opened when the first model needs it.
public final class EngineRegistry: Sendable {
    /// Opens an engine; called until it succeeds once.
    public typealias Opener = @Sendable () throws -> any Engine

    /// An engine of language models may be another than that of the same name which loads graphs of
    /// tensors.
    private struct Name: Hashable {
        let engine: EngineName
        let isOfLanguageModels: Bool

        init(_ engine: EngineName, for format: ModelFormat) {
            self.engine = engine
            isOfLanguageModels = format == .gguf
        }
    }

    private struct State {
        var openers: [ModelFormat: Opener]
        var engines: [ModelFormat: any Engine] = [:]
        var namedOpeners: [Name: Opener] = [:]
        var namedEngines: [Name: any Engine] = [:]
    }

    private let state: Mutex<State>

    /// Creates a registry.
    ///
    /// - Parameters:
    ///   - openers: for each format, what opens the engine that loads it, and whose answers are
    ///     those that others are held to.
    ///   - named: what opens other engines that load these formats too.
    ///   - language: what opens other engines of language models.
    public init(
        _ openers: [ModelFormat: Opener], named: [EngineName: Opener] = [:],
        language: [EngineName: Opener] = [:]
    ) {
        var state = State(openers: openers)
        for (name, opener) in named { state.namedOpeners[Name(name, for: .savedModel)] = opener }
        for (name, opener) in language { state.namedOpeners[Name(name, for: .gguf)] = opener }
        self.state = Mutex(state)
    }

    /// Whether the node may have an engine of this name beside those of the formats.
    public func has(_ name: EngineName, for format: ModelFormat) -> Bool {
        state.withLock { $0.namedOpeners[Name(name, for: format)] != nil }
    }

    /// The engine of a name that loads a format; opens it if it is not open.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install it.
    public func engine(named engine: EngineName, for format: ModelFormat) throws -> any Engine {
        let name = Name(engine, for: format)
        return try state.withLock { state in
            if let engine = state.namedEngines[name] { return engine }
            guard let opener = state.namedOpeners[name] else {
                throw ServingError(.unavailable, "This node has no engine \(engine.rawValue)")
            }
            let engine = try opener()
            state.namedEngines[name] = engine
            return engine
        }
    }

    /// The engine that loads models of a format; opens it if it is not open.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install it.
    public func engine(for format: ModelFormat) throws -> any Engine {
        try state.withLock { state in
            if let engine = state.engines[format] { return engine }
            guard let opener = state.openers[format] else {
                throw ServingError(
                    .unavailable, "This node has no engine for models of format \(format.rawValue)")
            }
            let engine = try opener()
            state.engines[format] = engine
            return engine
        }
    }
}
