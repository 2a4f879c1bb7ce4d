import Foundation

/// A number and the bounds between which it lies, with a confidence of 95 %.
public struct Estimate: Sendable, Equatable, Codable {
    /// The best guess.
    public var value: Double

    /// The lower bound.
    public var low: Double

    /// The upper bound.
    public var high: Double

    /// Creates an estimate.
    public init(value: Double, low: Double, high: Double) {
        self.value = value
        self.low = low
        self.high = high
    }
}

/// Compares two targets by rounds in which each had its turn.
public enum Comparison {
    /// The order of turns: the one that went second goes first next, so that what drifts with time
    /// (heat, other load) touches both alike.
    ///
    /// - Parameter rounds: how many turns each has.
    /// - Returns: 0 for the first target, 1 for the second.
    public static func order(rounds: Int) -> [Int] {
        (0..<rounds).flatMap { $0.isMultiple(of: 2) ? [0, 1] : [1, 0] }
    }

    /// How many times a figure of the second target is that of the first.
    ///
    /// Rounds are pairs, and ratios multiply: so the mean of the logarithms of the pairs' ratios is
    /// taken, and Student's distribution says how far off it may be.
    ///
    /// - Parameters:
    ///   - first: the figure of the first target, round by round.
    ///   - second: that of the second.
    /// - Returns: the ratio; `nil` with fewer than two rounds in which both are above zero.
    public static func ratio(_ first: [Double], _ second: [Double]) -> Estimate? {
        let logarithms = zip(first, second).filter { $0 > 0 && $1 > 0 }.map { log($1 / $0) }
        guard let mean = estimate(logarithms) else { return nil }
        return Estimate(value: exp(mean.value), low: exp(mean.low), high: exp(mean.high))
    }

    /// The mean of a sample and where the true one lies.
    ///
    /// - Returns: `nil` for fewer than two numbers.
    public static func estimate(_ sample: [Double]) -> Estimate? {
        guard sample.count >= 2 else { return nil }
        let count = Double(sample.count)
        let mean = sample.reduce(0, +) / count
        let variance = sample.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        let margin = student(degrees: sample.count - 1) * (variance / count).squareRoot()
        return Estimate(value: mean, low: mean - margin, high: mean + margin)
    }

    /// The 97.5th percentile of Student's distribution.
    static func student(degrees: Int) -> Double {
        let table = [
            12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
            2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
            2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
        ]
        guard degrees > table.count else { return table[max(degrees, 1) - 1] }
        // The first terms of its expansion around the normal distribution.
        let (normal, degrees) = (1.959_964, Double(degrees))
        return normal + (pow(normal, 3) + normal) / (4 * degrees)
    }
}
