import MartletCore
public import MartletTensors
import Synchronization

/// Runs the requests of all models in batches, on threads that the queues share.
///
/// Queues whose parameters name the same pool of threads share it fairly: each is served one batch
/// in turn. End it with ``shutDown()``; until then the threads live.
public final class BatchScheduler: Sendable {
    /// Runs a batch in the engine, on a batch thread: `Servable.run` of one signature.
    public typealias Run =
        @Sendable (_ inputs: [NamedTensor], _ outputs: [TensorSpec]) throws -> [NamedTensor]

    private struct State {
        var pools: [String: BatchPool] = [:]
        var isShutDown = false
    }

    private let state = Mutex(State())
    private let observer: (any BatchObserver)?

    /// Creates a scheduler, without threads as long as it has no queues.
    ///
    /// - Parameter observer: is told what it does.
    public init(observer: (any BatchObserver)? = nil) { self.observer = observer }

    /// Makes a queue for one signature of a servable.
    ///
    /// - Parameters:
    ///   - name: what measurements call it.
    ///   - parameters: how it forms batches, and in which pool of threads they run.
    ///   - run: runs a batch: inputs in the order of the tasks' own, and all outputs that some task
    ///     wants. An error that is the input's fault (`INVALID_ARGUMENT` and the like) has the
    ///     tasks tried again in smaller groups, so it is called again for some of them.
    /// - Returns: the queue, which stays open while it is referenced.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` when the parameters are not valid,
    ///   `UNAVAILABLE` once ``shutDown()`` was called.
    public func makeQueue(
        name: String, parameters: BatchingParameters, run: @escaping Run
    ) throws -> BatchQueue {
        try parameters.validate()
        let label = BatchQueueLabel(name: name, threadPoolName: parameters.threadPoolName)
        let pool = try pool(named: parameters.threadPoolName)
        let batchRun = BatchRun(engine: run, parameters: parameters) { [observer] measurement in
            observer?.didRun(measurement, in: label)
        }
        let id = try pool.open(parameters, label: label, run: batchRun) { [observer] wait in
            observer?.didDequeue(after: wait, from: label)
        }
        return BatchQueue(
            label: label, parameters: parameters, pool: pool, id: id, observer: observer)
    }

    /// What the adaptive queues have learned.
    var knowledge: [(label: BatchQueueLabel, knowledge: BatchKnowledge)] {
        pools.flatMap(\.knowledge)
    }

    /// Tasks that wait, over all queues.
    public var queuedTasks: Int { pools.reduce(0) { $0 + $1.waiting } }

    /// Batches that may run at once, over all pools.
    public var threads: Int { pools.reduce(0) { $0 + $1.capacity } }

    /// Time spent in the engine, summed over all threads, in nanoseconds.
    public var busyNanoseconds: UInt64 { pools.reduce(0) { $0 &+ $1.busyNanoseconds } }

    /// Takes no more tasks, runs those queued and ends the threads.
    ///
    /// Blocks until they ended, so never call it from a task's completion.
    public func shutDown() {
        state.withLock { $0.isShutDown = true }
        for pool in pools { pool.shutDown() }
    }

    private var pools: [BatchPool] { state.withLock { Array($0.pools.values) } }

    private func pool(named name: String) throws -> BatchPool {
        try state.withLock { state in
            guard !state.isShutDown else {
                throw ServingError(.unavailable, "The server is shutting down")
            }
            if let pool = state.pools[name] { return pool }
            let pool = BatchPool(name: name)
            state.pools[name] = pool
            return pool
        }
    }
}
