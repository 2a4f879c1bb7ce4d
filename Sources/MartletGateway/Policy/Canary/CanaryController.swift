/// Lets a new version take over step by step, and takes it back when it is worse.
///
/// Each step gives the candidate a share of the requests for an interval. Both versions are
/// compared by what they answered in that step only: over more than one, a bad hour would count
/// more against the version that had more requests in it.
///
/// *Rolled back* is the candidate as soon as it is certain that it is worse by more than is
/// allowed. That is looked at when it has answered 5, 7, 9... requests, each time a quarter more.
/// It is worse if the lowest credible error rate of its own is above the highest credible one of
/// the baseline by more than the increase allowed; the same holds for the share of its answers that
/// take longer than the 99th percentile allowed, which should be one hundredth. Bounds are
/// those of ``BinomialBound`` with a risk of 1 in 100,000 each, so that a candidate which is as
/// good as the baseline is wrongly taken back in less than 3 runs of 100 even if all looks were to
/// err independently: some fifty looks, two figures with two bounds each, ten steps.
///
/// A step is *passed* at the end of its interval if both versions have had enough requests and the
/// figures as they are keep the thresholds. It is *held* if they do not, or if there are too few
/// requests: the share stays until more is known.
///
/// What counts as an error is told from outside. Since both versions get the same kind of requests,
/// every answer that is not a success may count, mistakes of clients too: only the difference
/// matters.
struct CanaryController: Sendable {
    /// The version that answers a request.
    enum Arm: String, Sendable, CaseIterable {
        case baseline
        case candidate
    }

    /// Why a candidate was taken back, or a step is not passed.
    enum Fault: Sendable, Equatable {
        /// Shares of failed requests.
        case errorRate(candidate: Double, allowed: Double)
        /// 99th percentiles.
        case latency(candidate: Duration, allowed: Duration)
        /// An operator wants it.
        case byOperator
    }

    /// Why a step is held.
    enum HoldReason: Sendable, Equatable {
        /// Too few requests were answered.
        case tooFewRequests(baseline: Int, candidate: Int)
        /// It looks worse, but that may be chance.
        case looksWorse(Fault)
    }

    /// How things stand.
    enum State: Sendable, Equatable {
        /// A step is watched. Next: any.
        case progressing
        /// A step lasts longer than its interval. Next: any other.
        case held(HoldReason)
        /// The candidate has its last share. Final.
        case completed
        /// The baseline has all requests. Final.
        case rolledBack(Fault)

        /// Whether nothing more is decided.
        var isFinal: Bool {
            switch self {
            case .completed, .rolledBack: true
            case .progressing, .held: false
            }
        }
    }

    /// What happened, for the log.
    enum Event: Sendable, Equatable {
        /// The candidate's share grew.
        case steppedUp(from: Double, to: Double)
        case held(HoldReason)
        case completed(weight: Double)
        /// After so many answers of the candidate in all steps.
        case rolledBack(Fault, answers: Int)
    }

    /// What the controller was made with.
    let settings: TrafficPolicy.Canary
    /// How things stand.
    private(set) var state = State.progressing
    /// The share of the requests that the candidate gets.
    private(set) var weight: Double
    /// Answers of the candidate, in all steps.
    private(set) var candidateAnswers = 0

    private let seed: UInt64
    private var step: CanaryStep
    private var intervalBegan: Duration

    /// Begins with the first step.
    ///
    /// - Parameters:
    ///   - settings: what the policy says.
    ///   - seed: sets apart the clients that different canaries choose.
    ///   - now: the time, since an origin of the caller's.
    init(_ settings: TrafficPolicy.Canary, seed: UInt64, now: Duration) {
        self.settings = settings
        self.seed = seed
        weight = min(settings.weightStart, settings.weightMax)
        step = CanaryStep(settings, reference: nil)
        intervalBegan = now
    }

    // MARK: Choosing

    /// The version that answers a request, by a random number.
    func arm(of number: UInt64) -> Arm {
        StableHash.share(number) < weight ? .candidate : .baseline
    }

    /// The version that answers all requests with a key; as the share grows, keys only go from the
    /// baseline to the candidate.
    func arm(ofKey key: String) -> Arm {
        arm(of: StableHash.hash(key, seed: seed))
    }

    /// What an arm's requests ask for.
    func version(of arm: Arm) -> TrafficPolicy.VersionName {
        switch arm {
        case .baseline: settings.baseline
        case .candidate: settings.candidate
        }
    }

    // MARK: Watching

    /// Takes in how a request ended.
    mutating func record(
        _ arm: Arm, isError: Bool, latency: Duration, now: Duration
    ) -> Event? {
        if arm == .candidate { candidateAnswers += 1 }
        guard !state.isFinal else { return nil }
        if step.record(arm, isError: isError, latency: latency), let fault = step.certainFault() {
            return rollBack(fault)
        }
        return tick(now: now)
    }

    /// Looks whether an interval is over; to be called about once a second.
    mutating func tick(now: Duration) -> Event? {
        guard !state.isFinal, now - intervalBegan >= settings.interval else { return nil }
        let reason: HoldReason? =
            step.hasEnough(isBaselineServing: weight < 1)
            ? step.apparentFault().map { .looksWorse($0) }
            : .tooFewRequests(
                baseline: step.baseline.latencies.total,
                candidate: step.candidate.latencies.total)
        guard let reason else { return pass(now: now) }
        // What looks worse gets another interval; what is missing may come at any time.
        if case .looksWorse = reason { intervalBegan = now }
        let isNew = !isHeld(likewise: reason)
        state = .held(reason)
        return isNew ? .held(reason) : nil
    }

    /// Takes the candidate back because an operator wants it; nil if all is over.
    mutating func rollBackByOperator() -> Event? {
        state.isFinal ? nil : rollBack(.byOperator)
    }

    private mutating func pass(now: Duration) -> Event {
        guard weight < settings.weightMax else {
            state = .completed
            return .completed(weight: weight)
        }
        let before = weight
        // Sums of shares such as 0.1 are a little off.
        let next = ((weight + settings.weightStep) * 1e9).rounded() / 1e9
        weight = min(next, settings.weightMax)
        step = CanaryStep(settings, reference: step.reference)
        state = .progressing
        intervalBegan = now
        return .steppedUp(from: before, to: weight)
    }

    private mutating func rollBack(_ fault: Fault) -> Event {
        state = .rolledBack(fault)
        weight = 0
        return .rolledBack(fault, answers: candidateAnswers)
    }

    /// Whether it is held for a reason of this kind already.
    private func isHeld(likewise reason: HoldReason) -> Bool {
        switch (state, reason) {
        case (.held(.tooFewRequests), .tooFewRequests), (.held(.looksWorse), .looksWorse): true
        default: false
        }
    }
}
