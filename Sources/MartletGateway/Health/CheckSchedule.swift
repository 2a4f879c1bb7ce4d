/// When an endpoint is checked again.
///
/// Endpoints and gateways that begin together would be checked, and check, in lock step for ever.
/// So the first pause is from a half to one and a half of the interval, which spreads them over a
/// whole one, and each later pause is a little shorter or longer than it, so that they never fall
/// into step.
struct CheckSchedule: Sendable {
    /// By which part of the interval a pause may be shorter or longer.
    static let jitter = 0.1

    /// What the first pause may be, in intervals.
    static let spread = 0.5...1.5

    private let interval: Duration
    private var generator: SplitMix
    private var hasBegun = false

    /// A schedule that begins with the first check.
    ///
    /// - Parameters:
    ///   - interval: the mean pause.
    ///   - seed: what sets its pauses apart from those of others.
    init(interval: Duration, seed: UInt64) {
        self.interval = interval
        generator = SplitMix(seed: SplitMix.finished(seed))
    }

    /// How long after a check the next one begins.
    mutating func nextPause() -> Duration {
        defer { hasBegun = true }
        let range = hasBegun ? 1 - Self.jitter...1 + Self.jitter : Self.spread
        return interval * Double.random(in: range, using: &generator)
    }
}
