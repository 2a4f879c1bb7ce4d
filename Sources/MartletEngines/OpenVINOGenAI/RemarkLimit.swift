/// Keeps a worker that writes for people without end from filling their log.
struct RemarkLimit: Sendable {
    /// Most lines within each interval.
    static let linesMax = 200
    static let interval = Duration.seconds(10)

    private var begun: ContinuousClock.Instant?
    private var count = 0

    /// Chooses the lines that are shown.
    ///
    /// - Parameters:
    ///   - lines: new ones.
    ///   - now: the time.
    /// - Returns: the first ones of an interval, and how many others there were in the last one.
    mutating func shown(_ lines: [String], now: ContinuousClock.Instant) -> [String] {
        guard !lines.isEmpty else { return [] }
        var shown: [String] = []
        if now - (begun ?? now) >= RemarkLimit.interval || begun == nil {
            let hidden = count - RemarkLimit.linesMax
            if hidden > 0 { shown.append("\(hidden) more lines were left out") }
            begun = now
            count = 0
        }
        shown += lines.prefix(max(0, RemarkLimit.linesMax - count))
        count += lines.count
        return shown
    }
}
