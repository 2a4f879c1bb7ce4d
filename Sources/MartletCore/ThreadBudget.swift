/// How many threads of each kind a node has: one budget, from the cores that it may use.
///
/// The rule, where the operator does not say otherwise:
///
/// - *cores*: the processors that the process may run on, and no more than its quota rounded up;
/// - *event loops*: one for each core. They sleep unless bytes arrive, and never compute for long;
/// - *engine threads*: one for each core. Each runs one prediction at a time, in one thread;
/// - *batch threads*: with batching one for each core; they run models in place of the engine
///   threads, which then only decode and encode;
/// - *TensorFlow*: no threads of its own, so that a prediction stays in the thread that asks;
/// - *OpenVINO*: as many requests at once as there are threads that ask it, one thread each; a
///   thread that asks sleeps meanwhile;
/// - *loaders*: one, at low priority, so that loading and warming up only take what is left.
///
/// So as many threads compute as there are cores. What the operator names wins.
public struct ThreadBudget: Sendable, Equatable {
    /// What the operator says; `nil` leaves it to the rule.
    public struct Wishes: Sendable, Equatable {
        /// Threads that run predictions.
        public var engine: Int?
        /// Whether requests are put together.
        public var batches = false
        /// Threads that run batches.
        public var batch: Int?
        /// Requests that OpenVINO runs at once.
        public var openvino: Int?
        /// TensorFlow's threads within an operation; 0 for as many as it likes.
        public var tensorflowIntra: Int?
        /// TensorFlow's threads among operations; 0 for as many as it likes.
        public var tensorflowInter: Int?
        /// Versions loaded at once.
        public var load: Int?
        /// Versions unloaded at once.
        public var unload: Int?

        /// Leaves all to the rule.
        public init() {}
    }

    /// A kind of threads.
    public enum Kind: String, Sendable, CaseIterable {
        case eventLoop = "event_loop"
        case engine
        case batch
        case openvino
        case tensorflowIntra = "tensorflow_intra"
        case tensorflowInter = "tensorflow_inter"
        case load
        case unload
        /// Status, administration and logs.
        case control
    }

    /// Threads that can compute at once.
    public let cores: Int

    private var counts: [Kind: Int] = [:]

    /// Shares the cores out.
    public init(cores: Int, wishes: Wishes = Wishes()) {
        let cores = max(1, cores)
        let engine = max(1, wishes.engine ?? cores)
        let batch = wishes.batches ? max(1, wishes.batch ?? cores) : 0
        self.cores = cores
        counts = [
            .eventLoop: cores,
            .engine: engine,
            .batch: batch,
            .openvino: max(1, wishes.openvino ?? (wishes.batches ? batch : engine)),
            .tensorflowIntra: ThreadBudget.own(wishes.tensorflowIntra, cores: cores),
            .tensorflowInter: ThreadBudget.own(wishes.tensorflowInter, cores: cores),
            .load: max(1, wishes.load ?? 1),
            .unload: max(1, wishes.unload ?? 1),
            .control: ThreadBudget.control,
        ]
    }

    /// The budget that a node told of by its metrics.
    ///
    /// - Parameters:
    ///   - cores: threads that can compute at once.
    ///   - counts: threads by the name of their kind; names not known are left out.
    public init(cores: Int, counts: [String: Int]) {
        self.cores = max(1, cores)
        for (name, count) in counts {
            if let kind = Kind(rawValue: name) { self.counts[kind] = max(0, count) }
        }
    }

    /// Threads of a kind.
    public func count(of kind: Kind) -> Int { counts[kind] ?? 0 }

    /// Threads that may compute at the same time under full load.
    ///
    /// Of those that run models only one kind works at a time for each prediction; TensorFlow's
    /// own threads come on top if it has any.
    public var computing: Int {
        let running = max(
            count(of: .batch) > 0 ? count(of: .batch) : count(of: .engine), count(of: .openvino))
        let own = [Kind.tensorflowIntra, .tensorflowInter].map { max(0, count(of: $0) - 1) }
        return ([running] + own).saturatingSum
    }

    /// All kinds with their numbers, such as `event_loop 2, engine 2`, those left out that have
    /// none.
    public var text: String {
        Kind.allCases.filter { count(of: $0) > 0 }.map { "\($0.rawValue) \(count(of: $0))" }
            .joined(separator: ", ")
    }

    /// One each for status, administration, and lines of the log.
    private static let control = 3

    /// TensorFlow's own threads; 1 is the thread that asks.
    private static func own(_ wish: Int?, cores: Int) -> Int {
        guard let wish else { return 1 }
        return wish <= 0 ? cores : wish
    }
}
