import MartletCore

/// How long the next batch of an adaptive queue waits to fill: mostly not at all.
///
/// It waits while tasks come so fast that many more will be there within a fiftieth of the target,
/// if many together cost little more than one. There each batch costs more for the threads that it
/// wakes than for its rows.
struct FillingWait: Sendable {
    /// What a batch may wait, as a part of the target.
    private static let share = 1.0 / 50
    /// Tasks that must be expected meanwhile.
    private static let companyMinimum = 8.0
    /// Rows from which on a batch is full enough.
    private static let rowsMaximum = 32
    /// A task that is due within so many waits is in a hurry.
    private static let hurry = 4.0

    private let seconds: Double
    private var arrivals = ArrivalPace()

    /// When the next batch may run.
    private(set) var ready: ContinuousClock.Instant?

    init(target: Duration) { seconds = target.seconds * FillingWait.share }

    /// When the last task came.
    var lastArrival: ContinuousClock.Instant? { arrivals.last }

    /// Says when the batch may run that a new task is in.
    ///
    /// - Parameters:
    ///   - rows: those that wait, with the task's own.
    ///   - isFirst: whether none waited before.
    ///   - due: when the task should be answered.
    ///   - curve: run times by rows.
    ///   - now: the time.
    mutating func didArrive(
        rows: Int, isFirst: Bool, due: ContinuousClock.Instant, curve: LatencyCurve,
        now: ContinuousClock.Instant
    ) {
        arrivals.didArrive(now: now)
        let pays =
            rows < FillingWait.rowsMaximum && (due - now).seconds > FillingWait.hurry * seconds
            && arrivals.expected(within: seconds) >= FillingWait.companyMinimum
            && FillingWait.isCheapTogether(curve)
        if !pays {
            ready = now
        } else if isFirst {
            ready = now.advanced(by: .seconds(seconds))
        }
    }

    /// Whether some rows together take at most half of what they take one by one.
    private static func isCheapTogether(_ curve: LatencyCurve) -> Bool {
        let some = 8
        guard curve.largestRows >= some, let one = curve.mean(rows: 1),
            let together = curve.mean(rows: some)
        else { return false }
        return together * 2 < one * Double(some)
    }
}
