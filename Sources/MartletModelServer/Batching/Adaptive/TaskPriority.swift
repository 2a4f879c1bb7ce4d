/// Which tasks go before others of the same queue.
public enum TaskPriority: String, Sendable, CaseIterable, Comparable {
    /// Before all others.
    case high
    /// What tasks have that say nothing.
    case normal
    /// When nothing else waits.
    case low

    /// The place in the order, the first being 0.
    var rank: Int {
        switch self {
        case .high: 0
        case .normal: 1
        case .low: 2
        }
    }

    /// Those that go first sort first.
    public static func < (left: TaskPriority, right: TaskPriority) -> Bool {
        left.rank < right.rank
    }
}

/// What an adaptive queue goes by to put a task in its place.
public struct TaskStanding: Sendable, Hashable {
    /// Which tasks it goes before.
    public var priority: TaskPriority

    /// Whose it is: tenants of the same priority get equal shares; empty for nobody in particular.
    public var tenant: String

    /// Creates a standing.
    public init(priority: TaskPriority = .normal, tenant: String = "") {
        self.priority = priority
        self.tenant = tenant
    }
}
