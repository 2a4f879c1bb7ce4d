/// Keeps retries a small part of the traffic, so that they never turn a slow cluster into a dead
/// one.
///
/// Over the last ten seconds retries may be at most a fifth of the requests, or ten where that is
/// more. Source: Finagle's `RetryBudget` (a share of the requests of the last 10 s and a floor for
/// quiet times); Envoy's circuit breaker names the same two knobs `budget_percent` and
/// `min_retry_concurrency`.
public struct RetryBudget: Sendable {
    /// The part of recent requests that may be retries (default 0.2).
    public let ratio: Double
    /// The retries always allowed within the window (default 10).
    public let retriesMin: Int

    /// The window is made of this many one-second parts; the oldest is dropped as a new one begins.
    private static let parts = 10
    private var requests = [Int](repeating: 0, count: Self.parts)
    private var retries = [Int](repeating: 0, count: Self.parts)
    private var currentSecond: Int64 = 0

    /// A full budget with these limits.
    public init(ratio: Double = 0.2, retriesMin: Int = 10) {
        self.ratio = ratio
        self.retriesMin = retriesMin
    }

    /// Counts a new request; its retries are not new requests.
    public mutating func deposit(now: Duration) {
        advance(to: now)
        requests[part] += 1
    }

    /// Counts a retry and answers true, or answers false if it would go beyond the budget.
    public mutating func withdraw(now: Duration) -> Bool {
        advance(to: now)
        let share = Double(requests.reduce(0, +)) * ratio
        let used = retries.reduce(0, +)
        guard used < retriesMin || Double(used + 1) <= share else { return false }
        retries[part] += 1
        return true
    }

    /// Gives back what was taken for a retry that nobody could be asked for.
    public mutating func giveBack(now: Duration) {
        advance(to: now)
        retries[part] = max(0, retries[part] - 1)
    }

    private var part: Int { Int(currentSecond % Int64(Self.parts)) }

    /// Drops the parts that are older than the window.
    ///
    /// Time that runs backwards stands still.
    private mutating func advance(to now: Duration) {
        let second = max(now.components.seconds, currentSecond)
        let stale = min(second - currentSecond, Int64(Self.parts))
        currentSecond = second
        for age in 0..<stale {
            let index = Int((second - age) % Int64(Self.parts))
            requests[index] = 0
            retries[index] = 0
        }
    }
}
