/// The tasks that wait in one queue, which forms its batches by fixed parameters or adaptively.
final class WaitingTasks<Payload: Sendable> {
    // One of the two is there.
    private var fixed: TaskQueue<Payload>?
    private let adaptive: AdaptiveQueue<Payload>?

    init(limits: QueueLimits) {
        adaptive = limits.adaptive.map { AdaptiveQueue($0, limits: limits) }
        fixed = limits.adaptive == nil ? TaskQueue(limits: limits) : nil
    }

    /// Whether nothing waits.
    var isEmpty: Bool { tasks == 0 }

    /// Tasks that wait.
    var tasks: Int { adaptive?.tasks ?? fixed?.tasks ?? 0 }

    /// Rows of the tasks that wait.
    var rows: Int { adaptive?.rows ?? fixed?.rows ?? 0 }

    /// When the next batch may run; `nil` when nothing waits.
    var readyAt: ContinuousClock.Instant? {
        adaptive?.readyAt ?? fixed?.readyAt
    }

    /// Batches of the queue that threads are running.
    private(set) var running = 0

    /// Whether it takes no more tasks.
    var isClosed = false {
        didSet {
            adaptive?.isClosed = isClosed
            fixed?.isClosed = isClosed
        }
    }

    /// What an adaptive queue has learned.
    var knowledge: BatchKnowledge? {
        guard let adaptive else { return nil }
        return BatchKnowledge(
            target: adaptive.settings.target, rows: adaptive.batchRows, curve: adaptive.curve)
    }

    /// Adds a task.
    ///
    /// - Throws: `ServingError` or `BatchRefusal` when it is not taken.
    func append(
        _ payload: Payload, number: UInt64, size: Int, terms: TaskTerms, pool: PoolOutlook,
        now: ContinuousClock.Instant
    ) throws {
        try adaptive?.append(
            payload, number: number, size: size, terms: terms, pool: pool, now: now)
        try fixed?.append(payload, number: number, size: size, now: now)
    }

    /// Takes out a task that waits; `nil` when it does not.
    func remove(number: UInt64) -> Payload? {
        if fixed != nil { return fixed?.remove(number: number) }
        return adaptive?.remove(number: number)
    }

    /// Whether a task waits, wholly or in part.
    func contains(number: UInt64) -> Bool {
        adaptive?.contains(number: number) ?? fixed?.contains(number: number) ?? false
    }

    /// Takes out the next batch, which counts as running until ``didRun(_:_:)``.
    func takeBatch(
        concurrency: Int, now: ContinuousClock.Instant
    ) -> [BatchSlice<Payload>] {
        running += 1
        if fixed != nil { return fixed?.takeBatch() ?? [] }
        return adaptive?.takeBatch(concurrency: concurrency, now: now) ?? []
    }

    /// How long a batch is expected to run; zero where nothing is known.
    func expectedTime(rows: Int) -> Duration {
        .seconds(adaptive?.curve.mean(rows: rows) ?? 0)
    }

    /// Learns from a batch that has run, if there is something to learn.
    func didRun(_ slices: [BatchSlice<Payload>], _ outcome: BatchOutcome?) {
        running -= 1
        if let outcome { adaptive?.didRun(slices, outcome) }
    }

    /// Whether it takes no more tasks, and has none that wait or run.
    var isDone: Bool { isClosed && isEmpty && running == 0 }
}

/// What an adaptive queue has learned, for those who watch it.
struct BatchKnowledge: Sendable {
    /// The latency it aims at.
    let target: Duration
    /// Most rows of its batches at present.
    let rows: Int
    /// Run times by rows.
    let curve: LatencyCurve
}
