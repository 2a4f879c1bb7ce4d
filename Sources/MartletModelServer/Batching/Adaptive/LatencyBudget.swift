import MartletCore

/// How much of the target latency batches are planned with, so that the longest waits still fit.
///
/// What is planned with is the mean and what is usual around it. Other models on the same threads,
/// and engines slower than their past, take from the target what no plan knows. So the share that
/// is planned with falls when answers are late, and rises while they are not, until fewer than one
/// answer in a hundred is late.
struct LatencyBudget: Sendable {
    private static let fall = 0.1
    /// A burst of late answers, such as those taken in before anything was known, counts so much.
    private static let fallMaximum = 0.03
    private static let rise = 0.0005
    /// What is missing to the whole target is won back the faster, the more it is.
    private static let recovery = 0.005
    private static let range = 0.15...1.25
    /// Down to this share fewer are taken in; below it batches become smaller, too.
    private static let full = 0.85

    private let targetSeconds: Double
    private var share = 1.0

    init(target: Duration) { targetSeconds = target.seconds }

    /// The time from a task's arrival to its answer that batches are sized for.
    ///
    /// - Parameter shortestRun: the time of the smallest batch. A target that not even that meets
    ///   is taken as twice its time, or nothing would ever be answered.
    /// - Returns: the time in seconds.
    func sizingSeconds(shortestRun: Double) -> Double {
        let sizing = share < Self.full ? share / Self.full : max(1, share)
        return max(targetSeconds * sizing, 2 * shortestRun)
    }

    /// The time from a task's arrival to its answer beyond which it is refused.
    func admissionSeconds(shortestRun: Double) -> Double {
        max(targetSeconds * min(max(share, 0.8), 1.05), 3 * shortestRun)
    }

    /// Learns from a batch.
    ///
    /// - Parameters:
    ///   - tasks: tasks that were answered.
    ///   - late: those of them that were answered after the target.
    ///   - isPressed: whether more waited than fitted; only then does an answer in time say that
    ///     there is room for more.
    mutating func didAnswer(_ tasks: Int, late: Int, isPressed: Bool) {
        guard tasks > 0, late > 0 || isPressed else { return }
        let lateShare = Double(late) / Double(tasks)
        let fall = min(LatencyBudget.fall * lateShare, LatencyBudget.fallMaximum)
        let rise = LatencyBudget.rise + LatencyBudget.recovery * max(0, 1 - share)
        let moved = share - fall + (isPressed ? rise : 0)
        share = min(max(moved, LatencyBudget.range.lowerBound), LatencyBudget.range.upperBound)
    }
}
