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

    private struct State {
        var openers: [ModelFormat: Opener]
        var engines: [ModelFormat: any Engine] = [:]
        var namedOpeners: [EngineName: Opener]
        var namedEngines: [EngineName: any Engine] = [:]
    }

    private let state: Mutex<State>

    /// Creates a registry.
    ///
    /// - Parameters:
    ///   - openers: for each format, what opens the engine that loads it, and whose answers are
    ///     those that others are held to.
    ///   - named: what opens other engines that load these formats too.
    public init(_ openers: [ModelFormat: Opener], named: [EngineName: Opener] = [:]) {
        state = Mutex(State(openers: openers, namedOpeners: named))
    }

    /// Whether the node may have an engine of this name beside those of the formats.
    public func has(_ name: EngineName) -> Bool {
        state.withLock { $0.namedOpeners[name] != nil }
    }

    /// The engine of a name; opens it if it is not open.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install it.
    public func engine(named name: EngineName) throws -> any Engine {
        try state.withLock { state in
            if let engine = state.namedEngines[name] { return engine }
            guard let opener = state.namedOpeners[name] else {
                throw ServingError(.unavailable, "This node has no engine \(name.rawValue)")
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
