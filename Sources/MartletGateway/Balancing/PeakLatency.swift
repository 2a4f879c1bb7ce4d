/// A moving average of latencies that rises at once and falls slowly.
///
/// Without new answers it falls towards 0, so that an endpoint which was slow is tried again. The
/// weight of an answer grows with the time since the one before, as fits answers that come at
/// uneven times.
struct PeakLatency: Sendable {
    /// The average in seconds as of the last answer, above 0; nil before the first.
    private(set) var average: Double?
    private var lastAnswer = Duration.zero

    /// Below what any endpoint takes, and enough that requests in flight still count.
    private static let least = 1e-9

    /// The average in seconds as of now; nil before the first answer.
    func seconds(now: Duration, decayTime: Duration) -> Double? {
        average.map { max($0 * (now - lastAnswer).decay(within: decayTime), Self.least) }
    }

    /// An answer took this many seconds.
    mutating func observe(_ latency: Double, now: Duration, decayTime: Duration) {
        let weight = (now - lastAnswer).decay(within: decayTime)
        let left = (average ?? 0) * weight
        average = max(
            latency >= left ? latency : left + latency * (1 - weight), Self.least)
        lastAnswer = max(now, lastAnswer)
    }

    /// An attempt failed after this many seconds.
    ///
    /// An answer would have taken longer. And the average is as it was at the last answer: if it
    /// went on falling, one that fails for long would look fast in the end.
    mutating func observeFailure(_ latency: Double, now: Duration) {
        average = average.map { max($0, latency) }
        lastAnswer = max(now, lastAnswer)
    }

    /// An attempt was given up after this many seconds: an answer would have taken longer.
    mutating func observeAbandoned(_ latency: Double, now: Duration, decayTime: Duration) {
        guard let known = seconds(now: now, decayTime: decayTime), latency > known else { return }
        average = latency
        lastAnswer = max(now, lastAnswer)
    }
}
