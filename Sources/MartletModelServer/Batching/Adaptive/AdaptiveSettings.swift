import MartletCore

/// What an adaptive queue is told.
struct AdaptiveSettings: Sendable, Equatable {
    /// The latency that 99 of 100 answers are to keep.
    let target: Duration
    /// The sizes the model sees batches in, in increasing order; any size when empty.
    var allowedBatchSizes: [Int] = []
    /// Tasks that may wait, whatever the target: the bound before anything has been learned.
    var tasksMaximum = 16_384

    /// The size the model sees a batch of so many rows in.
    func paddedSize(of rows: Int) -> Int { allowedBatchSizes.first { $0 >= rows } ?? rows }
}

/// What an adaptive queue is told of a task.
struct TaskTerms: Sendable {
    /// Its priority and its tenant.
    var standing = TaskStanding()
    /// A number that it has in common with those that it may share a batch with.
    var shape = 0
    /// When the client's request arrived; `nil` where that is the moment it is queued.
    var received: ContinuousClock.Instant?
    /// When its client stops waiting.
    var deadline = Deadline.never
}

/// What the threads of a pool are about, for those who would like one.
struct PoolOutlook: Sendable {
    /// When the next thread is expected to be free; an instant that has passed when one is.
    let freeAt: ContinuousClock.Instant
    /// Batches that run at once.
    let concurrency: Int
}

/// How a batch went, for those who learn from it.
struct BatchOutcome: Sendable {
    /// Rows the engine saw; `nil` when it was not one run that succeeded.
    let executedRows: Int?
    /// From when a thread took it until its tasks had their outputs.
    let time: Duration
    /// When that was.
    let end: ContinuousClock.Instant
}
