/// A count of what happened lately: each thing that is added fades with time.
struct FadingCount: Sendable {
    /// As of the last change.
    private var count = 0.0
    private var lastChange = Duration.zero

    /// What is left of it.
    ///
    /// - Parameters:
    ///   - now: the time.
    ///   - time: how long it takes until what was added counts for 1/e of itself.
    /// - Returns: 0 or more.
    func value(now: Duration, within time: Duration) -> Double {
        count * (now - lastChange).decay(within: time)
    }

    /// Adds something that happens now.
    mutating func add(_ amount: Double, now: Duration, within time: Duration) {
        count = value(now: now, within: time) + amount
        lastChange = max(now, lastChange)
    }
}
