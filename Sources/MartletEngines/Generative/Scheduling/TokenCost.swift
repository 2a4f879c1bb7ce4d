/// What a prompt's tokens cost, in tokens at a text's beginning.
///
/// A token's attention reads all that stands before it. On a processor that is soon the most of its
/// time: where a model's layers take a millisecond for a token, attention may take five at position
/// 2,000. So a step that is bounded by its number of tokens may take six times as long as another.
struct TokenCost: Sendable, Equatable {
    /// What each position before a token adds to its cost; 0 where nobody knows.
    var perPosition: Double = 0

    /// The cost of so many tokens of a text from a position on.
    func units(_ tokens: Int, from start: Int) -> Double {
        let count = Double(max(0, tokens))
        return count + perPosition * TokenCost.positions(tokens, from: start)
    }

    /// How many tokens from a position on cost no more than this.
    func tokens(within units: Double, from start: Int) -> Int {
        guard units > 0 else { return 0 }
        let first = 1 + perPosition * (Double(max(0, start)) - 0.5)
        guard perPosition > 0 else { return TokenCost.whole(units / first) }
        // n * first + n * n * perPosition / 2 = units, in a form that loses no digits.
        let root = (first * first + 2 * perPosition * units).squareRoot()
        return TokenCost.whole(2 * units / (first + root))
    }

    /// The sum of the positions of so many tokens from one on.
    static func positions(_ tokens: Int, from start: Int) -> Double {
        let count = Double(max(0, tokens))
        return count * Double(max(0, start)) + count * max(0, count - 1) / 2
    }

    private static func whole(_ value: Double) -> Int {
        Int(min(value + 1e-9, Double(1 << 24)))
    }
}

/// Learns from the time of steps what a position costs beside a token.
///
/// Recursive least squares (Ljung, "System Identification", 1999, chapter 11) of
/// `seconds = base + a * (tokens + expected * positions) + b * positions`, with errors in proportion
/// to the time, and without forgetting: what positions cost belongs to the model and the machine.
/// It begins with what the model's sizes let expect, and stays near it, as steps that resemble each
/// other do not tell the one from the other. What else the machine does makes a step longer, never
/// shorter, so one that took several times as long as it should counts as little more than that.
struct StepCost: Sendable, Equatable {
    /// Steps of fewer prompt tokens say little of what prompts cost.
    static let promptTokensMin = 16

    /// How many times less or more than expected a position may come to cost.
    private static let range = 1.0 / 8...4.0

    private static let tokenScale = 64.0
    private static let noise = 0.2
    private static let surpriseMax = 2.0
    /// Steps before a surprise is told from what is not yet known.
    private static let stepsMin = 8

    private let expected: TokenCost
    private var weights = SIMD4<Double>(0.1, 0.9, 0, 0)
    private var covariance: [SIMD4<Double>] = [[0.05, 0, 0, 0], [0, 0.25, 0, 0], [0, 0, 1, 0]]
    /// The first step's time for what 64 tokens at the beginning cost: the unit of time.
    private var scale: Double?
    private var steps = 0

    /// What was learned.
    private(set) var cost: TokenCost

    /// Knows nothing but what is expected; where that is no cost of positions, it stays so.
    init(expected: TokenCost = TokenCost()) {
        self.expected = expected
        cost = expected
    }

    /// A step has ended.
    ///
    /// - Parameters:
    ///   - tokens: that were decoded.
    ///   - positions: the sum of where they stand.
    ///   - seconds: that it took.
    mutating func observe(tokens: Int, positions: Double, seconds: Double) {
        guard seconds > 0, seconds.isFinite, tokens > 0, expected.perPosition > 0 else { return }
        let extra = expected.perPosition * positions / Self.tokenScale
        let units = Double(tokens) / Self.tokenScale + extra
        let unit = scale ?? seconds / units
        scale = unit
        let step = SIMD4(1, units, extra, 0)
        let guess = (weights * step).sum()
        var time = seconds / unit
        if steps >= Self.stepsMin, guess > 0 { time = min(time, guess * Self.surpriseMax) }
        learn(step, time: time, guess: guess)
        steps += 1
        guard weights[1] > 0 else { return }
        let times = 1 + weights[2] / weights[1]
        cost.perPosition =
            expected.perPosition * min(max(Self.range.lowerBound, times), Self.range.upperBound)
    }

    private mutating func learn(_ step: SIMD4<Double>, time: Double, guess: Double) {
        var gain = SIMD4<Double>.zero
        for row in covariance.indices { gain[row] = (covariance[row] * step).sum() }
        let spread = Self.noise * max(time, guess)
        let total = spread * spread + (gain * step).sum()
        guard total > 0, total.isFinite else { return }
        weights += gain * ((time - guess) / total)
        for row in covariance.indices { covariance[row] -= gain * (gain[row] / total) }
    }
}
