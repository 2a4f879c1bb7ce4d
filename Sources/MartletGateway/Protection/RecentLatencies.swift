/// The latencies of the last while, forgotten in two halves.
struct RecentLatencies: Sendable {
    private let half: Duration
    private var current = LatencyBuckets()
    private var previous = LatencyBuckets()
    private var start: Duration?

    /// Remembers for at least a half of `window`, and at most all of it.
    init(window: Duration) {
        half = max(window / 2, .milliseconds(1))
    }

    /// Counts a latency.
    mutating func record(_ latency: Duration, now: Duration) {
        advance(to: now)
        current.record(latency)
    }

    /// The latency that a share of the recent ones did not go beyond; nil when there are fewer than
    /// `samplesMin`.
    mutating func quantile(_ share: Double, samplesMin: Int, now: Duration) -> Duration? {
        advance(to: now)
        guard current.count + previous.count >= samplesMin else { return nil }
        var all = current
        all.merge(previous)
        return all.quantile(share)
    }

    /// Time that runs backwards stands still.
    private mutating func advance(to now: Duration) {
        guard let start else { return self.start = now }
        guard now - start >= half else { return }
        let isRecent = now - start < half * 2
        swap(&current, &previous)
        current.reset()
        if !isRecent { previous.reset() }
        self.start = isRecent ? start + half : now
    }
}
