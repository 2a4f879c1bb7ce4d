/// Says of a connection's requests which of them asks the upstream for a load report: one in an
/// interval, of all connections and event loops together.
///
/// A request that need not ask costs a comparison.
struct LoadReportTurn {
    private let upstream: SharedUpstream
    /// When to look again; `nil` for at once.
    private var next: ContinuousClock.Instant?

    /// What is configured may change meanwhile.
    private static let pauseMax = Duration.seconds(1)

    init(of upstream: SharedUpstream) {
        self.upstream = upstream
    }

    /// Whether the request of an attempt that began then asks.
    mutating func has(attemptAt start: ContinuousClock.Instant?) -> Bool {
        guard let start else { return false }
        if let next, start < next { return false }
        let turn = upstream.takeReportTurn(now: start)
        next = min(turn.next, start + LoadReportTurn.pauseMax)
        return turn.isTaken
    }
}
