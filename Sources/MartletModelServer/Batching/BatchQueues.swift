import MartletCore

/// Which queue: one for each signature of a servable.
struct QueueID: Hashable, Sendable {
    let number: Int
}

/// Which task.
struct TaskID: Hashable, Sendable {
    let queue: QueueID
    let number: UInt64
}

/// Decides which tasks run together, when, and on whose turn: several queues served by one pool.
///
/// A queue's batch may run once it is full, or once its oldest task has waited for the timeout; an
/// adaptive queue says when. Of the queues whose batch may run, the one is served that was served
/// the longest ago, so none waits for more batches than there are other queues with tasks. Tasks of
/// a queue are served in order of arrival, those of an adaptive queue in its own order. Those that
/// expire or are cancelled while they wait leave without being run.
///
/// While batches take next to no time, what comes during one is left to the thread that runs it.
///
/// It has no threads, no clock and no tensors: events come in with the time they happen at.
struct BatchQueues<Payload: Sendable> {
    /// Tasks to run together.
    struct Batch: Sendable {
        let queue: QueueID
        let slices: [BatchSlice<Payload>]
        /// Its number, in order of their beginning.
        let number: UInt64

        /// The rows of all slices.
        var rows: Int { slices.reduce(0) { $0 + $1.rows.count } }
    }

    /// What a thread that asks for work gets.
    enum Work: Sendable {
        /// Run these, then call ``BatchQueues/didRun(_:)``.
        case run(Batch)
        /// Nothing is to be done before this instant, or before another event when it is `nil`.
        case wait(until: ContinuousClock.Instant?)
    }

    /// A batch that a thread is running.
    private struct Run {
        let number: UInt64
        let start: ContinuousClock.Instant
        /// When it is expected to end; its beginning where nothing is known.
        let end: ContinuousClock.Instant
    }

    private var queues: [QueueID: WaitingTasks<Payload>] = [:]
    /// Queues with tasks; the one that was served the longest ago comes first.
    private var turns: [QueueID] = []
    private var deadlines = TaskDeadlines()
    private var nextQueue = 0
    private var nextTask: UInt64 = 0
    private var nextBatch: UInt64 = 0
    private var runs: [Run] = []
    private var pace = RunPace()

    /// Batches that may run at once.
    var capacity: Int
    /// Batches that are running.
    var running: Int { runs.count }
    /// Tasks that wait, over all queues.
    private(set) var waiting = 0

    init(capacity: Int) { self.capacity = capacity }

    // MARK: Queues

    /// Opens a queue.
    mutating func open(_ limits: QueueLimits) -> QueueID {
        let id = QueueID(number: nextQueue)
        nextQueue += 1
        queues[id] = WaitingTasks(limits: limits)
        return id
    }

    /// Lets a queue take no more tasks; those it has run without waiting for more.
    ///
    /// - Returns: whether the queue is done and gone, because it had none.
    mutating func close(_ id: QueueID) -> Bool {
        queues[id]?.isClosed = true
        return forgetIfDone(id)
    }

    /// Tasks and rows that wait in a queue.
    func length(of id: QueueID) -> (tasks: Int, rows: Int) {
        (queues[id]?.tasks ?? 0, queues[id]?.rows ?? 0)
    }

    /// What an adaptive queue has learned; `nil` for another.
    func knowledge(of id: QueueID) -> BatchKnowledge? { queues[id]?.knowledge }

    // MARK: Tasks

    /// Puts a task into a queue.
    ///
    /// Call ``removeExpired(now:)`` before, or tasks that nobody waits for take up room.
    ///
    /// - Parameters:
    ///   - payload: the task.
    ///   - id: the queue.
    ///   - size: its rows.
    ///   - deadline: when its client stops waiting.
    ///   - terms: what else an adaptive queue goes by.
    ///   - now: the time.
    /// - Returns: the task, and the instant at which a thread must ask for work on its account;
    ///   `nil` when those that are running will.
    /// - Throws: `ServingError`: `UNAVAILABLE` when the queue is closed or full,
    ///   `DEADLINE_EXCEEDED`, or `INVALID_ARGUMENT` when the task is too large; `BatchRefusal` when
    ///   its answer would come too late.
    mutating func submit(
        _ payload: Payload, to id: QueueID, size: Int, deadline: Deadline,
        terms: TaskTerms = TaskTerms(), now: ContinuousClock.Instant
    ) throws -> (task: TaskID, attention: ContinuousClock.Instant?) {
        guard let queue = queues[id], !queue.isClosed else { throw BatchingErrors.closed }
        guard !deadline.hasPassed(now: now) else { throw BatchingErrors.expired }
        let wasEmpty = queue.isEmpty
        let task = TaskID(queue: id, number: nextTask)
        var terms = terms
        terms.deadline = deadline
        try queue.append(
            payload, number: task.number, size: size, terms: terms, pool: outlook(now: now),
            now: now)
        nextTask += 1
        waiting += 1
        if wasEmpty { turns.append(id) }
        deadlines.add(task, deadline: deadline)
        let needsThread = running < capacity && !isThreadBackSoon(now: now)
        let ready = needsThread ? queue.readyAt : nil
        return (task, Self.earlier(ready, deadline.instant))
    }

    /// Takes a task out that waits, wholly or in part.
    ///
    /// - Returns: its payload, or `nil` when it no longer waited, and whether its queue is done and
    ///   gone.
    mutating func cancel(_ task: TaskID) -> (payload: Payload?, queueIsDone: Bool) {
        guard let payload = queues[task.queue]?.remove(number: task.number) else {
            return (nil, false)
        }
        didLeave(task.queue)
        clearDeadlines()
        return (payload, forgetIfDone(task.queue))
    }

    /// Takes the tasks out whose deadline has passed.
    ///
    /// - Returns: their payloads, and the queues that are done and gone.
    mutating func removeExpired(
        now: ContinuousClock.Instant
    ) -> (payloads: [Payload], doneQueues: [QueueID]) {
        var payloads: [Payload] = []
        var done: [QueueID] = []
        while let task = deadlines.popPassed(now: now) {
            guard let payload = queues[task.queue]?.remove(number: task.number) else { continue }
            payloads.append(payload)
            didLeave(task.queue)
            if forgetIfDone(task.queue) { done.append(task.queue) }
        }
        return (payloads, done)
    }

    // MARK: Threads

    /// Answers a thread that asks for work.
    ///
    /// Call ``removeExpired(now:)`` with the same instant before.
    mutating func next(now: ContinuousClock.Instant) -> Work {
        var earliest: ContinuousClock.Instant?
        if running < capacity {
            for (index, id) in turns.enumerated() {
                guard let ready = queues[id]?.readyAt else { continue }
                if ready <= now { return .run(take(id, at: index, now: now)) }
                earliest = min(earliest ?? ready, ready)
            }
        }
        let queues = queues
        let deadline = deadlines.earliest { queues[$0.queue]?.contains(number: $0.number) ?? false }
        return .wait(until: Self.earlier(earliest, deadline))
    }

    /// Notes that a batch has run.
    ///
    /// - Parameters:
    ///   - batch: the batch.
    ///   - outcome: how it went, for an adaptive queue to learn from.
    /// - Returns: whether its queue is done and gone.
    mutating func didRun(_ batch: Batch, _ outcome: BatchOutcome? = nil) -> Bool {
        runs.removeAll { $0.number == batch.number }
        if let outcome { pace.didRun(seconds: outcome.time.seconds) }
        queues[batch.queue]?.didRun(batch.slices, outcome)
        return forgetIfDone(batch.queue)
    }

    // MARK: -

    private mutating func take(
        _ id: QueueID, at index: Int, now: ContinuousClock.Instant
    ) -> Batch {
        turns.remove(at: index)
        let queue = queues[id]
        let before = queue?.tasks ?? 0
        let slices = queue?.takeBatch(concurrency: capacity, now: now) ?? []
        let batch = Batch(queue: id, slices: slices, number: nextBatch)
        nextBatch += 1
        let after = queue?.tasks ?? 0
        waiting -= before - after
        let time = queue?.expectedTime(rows: batch.rows) ?? .zero
        runs.append(Run(number: batch.number, start: now, end: now + time))
        if after > 0 { turns.append(id) }
        clearDeadlines()
        return batch
    }

    /// Whether a thread that runs a batch will ask for work about as soon as another could.
    private func isThreadBackSoon(now: ContinuousClock.Instant) -> Bool {
        guard pace.isShort, let last = runs.last else { return false }
        return (now - last.start).seconds < RunPace.short
    }

    private func outlook(now: ContinuousClock.Instant) -> PoolOutlook {
        let isBusy = running >= capacity
        let freeAt = isBusy ? runs.lazy.map(\.end).min() ?? now : now
        return PoolOutlook(freeAt: freeAt, concurrency: max(1, capacity))
    }

    /// A task of the queue has left without being run.
    private mutating func didLeave(_ id: QueueID) {
        waiting -= 1
        if queues[id]?.isEmpty == true { turns.removeAll { $0 == id } }
    }

    private mutating func forgetIfDone(_ id: QueueID) -> Bool {
        guard queues[id]?.isDone == true else { return false }
        queues[id] = nil
        return true
    }

    private mutating func clearDeadlines() {
        let queues = queues
        deadlines.clear(waiting: waiting) {
            queues[$0.queue]?.contains(number: $0.number) ?? false
        }
    }

    /// The first of two instants, as far as there are any.
    private static func earlier(
        _ left: ContinuousClock.Instant?, _ right: ContinuousClock.Instant?
    ) -> ContinuousClock.Instant? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }
}

/// What tasks end with that never reach the engine.
enum BatchingErrors {
    static let closed = ServingError(
        .unavailable, "The batch scheduling queue of this model version is closed")
    static let expired = ServingError(
        .deadlineExceeded, "Run() timeout exceeded while waiting in batching queue")
    static let cancelled = ServingError(
        .cancelled, "The request was cancelled while waiting in batching queue")
}
