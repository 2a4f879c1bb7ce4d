/// Is told what batching does, to measure it; called on batch threads and on those that submit, so
/// it must not block.
public protocol BatchObserver: Sendable {
    /// A task of so many rows was taken into a queue.
    func didEnqueue(rows: Int, in queue: BatchQueueLabel)

    /// A task's first rows have left the queue for a thread after such a wait.
    func didDequeue(after wait: Duration, from queue: BatchQueueLabel)

    /// A task was turned away, since its answer would have come too late by a bound: `deadline`,
    /// `target` or `queue`.
    func didRefuse(bound: String, in queue: BatchQueueLabel)

    /// A batch has run in the engine.
    func didRun(_ batch: BatchMeasurement, in queue: BatchQueueLabel)
}

extension BatchObserver {
    /// Does nothing, for observers that do not care.
    public func didRefuse(bound: String, in queue: BatchQueueLabel) {}
}

/// How measurements name a queue.
public struct BatchQueueLabel: Sendable, Hashable {
    /// The queue's own name.
    public let name: String

    /// The pool of threads that runs its batches.
    public let threadPoolName: String

    /// Creates a label.
    public init(name: String, threadPoolName: String) {
        self.name = name
        self.threadPoolName = threadPoolName
    }
}

/// One run of the engine.
public struct BatchMeasurement: Sendable, Hashable {
    /// Tasks in it, wholly or in part.
    public let tasks: Int

    /// Rows of these tasks.
    public let rows: Int

    /// Rows that were added to reach an allowed batch size.
    public let paddingRows: Int

    /// Whether the engine answered.
    public let succeeded: Bool

    /// Rows the engine saw.
    public var executedRows: Int { rows + paddingRows }

    /// Creates a measurement.
    public init(tasks: Int, rows: Int, paddingRows: Int, succeeded: Bool) {
        self.tasks = tasks
        self.rows = rows
        self.paddingRows = paddingRows
        self.succeeded = succeeded
    }
}
