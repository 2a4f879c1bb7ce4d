/// The tasks that wait in one queue, which forms its batches by fixed parameters or adaptively.
struct WaitingTasks<Payload: Sendable>: Sendable {
    // One of the two is there. Not an enumeration: its cases could not be changed in place.
    private var fixed: TaskQueue<Payload>?
    private var adaptive: AdaptiveQueue<Payload>?

    init(limits: QueueLimits) {
        if let settings = limits.adaptive {
            adaptive = AdaptiveQueue(settings, limits: limits)
        } else {
            fixed = TaskQueue(limits: limits)
        }
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
    var running: Int {
        get { adaptive?.running ?? fixed?.running ?? 0 }
        set {
            adaptive?.running = newValue
            fixed?.running = newValue
        }
    }

    /// Whether it takes no more tasks.
    var isClosed: Bool {
        get { adaptive?.isClosed ?? fixed?.isClosed ?? true }
        set {
            adaptive?.isClosed = newValue
            fixed?.isClosed = newValue
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
    mutating func append(
        _ payload: Payload, number: UInt64, size: Int, terms: TaskTerms, pool: PoolOutlook,
        now: ContinuousClock.Instant
    ) throws {
        try adaptive?.append(
            payload, number: number, size: size, terms: terms, pool: pool, now: now)
        try fixed?.append(payload, number: number, size: size, now: now)
    }

    /// Takes out a task that waits; `nil` when it does not.
    mutating func remove(number: UInt64) -> Payload? {
        if fixed != nil { return fixed?.remove(number: number) }
        return adaptive?.remove(number: number)
    }

    /// Whether a task waits, wholly or in part.
    func contains(number: UInt64) -> Bool {
        adaptive?.contains(number: number) ?? fixed?.contains(number: number) ?? false
    }

    /// Takes out the next batch.
    mutating func takeBatch(
        concurrency: Int, now: ContinuousClock.Instant
    ) -> [BatchSlice<Payload>] {
        if fixed != nil { return fixed?.takeBatch() ?? [] }
        return adaptive?.takeBatch(concurrency: concurrency, now: now) ?? []
    }

    /// How long a batch is expected to run; zero where nothing is known.
    func expectedTime(rows: Int) -> Duration {
        .seconds(adaptive?.curve.mean(rows: rows) ?? 0)
    }

    /// Learns from a batch that has run.
    mutating func didRun(_ slices: [BatchSlice<Payload>], _ outcome: BatchOutcome) {
        adaptive?.didRun(slices, outcome)
    }
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
