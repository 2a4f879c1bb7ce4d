/// The rows that wait in a queue, by priority and tenant: what goes before a new task.
struct WaitingRows: Sendable {
    private struct Line {
        var rows = 0
        var tenants: [String: Int] = [:]
    }

    private var lines = TaskPriority.allCases.map { _ in Line() }

    /// Adds rows, or takes them away where the number is negative.
    mutating func add(_ count: Int, _ standing: TaskStanding) {
        let rank = standing.priority.rank
        lines[rank].rows += count
        let rows = lines[rank].tenants[standing.tenant, default: 0] + count
        lines[rank].tenants[standing.tenant] = rows > 0 ? rows : nil
    }

    /// Rows that get their turn before those of a new task.
    ///
    /// - Parameters:
    ///   - standing: the task's.
    ///   - share: how many of its tenant's tasks are due before it, from 0 to 1.
    /// - Returns: their number.
    func ahead(of standing: TaskStanding, share: Double) -> Double {
        let rank = standing.priority.rank
        let before = lines.prefix(rank).reduce(0) { $0 + $1.rows }
        let line = lines[rank]
        // Each other tenant gets as many rows meanwhile, if it has them.
        let own = Double(line.tenants[standing.tenant] ?? 0) * share
        let others = line.tenants.count - (line.tenants[standing.tenant] == nil ? 0 : 1)
        let fair = own * Double(others + 1)
        let rest = own + Double(line.rows - (line.tenants[standing.tenant] ?? 0))
        return Double(before) + min(fair, rest)
    }
}
