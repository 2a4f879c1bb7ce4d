/// How fast tokens may be spent, and how many at once.
public struct TokenRate: Sendable, Hashable {
    /// Tokens a second, from a billionth to a billion.
    public let perSecond: Double
    /// Tokens that may be spent at once after a pause, from 1 to a billion.
    public let burst: Int

    /// A rate, brought into its range.
    ///
    /// Without a burst it is what comes together in a second, and at least 1.
    public init(perSecond: Double, burst: Int? = nil) {
        self.perSecond = min(max(1e-9, perSecond), 1e9)
        self.burst = min(max(1, burst ?? Int(self.perSecond.rounded(.up))), 1_000_000_000)
    }

    /// In which time one token comes.
    var interval: Duration { .seconds(1) / perSecond }
}

/// A bucket that tokens drip into at a rate, and that holds no more than a burst of them.
///
/// What it holds is written as one instant: when it will be full. Spending moves that instant into
/// the future, by the time that as many tokens take to come, and may move it at most a burst ahead.
/// So no rounding adds up, a full bucket knows nothing that a new one would not, and the rate may
/// change between two calls.
///
/// Source: the generic cell rate algorithm in its form of virtual scheduling, ITU-T I.371; it is
/// the token bucket seen from the other side.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct TokenBucket: Sendable {
    /// Whether tokens could be spent.
    enum Decision: Sendable, Hashable {
        /// They were.
        case granted
        /// They were not, but can be after this long if nobody else spends any.
        case refused(wait: Duration)
        /// They can never be: a burst is fewer.
        case impossible
    }

    private var fullAt: Duration?

    /// Whether it holds a whole burst, as a new one does.
    func isFull(now: Duration) -> Bool { timeToFull(now: now) == .zero }

    /// In which time it will be full if nothing is spent.
    func timeToFull(now: Duration) -> Duration {
        guard let fullAt else { return .zero }
        return max(.zero, fullAt - now)
    }

    /// The whole tokens it holds.
    func remaining(_ rate: TokenRate, now: Duration) -> Int {
        let held = rate.interval * rate.burst - timeToFull(now: now)
        // Whole attoseconds, so that it agrees with what can be spent to the last token.
        return Int(max(0, held.attoseconds / rate.interval.attoseconds))
    }

    /// Spends tokens; below 1 they count as 1.
    mutating func spend(_ tokens: Int, _ rate: TokenRate, now: Duration) -> Decision {
        let tokens = max(1, tokens)
        guard tokens <= rate.burst else { return .impossible }
        let interval = rate.interval
        let next = timeToFull(now: now) + interval * tokens
        let wait = next - interval * rate.burst
        guard wait <= .zero else { return .refused(wait: wait) }
        fullAt = now + next
        return .granted
    }

    /// Spends tokens whether it holds them or not: those that it lacks are owed, and none can be
    /// spent until they have come.
    mutating func charge(_ tokens: Int, _ rate: TokenRate, now: Duration) {
        guard tokens > 0 else { return }
        fullAt = now + timeToFull(now: now) + rate.interval * tokens
    }

    /// In which time it holds a token if nothing is spent; zero if it holds one.
    func timeToOne(_ rate: TokenRate, now: Duration) -> Duration {
        max(.zero, timeToFull(now: now) - rate.interval * (rate.burst - 1))
    }

    /// Gives tokens back that were spent at this rate; below 1 they count as 1.
    ///
    /// A bucket never holds more than a burst, whatever is given back.
    mutating func giveBack(_ tokens: Int, _ rate: TokenRate) {
        fullAt = fullAt.map { $0 - rate.interval * max(1, tokens) }
    }

    /// Takes out what others have spent: it will not be full before an instant.
    ///
    /// That may be more than a burst away: then tokens are owed, and none can be spent until those
    /// have come.
    mutating func fill(noEarlierThan instant: Duration) {
        fullAt = fullAt.map { max($0, instant) } ?? instant
    }
}
