/// What has been learned of the batches of a queue, or of one shape of rows, and the size chosen.
struct LearnedSize: Sendable {
    /// Runs after which the size is chosen anew.
    private static let period = 8
    /// Batches after which one is as large as fits, to see whether that pays by now.
    private static let explorationPeriod = 128

    private(set) var curve = LatencyCurve()
    private(set) var sizer = BatchSizer.unknown
    private var runsAtChoice = 0
    private var batches = 0

    /// Learns from a run.
    mutating func observe(rows: Int, seconds: Double) {
        curve.observe(rows: rows, seconds: seconds)
    }

    /// Whether enough has been learned since the size was chosen to choose it anew.
    var needsChoice: Bool {
        let isYoung = curve.runs < 8 * LearnedSize.period && curve.runs > runsAtChoice
        return isYoung || curve.runs >= runsAtChoice + LearnedSize.period
    }

    /// Takes the size that was chosen by the curve.
    mutating func choose(_ sizer: BatchSizer) {
        runsAtChoice = curve.runs
        self.sizer = sizer
    }

    /// Most rows of the next batch.
    ///
    /// - Parameters:
    ///   - waiting: rows that wait.
    ///   - slack: seconds until the first task is due.
    /// - Returns: the number, at least 1.
    mutating func nextRows(waiting: Int, slack: Double) -> Int {
        guard waiting > 1 else { return 1 }
        let isBacklog = waiting >= 2 * sizer.rows
        batches += 1
        if isBacklog {
            let explores = batches.isMultiple(of: LearnedSize.explorationPeriod)
            return explores ? sizer.fittingRows : sizer.rows
        }
        // A task in a hurry goes in a smaller batch if that is what it takes, and enough.
        let most = min(sizer.rows, waiting)
        let least = min(sizer.hurriedRows, most)
        guard let run = curve.mean(rows: most), run > slack,
            let shortest = curve.mean(rows: least), shortest <= slack
        else { return sizer.rows }
        return BatchSizer.last(in: least...most) { (curve.mean(rows: $0) ?? 0) <= slack }
    }
}

/// The tasks of a queue whose rows have one shape.
struct ShapeGroup: Sendable {
    /// What the runs of this shape taught; `nil` while the queue has only this shape.
    var own: LearnedSize?
    /// Rows of the tasks that wait.
    var rows = 0
    /// Tasks that wait.
    private(set) var tasks = 0
    /// Batches that run.
    var running = 0

    private var lines = TaskPriority.allCases.map { _ in FairLine() }

    init(own: LearnedSize?) { self.own = own }

    /// Adds a task.
    mutating func add(_ place: TaskPlace, _ standing: TaskStanding, rows count: Int) {
        lines[standing.priority.rank].add(place, tenant: standing.tenant)
        tasks += 1
        rows += count
    }

    /// Notes that a task left without being run.
    mutating func didRemove(_ standing: TaskStanding, rows count: Int) {
        lines[standing.priority.rank].didRemove(tenant: standing.tenant)
        tasks -= 1
        rows -= count
    }

    /// The rank and the place of the task that is next.
    mutating func first(isWaiting: (UInt64) -> Bool) -> (rank: Int, place: TaskPlace)? {
        for rank in lines.indices where lines[rank].tasks > 0 {
            if let place = lines[rank].first(isWaiting: isWaiting) { return (rank, place) }
        }
        return nil
    }

    /// Takes rows of the first task.
    mutating func serve(rank: Int, rows count: Int, isLast: Bool) {
        lines[rank].serve(rows: count, isLast: isLast)
        rows -= count
        if isLast { tasks -= 1 }
    }

    /// How many of a tenant's tasks are due before an instant, from 0 to 1.
    func shareBefore(_ due: ContinuousClock.Instant, _ standing: TaskStanding) -> Double {
        lines[standing.priority.rank].shareBefore(due, tenant: standing.tenant)
    }
}
