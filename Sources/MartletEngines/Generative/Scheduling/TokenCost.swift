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
/// `seconds = base + a * tokens + b * positions`, with errors in proportion to the time, and without
/// forgetting: the ratio of `b` to `a` belongs to the model and the machine. What else the machine
/// does makes a step longer, never shorter, so one that took several times as long as it should
/// counts as little more than that.
struct StepCost: Sendable, Equatable {
    /// Steps of fewer prompt tokens say little of what prompts cost.
    static let promptTokensMin = 8

    /// More than this is no attention.
    static let perPositionMax = 1.0 / 16

    private static let tokenScale = 64.0
    private static let positionScale = 65_536.0
    private static let noise = 0.2
    private static let surpriseMax = 2.0
    /// Steps before a surprise is told from what is not yet known.
    private static let stepsMin = 8

    private var weights = SIMD4<Double>.zero
    private var covariance: [SIMD4<Double>] = [[4, 0, 0, 0], [0, 4, 0, 0], [0, 0, 16, 0]]
    /// The first step's time for 64 tokens: the unit of time.
    private var scale: Double?
    private var steps = 0

    /// What was learned.
    private(set) var cost = TokenCost()

    /// A step has ended.
    ///
    /// - Parameters:
    ///   - tokens: that were decoded.
    ///   - positions: the sum of where they stand.
    ///   - seconds: that it took.
    mutating func observe(tokens: Int, positions: Double, seconds: Double) {
        guard seconds > 0, seconds.isFinite, tokens > 0 else { return }
        let unit = scale ?? seconds / Double(tokens) * Self.tokenScale
        scale = unit
        let step = SIMD4(
            1, Double(tokens) / Self.tokenScale, positions / Self.positionScale, 0)
        let expected = (weights * step).sum()
        var time = seconds / unit
        if steps >= Self.stepsMin, expected > 0 {
            time = min(time, expected * Self.surpriseMax)
        }
        learn(step, time: time, expected: expected)
        steps += 1
        guard weights[1] > 0 else { return }
        let ratio = weights[2] / weights[1] * Self.tokenScale / Self.positionScale
        cost.perPosition = min(max(0, ratio), Self.perPositionMax)
    }

    private mutating func learn(_ step: SIMD4<Double>, time: Double, expected: Double) {
        var gain = SIMD4<Double>.zero
        for row in covariance.indices { gain[row] = (covariance[row] * step).sum() }
        let spread = Self.noise * max(time, expected)
        let total = spread * spread + (gain * step).sum()
        guard total > 0, total.isFinite else { return }
        weights += gain * ((time - expected) / total)
        for row in covariance.indices { covariance[row] -= gain * (gain[row] / total) }
    }
}
