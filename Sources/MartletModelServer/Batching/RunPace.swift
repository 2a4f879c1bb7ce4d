import MartletCore

/// Tells whether the batches of a pool take so little that a thread which runs one is back sooner
/// than it would pay to wake another.
///
/// It follows the third quartile of the run times, which a few slow runs do not move: a step up for
/// what took longer and a step down, a third as large, for what did not.
struct RunPace: Sendable {
    /// A few times what it costs to wake a thread, and little beside any latency that is promised.
    static let short = 0.000_500

    private static let range = 0.000_001...10.0
    private var typical = 0.01

    /// Whether runs are short.
    var isShort: Bool { typical < RunPace.short }

    /// Notes how long a run took.
    mutating func didRun(seconds: Double) {
        let moved = typical * (seconds > typical ? 1.15 : 0.95)
        typical = min(max(moved, RunPace.range.lowerBound), RunPace.range.upperBound)
    }
}
