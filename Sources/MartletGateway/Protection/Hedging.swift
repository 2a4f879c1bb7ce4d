/// The knobs of ``Hedging``.
///
/// Figures out of range are brought into it.
public struct HedgingConfiguration: Sendable, Equatable {
    /// The share of recent latencies that a request must have outlasted, from 0.5 to 0.999 (default
    /// 0.95).
    public let percentile: Double
    /// The wait before a hedge, where it is not to follow latencies; nil to go by the percentile.
    public let fixedDelay: Duration?
    /// Attempts at a request at once, the first one included, at least 2 (default 2).
    public let attemptsMax: Int
    /// The part of requests that may be hedged, from 0 to 1 (default 0.05); 0 for none.
    public let budgetShare: Double
    /// Hedges that quiet times save up, at least 1 (default 10).
    public let burst: Int
    /// The shortest wait, however fast others are (default 2 ms).
    public let delayMin: Duration
    /// How far back latencies count (default 20 s): at least a half of that, at most all of it.
    public let window: Duration
    /// Latencies it takes to know a percentile, at least 1 (default 100).
    public let samplesMin: Int

    /// The defaults, but for what is given.
    public init(
        percentile: Double = 0.95, fixedDelay: Duration? = nil, attemptsMax: Int = 2,
        budgetShare: Double = 0.05, burst: Int = 10,
        delayMin: Duration = .milliseconds(2), window: Duration = .seconds(20),
        samplesMin: Int = 100
    ) {
        self.percentile = min(max(0.5, percentile), 0.999)
        self.fixedDelay = fixedDelay.map { max(.milliseconds(1), $0) }
        self.attemptsMax = min(max(2, attemptsMax), 16)
        self.budgetShare = min(max(0, budgetShare), 1)
        self.burst = min(max(1, burst), 1_000_000)
        self.delayMin = max(.zero, delayMin)
        self.window = min(max(.milliseconds(100), window), .seconds(86_400))
        self.samplesMin = max(1, samplesMin)
    }
}

/// A request that has not been answered yet, with all that decides whether it is sent once more.
struct HedgeCandidate: Sendable, Equatable {
    /// How long ago it was sent.
    var elapsed: Duration
    /// Whether it may run twice.
    var idempotency: Idempotency = .idempotent
    /// Whether its body can be sent again from its first byte.
    var bodyReplayable = true
    /// Whether any part of a response was passed to the client.
    var responseStarted = false
    /// Whether it has been hedged already.
    var isHedged = false
    /// The endpoints it was sent to.
    var tried: Set<EndpointID>
    /// Endpoints that it could be sent to and was not.
    var alternatives: Int
}

/// What becomes of a request that has not been answered yet.
enum HedgeDecision: Sendable, Equatable {
    /// Send it once more, to an endpoint that is not among these; the first answer counts.
    case hedge(excluding: Set<EndpointID>)
    /// It is too early: ask again after this long.
    case wait(Duration)
    /// Leave it at what was sent, for this reason.
    case leave(LeaveReason)

    /// Why a request is not hedged; the raw values are labels of metrics.
    enum LeaveReason: String, Sendable, Hashable, CaseIterable {
        /// The client has seen part of a response.
        case responseStarted = "response_started"
        /// Running twice may do harm.
        case notIdempotent = "not_idempotent"
        /// The body is no longer there to be sent again.
        case bodyNotReplayable = "body_not_replayable"
        /// Once is enough: a third would help little.
        case alreadyHedged = "already_hedged"
        /// There is no endpoint but those it was sent to.
        case noOtherEndpoint = "no_other_endpoint"
        /// Too few latencies are known to tell what is late.
        case tooFewSamples = "too_few_samples"
        /// As many requests were hedged as may be.
        case hedgeBudgetExhausted = "hedge_budget_exhausted"
        /// Too many requests are being retried; see ``RetryBudget``.
        case retryBudgetExhausted = "retry_budget_exhausted"
    }
}

/// Decides when a request that waits longer than nearly all others is sent a second time, to
/// another endpoint.
///
/// Source: J. Dean and L. A. Barroso, "The tail at scale", 2013: hedged requests, sent once a
/// request has outlasted the 95th percentile, cut the tail at about one in twenty requests more.
/// Hedges are retries too and come out of the same budget, so that they stop where endpoints fail:
/// as gRFC A6 has it.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct Hedging: Sendable {
    let configuration: HedgingConfiguration
    /// One hedge.
    private static let whole = 1_000_000
    private var latencies: RecentLatencies
    /// Hedges that may be sent, in millionths: whole numbers, so that none is lost to rounding.
    private var balance = 0
    private var knownDelay: (value: Duration, computed: Duration)?

    /// Knows no latency yet.
    init(configuration: HedgingConfiguration = HedgingConfiguration()) {
        self.configuration = configuration
        latencies = RecentLatencies(window: configuration.window)
    }

    /// Counts a new request; retries and hedges are not new requests.
    mutating func didSend() {
        let share = Int((configuration.budgetShare * Double(Self.whole)).rounded())
        balance = min(balance + share, configuration.burst * Self.whole)
    }

    /// Counts how long an endpoint took to answer.
    ///
    /// A first attempt that was given up because its hedge was faster counts with the time it had:
    /// else the slow ones would be missing, and what is late would creep down.
    mutating func didAnswer(latency: Duration, now: Duration) {
        latencies.record(latency, now: now)
    }

    /// How long after a request was sent to ask about it; nil as long as that is not known.
    mutating func delay(now: Duration) -> Duration? {
        if let fixed = configuration.fixedDelay { return fixed }
        if let knownDelay, now - knownDelay.computed < configuration.window / 20 {
            return knownDelay.value
        }
        let value = latencies.quantile(
            configuration.percentile, samplesMin: configuration.samplesMin, now: now
        ).map { max($0, configuration.delayMin) }
        // What is not known may be known at the next answer, and costs nothing to ask.
        knownDelay = value.map { ($0, now) }
        return value
    }

    /// Decides about a request, and takes the hedge out of both budgets if there is to be one.
    ///
    /// The first reason against it that applies, in the order of ``HedgeDecision/LeaveReason``, is
    /// the one given.
    mutating func decide(
        _ candidate: HedgeCandidate, retryBudget: inout RetryBudget, now: Duration
    ) -> HedgeDecision {
        if let reason = candidate.reasonToLeave { return .leave(reason) }
        guard let delay = delay(now: now) else { return .leave(.tooFewSamples) }
        guard candidate.elapsed >= delay else { return .wait(delay - candidate.elapsed) }
        guard balance >= Self.whole else { return .leave(.hedgeBudgetExhausted) }
        guard retryBudget.withdraw(now: now) else { return .leave(.retryBudgetExhausted) }
        balance -= Self.whole
        return .hedge(excluding: candidate.tried)
    }

    /// Gives back what was taken out of its own budget for a hedge that nobody could be asked for.
    mutating func giveBack() {
        balance = min(balance + Self.whole, configuration.burst * Self.whole)
    }
}

extension HedgeCandidate {
    /// Why the request itself rules a hedge out; nil if it does not.
    fileprivate var reasonToLeave: HedgeDecision.LeaveReason? {
        if responseStarted { return .responseStarted }
        if idempotency == .notIdempotent { return .notIdempotent }
        if !bodyReplayable { return .bodyNotReplayable }
        if isHedged { return .alreadyHedged }
        return alternatives > 0 ? nil : .noOtherEndpoint
    }
}
