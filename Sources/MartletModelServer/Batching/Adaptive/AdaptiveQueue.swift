import MartletCore

/// The tasks of one queue that learns how long its model takes, and forms batches by that so as to
/// answer within a target latency.
///
/// When a thread is free it takes what waits, up to the size that the target allows and that pays;
/// ``FillingWait`` says when it waits for more. Those of the highest priority go first, tenants
/// take turns, and of a tenant's tasks that which is due first. A task whose answer would come too
/// late is refused when it comes, unless nothing is in its way.
///
/// It knows no threads and no other queues. It is a class because it is large: a structure would be
/// copied each time its owner looks at it.
final class AdaptiveQueue<Payload: Sendable> {
    /// A task that waits, or the rest of one.
    struct Entry: Sendable {
        let payload: Payload
        let size: Int
        let terms: TaskTerms
        let place: TaskPlace
        /// When it should be answered; `nil` where it is no fault to answer it later.
        let target: ContinuousClock.Instant?
        /// Rows that have gone to earlier batches.
        var taken = 0

        var remaining: Int { size - taken }
    }

    /// Shapes that are remembered while no task has them.
    static var idleShapesMaximum: Int { 64 }

    private let limits: QueueLimits
    let settings: AdaptiveSettings
    private var entries: [UInt64: Entry] = [:]
    private var groups: [Int: ShapeGroup] = [:]
    private var waiting = WaitingRows()
    private var pace = DrainPace()
    private var budget: LatencyBudget
    private var all = LearnedSize()
    private var lastRun: ContinuousClock.Instant?
    private var filling: FillingWait

    /// Rows of the tasks that wait.
    private(set) var rows = 0
    /// Whether it takes no more tasks.
    var isClosed = false

    init(_ settings: AdaptiveSettings, limits: QueueLimits) {
        self.settings = settings
        self.limits = limits
        budget = LatencyBudget(target: settings.target)
        filling = FillingWait(target: settings.target)
    }

    /// Tasks that wait.
    var tasks: Int { entries.count }

    /// Whether nothing waits.
    var isEmpty: Bool { entries.isEmpty }

    /// When the next batch may run; `nil` when nothing waits.
    var readyAt: ContinuousClock.Instant? {
        if isEmpty { return nil }
        return isClosed ? filling.lastArrival : filling.ready
    }

    /// What has been learned, over all shapes.
    var curve: LatencyCurve { all.curve }

    /// Most rows of a batch at present.
    var batchRows: Int { all.sizer.rows }

    // MARK: Tasks

    /// Adds a task.
    ///
    /// - Throws: `ServingError` when it is too large, `BatchRefusal` when its answer would come too
    ///   late.
    func append(
        _ payload: Payload, number: UInt64, size: Int, terms: TaskTerms, pool: PoolOutlook,
        now: ContinuousClock.Instant
    ) throws {
        try limits.check(size: size)
        guard entries.count < settings.tasksMaximum else {
            throw BatchRefusal(
                .queue,
                "The batch queue is full: \(entries.count) requests wait. Try again later or add "
                    + "nodes")
        }
        let target = (terms.received ?? now).advanced(by: settings.target)
        let due = min(terms.deadline.instant ?? target, target)
        let outlook = outlook(size: size, due: due, terms: terms, pool: pool, now: now)
        if let outlook { try admit(outlook, terms: terms, now: now) }
        filling.didArrive(
            rows: rows + size, isFirst: isEmpty, due: due, curve: all.curve, now: now)
        let isFeasible = outlook.map { $0.ownRun * 2 < settings.target.seconds } ?? false
        insert(
            Entry(
                payload: payload, size: size, terms: terms,
                place: TaskPlace(due: due, number: number),
                target: isFeasible && terms.standing.priority != .low ? target : nil))
    }

    /// Takes out a task that waits; `nil` when it does not.
    func remove(number: UInt64) -> Payload? {
        guard let entry = entries.removeValue(forKey: number) else { return nil }
        rows -= entry.remaining
        waiting.add(-entry.remaining, entry.terms.standing)
        groups[entry.terms.shape]?.didRemove(entry.terms.standing, rows: entry.remaining)
        forgetIfIdle(entry.terms.shape)
        return entry.payload
    }

    /// Whether a task waits, wholly or in part.
    func contains(number: UInt64) -> Bool { entries[number] != nil }

    // MARK: Batches

    /// Takes out the next batch.
    ///
    /// - Parameters:
    ///   - concurrency: batches that run at once in the pool.
    ///   - now: the time.
    /// - Returns: the tasks that run together, or those rows of them that do.
    func takeBatch(
        concurrency: Int, now: ContinuousClock.Instant
    ) -> [BatchSlice<Payload>] {
        guard let shape = nextShape(), var group = groups.removeValue(forKey: shape) else {
            return []
        }
        let room = nextRows(&group, concurrency: concurrency, now: now)
        let slices = fill(from: &group, room: room, now: now)
        group.running += 1
        groups[shape] = group
        return slices
    }

    /// Learns from a batch that has run.
    ///
    /// - Parameters:
    ///   - slices: what was in it.
    ///   - outcome: how it went.
    func didRun(
        _ slices: [BatchSlice<Payload>], _ outcome: BatchOutcome
    ) {
        let now = outcome.end
        guard let shape = slices.first?.shape else { return }
        groups[shape]?.running -= 1
        defer { forgetIfIdle(shape) }
        guard let executedRows = outcome.executedRows else { return }
        let seconds = outcome.time.seconds
        all.observe(rows: executedRows, seconds: seconds)
        groups[shape]?.own?.observe(rows: executedRows, seconds: seconds)
        lastRun = now
        var (counted, late) = (0, 0)
        for case let target? in slices.lazy.map(\.target) {
            counted += 1
            if target < now { late += 1 }
        }
        budget.didAnswer(counted, late: late, isPressed: pace.isPressed(now: now))
    }

    // MARK: Admission

    /// When a new task would be answered, as far as can be told; `nil` while too little is known.
    private func outlook(
        size: Int, due: ContinuousClock.Instant, terms: TaskTerms, pool: PoolOutlook,
        now: ContinuousClock.Instant
    ) -> AdmissionOutlook? {
        guard all.curve.runs >= AdmissionOutlook.runsMinimum else { return nil }
        refreshSize(concurrency: pool.concurrency)
        let group = groups[terms.shape]
        let learned = group?.own ?? all
        guard let shortest = all.curve.mean(rows: 1) else { return nil }
        let share = group?.shareBefore(due, terms.standing) ?? 1
        let ahead =
            isEmpty
            ? 0
            : waiting.ahead(of: terms.standing, share: share)
                / pace.share(of: terms.standing.priority)
        let limit = max(1, learned.sizer.rows)
        let isPressed = pace.isPressed(now: now)
        let fill = isPressed ? limit : min(limit, Int(ahead) + size)
        let own = learned.curve.mean(rows: max(size, fill)) ?? 0
        let full = all.curve.mean(rows: max(1, all.sizer.rows)) ?? 0
        let perRow = max(
            full / Double(max(1, all.sizer.rows) * pool.concurrency),
            pace.secondsPerRow(now: now) ?? 0)
        let batches = (ahead / Double(limit)).rounded(.down)
        return AdmissionOutlook(
            wait: max(0, (pool.freeAt - now).seconds) + batches * Double(limit) * perRow,
            run: own, margin: learned.curve.margin, ownRun: learned.curve.mean(rows: size) ?? 0,
            shortestRun: shortest, rowsAhead: Int(ahead), isFree: isEmpty && pool.freeAt <= now)
    }

    private func admit(
        _ outlook: AdmissionOutlook, terms: TaskTerms, now: ContinuousClock.Instant
    ) throws {
        // What has not run for long may be faster than it was.
        if let lastRun, now - lastRun > .seconds(1), outlook.isFree { return }
        if let deadline = terms.deadline.instant {
            try outlook.check(deadline: (deadline - now).seconds)
        }
        let age = terms.received.map { (now - $0).seconds } ?? 0
        try outlook.check(target: settings.target, budget: budget, age: age)
    }

    // MARK: -

    private func insert(_ entry: Entry) {
        let terms = entry.terms
        entries[entry.place.number] = entry
        rows += entry.size
        waiting.add(entry.size, terms.standing)
        if groups[terms.shape] == nil { addGroup(terms.shape) }
        groups[terms.shape]?.add(entry.place, terms.standing, rows: entry.size)
    }

    /// A second shape gives each a curve of its own, which begins as that of all.
    private func addGroup(_ shape: Int) {
        if groups.count == 1 {
            for key in Array(groups.keys) {
                guard groups[key]?.own == nil else { continue }
                groups[key]?.own = all
            }
        }
        groups[shape] = ShapeGroup(own: groups.isEmpty ? nil : all)
    }

    private func forgetIfIdle(_ shape: Int) {
        guard groups.count > Self.idleShapesMaximum, let group = groups[shape],
            group.tasks == 0, group.running == 0
        else { return }
        groups[shape] = nil
    }

    /// The shape whose first task goes first.
    private func nextShape() -> Int? {
        if groups.count == 1 { return groups.keys.first }
        let entries = entries
        var best: (shape: Int, rank: Int, place: TaskPlace)?
        for shape in Array(groups.keys) {
            guard let first = groups[shape]?.first(isWaiting: { entries[$0] != nil }) else {
                continue
            }
            if let best, (best.rank, best.place) <= (first.rank, first.place) { continue }
            best = (shape, first.rank, first.place)
        }
        return best?.shape
    }

    private func refreshSize(concurrency: Int) {
        guard all.needsChoice else { return }
        all.choose(size(for: all.curve, concurrency: concurrency))
    }

    private func size(for curve: LatencyCurve, concurrency: Int) -> BatchSizer {
        BatchSizer(
            curve, seconds: budget.sizingSeconds(shortestRun: curve.mean(rows: 1) ?? 0),
            concurrency: concurrency, rowsMax: limits.batchRows, padded: settings.paddedSize)
    }

    private func first(of group: inout ShapeGroup) -> (rank: Int, place: TaskPlace)? {
        group.first { entries[$0] != nil }
    }

    /// Most rows of the next batch of a shape.
    private func nextRows(
        _ group: inout ShapeGroup, concurrency: Int, now: ContinuousClock.Instant
    ) -> Int {
        refreshSize(concurrency: concurrency)
        let first = first(of: &group)
        let slack = first.map { ($0.place.due - now).seconds } ?? 0
        guard var own = group.own else {
            return all.nextRows(waiting: group.rows, slack: slack)
        }
        group.own = nil
        defer { group.own = own }
        if own.needsChoice { own.choose(size(for: own.curve, concurrency: concurrency)) }
        return own.nextRows(waiting: group.rows, slack: slack)
    }

    private func fill(
        from group: inout ShapeGroup, room: Int, now: ContinuousClock.Instant
    ) -> [BatchSlice<Payload>] {
        var slices: [BatchSlice<Payload>] = []
        slices.reserveCapacity(min(room, group.tasks))
        var counts = [0, 0, 0]
        var left = room
        while left > 0, let (rank, place) = first(of: &group),
            let entry = entries[place.number]
        {
            // One that is larger than a batch should be runs alone.
            let isAlone = slices.isEmpty && !limits.splitsTasks
            guard entry.remaining <= left || limits.splitsTasks || isAlone else { break }
            let count = limits.splitsTasks ? min(entry.remaining, left) : entry.remaining
            let end = entry.taken + count
            slices.append(
                BatchSlice(
                    payload: entry.payload, rows: entry.taken..<end, shape: entry.terms.shape,
                    target: end == entry.size ? entry.target : nil))
            left -= count
            counts[rank] += count
            rows -= count
            waiting.add(-count, entry.terms.standing)
            group.serve(rank: rank, rows: count, isLast: end == entry.size)
            if end == entry.size {
                entries[place.number] = nil
            } else {
                entries[place.number]?.taken = end
            }
        }
        pace.didTake(counts, left: rows, now: now)
        return slices
    }
}
