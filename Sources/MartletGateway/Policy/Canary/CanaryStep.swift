/// What both versions answered in one step, and what that says of the candidate.
struct CanaryStep: Sendable {
    /// What one version answered.
    struct Answers: Sendable {
        var errors = 0
        var latencies = LatencyHistogram()

        var errorRate: Double {
            latencies.total > 0 ? Double(errors) / Double(latencies.total) : 0
        }
    }

    /// The share of answers within the latency that is compared.
    private static let quantile = 0.99
    /// See ``CanaryController``.
    private static let bound = BinomialBound(risk: 1e-5)

    private(set) var baseline = Answers()
    private(set) var candidate = Answers()

    private let settings: TrafficPolicy.Canary
    /// The baseline's answers in the step before, for one in which it has none.
    private let earlier: Answers?
    private var nextLook = 5

    /// Begins a step.
    init(_ settings: TrafficPolicy.Canary, reference: Answers?) {
        self.settings = settings
        earlier = reference
    }

    /// The baseline's answers to compare with.
    var reference: Answers {
        baseline.latencies.total > 0 ? baseline : earlier ?? baseline
    }

    /// Takes in an answer; true if it is time to look whether the candidate is worse.
    mutating func record(
        _ arm: CanaryController.Arm, isError: Bool, latency: Duration
    ) -> Bool {
        switch arm {
        case .baseline:
            baseline.errors += isError ? 1 : 0
            baseline.latencies.record(latency)
            return false
        case .candidate:
            candidate.errors += isError ? 1 : 0
            candidate.latencies.record(latency)
            guard candidate.latencies.total >= nextLook else { return false }
            nextLook += max(nextLook / 4, 2)
            return true
        }
    }

    /// Whether there are enough answers to end the step.
    func hasEnough(isBaselineServing: Bool) -> Bool {
        candidate.latencies.total >= settings.requestsMin
            && (!isBaselineServing || baseline.latencies.total >= settings.requestsMin)
    }

    /// In what the candidate is certainly worse than it may be; nil if in nothing.
    func certainFault() -> CanaryController.Fault? {
        let total = candidate.latencies.total
        let errorRate = Self.bound.lower(candidate.errors, of: total)
        if let allowed = allowedErrorRate(certainly: true), errorRate > allowed {
            return .errorRate(candidate: candidate.errorRate, allowed: allowed)
        }
        guard let allowed = allowedLatency(certainly: true) else { return nil }
        let slow = candidate.latencies.count(above: allowed)
        guard Self.bound.lower(slow, of: total) > 1 - Self.quantile,
            let latency = candidate.latencies.quantile(Self.quantile)
        else { return nil }
        return .latency(candidate: latency, allowed: allowed)
    }

    /// In what the candidate looks worse than it may be; nil if in nothing.
    func apparentFault() -> CanaryController.Fault? {
        if let allowed = allowedErrorRate(certainly: false), candidate.errorRate > allowed {
            return .errorRate(candidate: candidate.errorRate, allowed: allowed)
        }
        guard let allowed = allowedLatency(certainly: false),
            let latency = candidate.latencies.quantile(Self.quantile), latency > allowed
        else { return nil }
        return .latency(candidate: latency, allowed: allowed)
    }

    /// The highest error rate allowed, by what the baseline's is, or certainly is not above.
    private func allowedErrorRate(certainly: Bool) -> Double? {
        let answers = reference
        let total = answers.latencies.total
        let rate = certainly ? Self.bound.upper(answers.errors, of: total) : answers.errorRate
        let relative = total > 0 ? rate + settings.rollback.errorRateIncreaseMax : nil
        return [relative, settings.rollback.errorRateMax].compactMap { $0 }.min()
    }

    /// The highest 99th percentile allowed, likewise; nil if nothing can be said.
    private func allowedLatency(certainly: Bool) -> Duration? {
        let latencies = reference.latencies
        let known =
            certainly
            ? latencies.upperBound(ofQuantile: Self.quantile, Self.bound)
            : latencies.quantile(Self.quantile)
        let relative = known.map { $0 * settings.rollback.latencyRatioMax }
        return [relative, settings.rollback.latencyMax].compactMap { $0 }.min()
    }
}
