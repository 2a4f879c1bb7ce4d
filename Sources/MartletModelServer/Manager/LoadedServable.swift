import MartletEngines
import MartletProtocols
import MartletTensors
import Synchronization

/// A servable with a count of the requests that use it, so that it is unloaded when the last one
/// is done and not before.
final class LoadedServable: Sendable {
    private enum Use {
        /// Answers requests; so many are under way.
        case serving(requests: Int)
        /// Takes no more; the callback runs when the last is done.
        case retiring(requests: Int, whenIdle: @Sendable () -> Void)
        /// Nobody uses it any more.
        case retired
    }

    let servable: any Servable
    /// Which engine runs it, and why.
    let choice: EngineChoice
    /// Where requests wait to be run together, by signature; empty without batching.
    let batchQueues: [String: BatchQueue]
    /// The signatures as the model's file defines them, for the metadata APIs.
    let signatureDefs: [String: Tensorflow_SignatureDef]
    /// Values of inputs that requests may leave out, by signature; those without any are not here.
    let inputDefaults: [String: [String: Tensorflow_TensorProto]]
    /// How often and how fast it ran.
    let statistics = ServableStatistics()
    /// The tags of the graph that was loaded.
    let tags: [String]

    /// The name of the engine that runs it.
    var engine: String { choice.engine }

    private let use = Mutex(Use.serving(requests: 0))

    init(
        servable: any Servable, choice: EngineChoice,
        signatureDefs: [String: Tensorflow_SignatureDef],
        tags: [String] = [], batchQueues: [String: BatchQueue] = [:]
    ) {
        self.batchQueues = batchQueues
        self.servable = servable
        self.choice = choice
        self.signatureDefs = signatureDefs
        inputDefaults = servable.signatures.compactMapValues { signature in
            let defaults = signatureDefs[signature.name]?.defaults.filter { name, _ in
                signature.inputs.contains { $0.name == name }
            }
            return defaults?.isEmpty == false ? defaults : nil
        }
        self.tags = tags
    }

    /// Counts a request in; `false` once the servable is retiring.
    func begin() -> Bool {
        use.withLock { use in
            guard case .serving(let requests) = use else { return false }
            use = .serving(requests: requests + 1)
            return true
        }
    }

    /// Counts a request out.
    func end() {
        let whenIdle = use.withLock { use -> (@Sendable () -> Void)? in
            switch use {
            case .serving(let requests):
                use = .serving(requests: requests - 1)
                return nil
            case .retiring(let requests, let whenIdle):
                guard requests == 1 else {
                    use = .retiring(requests: requests - 1, whenIdle: whenIdle)
                    return nil
                }
                use = .retired
                return whenIdle
            case .retired:
                return nil
            }
        }
        whenIdle?()
    }

    /// Takes no more requests and calls `whenIdle` once, when the last one is done.
    func retire(whenIdle: @escaping @Sendable () -> Void) {
        let isIdle = use.withLock { use in
            guard case .serving(let requests) = use else { return false }
            use = requests == 0 ? .retired : .retiring(requests: requests, whenIdle: whenIdle)
            return requests == 0
        }
        if isIdle { whenIdle() }
    }
}
