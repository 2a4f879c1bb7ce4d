import Foundation

/// Searches the highest rate that a server bears within an objective: doubles the rate until it
/// does not, then halves the gap.
///
/// It is told what came of each trial and says what to try next; it sends nothing itself.
public struct SaturationRamp: Sendable {
    /// What a server has to keep to.
    public struct Objective: Sendable, Equatable {
        /// The most that the 99th percentile may be, in nanoseconds.
        public var p99: UInt64

        /// The largest share of requests that may fail.
        public var errorShare: Double

        /// The least share of the rate asked for that has to be answered, so that a queue which
        /// only grows is not taken for an answer.
        public var answeredShare = 0.97

        /// Creates an objective.
        public init(p99: UInt64, errorShare: Double) {
            self.p99 = p99
            self.errorShare = errorShare
        }
    }

    /// What came of one rate.
    public struct Trial: Sendable, Equatable {
        /// Requests a second that were due.
        public var offered: Double

        /// Requests a second that were answered well.
        public var answered: Double

        /// The 99th percentile in nanoseconds.
        public var p99: UInt64

        /// The share of requests that failed.
        public var errorShare: Double

        /// Creates a trial's result.
        public init(offered: Double, answered: Double, p99: UInt64, errorShare: Double) {
            self.offered = offered
            self.answered = answered
            self.p99 = p99
            self.errorShare = errorShare
        }
    }

    /// What is to be done next.
    public enum Step: Sendable, Equatable {
        /// Try a rate.
        case attempt(rate: Double)
        /// The search is over: the highest rate that was kept, `nil` where even the first was not.
        case finished(rate: Double?)
    }

    /// How close the bounds come before the search ends.
    public static let precision = 0.03

    /// Most trials of a search.
    public static let trialsMax = 40

    private static let rateMin = 1.0

    private let objective: Objective
    private let rateMax: Double
    private var good: Double?
    private var bad: Double?
    private var rate: Double

    /// The trials so far, in their order, and whether each kept to the objective.
    public private(set) var trials: [(trial: Trial, isKept: Bool)] = []

    /// Begins a search.
    ///
    /// - Parameters:
    ///   - objective: what the server has to keep to.
    ///   - start: the first rate tried.
    ///   - rateMax: the highest rate tried.
    public init(_ objective: Objective, start: Double, rateMax: Double = 1e7) {
        self.objective = objective
        self.rateMax = rateMax
        rate = min(max(start, SaturationRamp.rateMin), rateMax)
    }

    /// What to do now.
    public var step: Step {
        guard trials.count < SaturationRamp.trialsMax else { return .finished(rate: good) }
        switch (good, bad) {
        case (let good?, let bad?) where bad <= good * (1 + SaturationRamp.precision):
            return .finished(rate: good)
        case (nil, let bad?) where bad <= SaturationRamp.rateMin: return .finished(rate: nil)
        case (let good?, nil) where good >= rateMax: return .finished(rate: good)
        default: return .attempt(rate: rate)
        }
    }

    /// Whether a trial kept to the objective.
    public func isKept(_ trial: Trial) -> Bool {
        trial.p99 <= objective.p99 && trial.errorShare <= objective.errorShare
            && trial.answered >= trial.offered * objective.answeredShare
    }

    /// Notes what came of the rate that ``step`` asked for.
    public mutating func record(_ trial: Trial) {
        let isKept = isKept(trial)
        trials.append((trial, isKept))
        if isKept {
            good = max(good ?? 0, rate)
        } else {
            bad = min(bad ?? .infinity, rate)
        }
        switch (good, bad) {
        case (let good?, let bad?): rate = (good * bad).squareRoot()
        case (_?, nil): rate = min(2 * rate, rateMax)
        // The first one was too much already: down in larger steps, which need not be exact.
        default: rate = max(rate / 4, SaturationRamp.rateMin)
        }
    }
}
