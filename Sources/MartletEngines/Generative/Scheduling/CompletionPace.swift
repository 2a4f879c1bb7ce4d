internal import MartletCore

/// How fast requests end, to say when there will be room in a queue that is full.
struct CompletionPace: Sendable {
    /// The weight of the newest interval.
    private static let gain = 0.1
    private static let waitMin: Double = 1
    private static let waitMax: Double = 60

    /// Seconds between two ends, on average.
    private var interval: Double?
    private var last: Duration?

    /// A request has ended.
    mutating func didEnd(now: Duration) {
        defer { last = now }
        guard let last else { return }
        let seconds = max(0, (now - last).seconds)
        interval = interval.map { $0 + Self.gain * (seconds - $0) } ?? seconds
    }

    /// Nothing runs: the time until the next end says nothing.
    mutating func didRest() {
        last = nil
    }

    /// When as many requests as wait now will have ended: between a second and a minute.
    func retryAfter(waiting: Int) -> Duration {
        let seconds = (interval ?? 0) * Double(waiting)
        return .seconds(min(max(seconds, Self.waitMin), Self.waitMax).rounded(.up))
    }
}
