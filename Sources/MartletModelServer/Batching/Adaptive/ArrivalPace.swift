import MartletCore

/// How fast tasks come to a queue.
struct ArrivalPace: Sendable {
    /// The mean goes over about so many tasks.
    private static let memory = 64.0
    /// A pause counts no more than this: what comes behind it is soon known.
    private static let pauseMaximum = 0.01

    private var gap = ArrivalPace.pauseMaximum

    /// When the last task came.
    private(set) var last: ContinuousClock.Instant?

    /// Notes a task.
    mutating func didArrive(now: ContinuousClock.Instant) {
        if let last {
            let seconds = min(max(0, (now - last).seconds), ArrivalPace.pauseMaximum)
            gap += (seconds - gap) / ArrivalPace.memory
        }
        last = now
    }

    /// Tasks that are expected to come within a time.
    func expected(within seconds: Double) -> Double { seconds / max(gap, 1e-9) }
}
