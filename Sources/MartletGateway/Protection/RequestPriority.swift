/// How much a request matters when not all can be served; the raw values are those of
/// configuration, headers and metrics.
public enum RequestPriority: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Refused last: somebody is harmed without the answer.
    case critical
    /// Somebody waits who must not.
    case high
    /// What requests have that say nothing.
    case normal
    /// Refused first: nobody waits, and it can be done later.
    case low

    /// The place in the order, the most important being 0.
    var rank: Int {
        switch self {
        case .critical: 0
        case .high: 1
        case .normal: 2
        case .low: 3
        }
    }

    /// Those that matter more sort first.
    public static func < (left: RequestPriority, right: RequestPriority) -> Bool {
        left.rank < right.rank
    }
}
