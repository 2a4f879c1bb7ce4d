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
}

/// The engines of a node, each opened when the first model needs it.
public final class EngineRegistry: Sendable {
    /// Opens an engine; called until it succeeds once.
    public typealias Opener = @Sendable () throws -> any Engine

    private struct State {
        var openers: [ModelFormat: Opener]
        var engines: [ModelFormat: any Engine] = [:]
    }

    private let state: Mutex<State>

    /// Creates a registry.
    ///
    /// - Parameter openers: for each format, what opens the engine that loads it.
    public init(_ openers: [ModelFormat: Opener]) {
        state = Mutex(State(openers: openers))
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
