/// The knobs of the balancing algorithms.
///
/// The first seven are about weights by load reports, which ``DynamicWeightedRoundRobin`` and
/// ``LeastRequest`` go by; the others name who goes by them.
public struct BalancingConfiguration: Sendable, Equatable {
    /// How often weights follow the load reports (default 1 s).
    public var updatePeriod: Duration
    /// How long reports of a newcomer, or of an endpoint that came back, are not yet believed, so
    /// that weights do not chase the noise of a cold start (default 10 s).
    public var blackoutPeriod: Duration
    /// How long a report counts without a newer one (default 3 min).
    public var expirationPeriod: Duration
    /// How long a newly healthy endpoint takes to ramp up to its weight; 0 is at once (default 10
    /// s).
    public var slowStartWindow: Duration
    /// The part of its weight with which the ramp begins, from 0 (not included) to 1 (default 0.1).
    public var slowStartMinimumFactor: Double
    /// What the share of failed requests adds to utilization, 0 or more (default 1).
    public var errorPenalty: Double
    /// How many times the mean a weight may be above or below it, 1 or more (default 10).
    public var weightSpread: Double
    /// What a failed attempt costs an endpoint, for all but round robin and dynamic weighted round
    /// robin.
    public var failurePenalty: FailurePenalty
    /// How long it takes until a latency that ``PeakEWMA`` or ``Prequal`` has seen counts for 1/e
    /// of itself, 1 ms or more (default 10 s).
    public var latencyDecayTime: Duration
    /// How many times the mean ``ConsistentHashing`` lets requests in flight at an endpoint be, 1
    /// or more (default 1.25).
    ///
    /// Lower is more even, higher is more faithful to keys.
    public var loadFactor: Double
    /// The knobs of ``Prequal``.
    public var prequal: PrequalConfiguration
    /// The knobs of ``PrefixAware``.
    public var prefix: PrefixConfiguration

    /// The defaults, but for what is given.
    ///
    /// Figures out of range are brought into it.
    public init(
        updatePeriod: Duration = .seconds(1),
        blackoutPeriod: Duration = .seconds(10),
        expirationPeriod: Duration = .seconds(180),
        slowStartWindow: Duration = .seconds(10),
        slowStartMinimumFactor: Double = 0.1,
        errorPenalty: Double = 1,
        weightSpread: Double = 10,
        failurePenalty: FailurePenalty = FailurePenalty(),
        latencyDecayTime: Duration = .seconds(10),
        loadFactor: Double = 1.25,
        prequal: PrequalConfiguration = PrequalConfiguration(),
        prefix: PrefixConfiguration = PrefixConfiguration()
    ) {
        self.updatePeriod = updatePeriod
        self.blackoutPeriod = blackoutPeriod
        self.expirationPeriod = expirationPeriod
        self.slowStartWindow = slowStartWindow
        self.slowStartMinimumFactor = min(max(slowStartMinimumFactor, 0.001), 1)
        self.errorPenalty = max(errorPenalty, 0)
        self.weightSpread = max(weightSpread, 1)
        self.failurePenalty = failurePenalty
        self.latencyDecayTime = max(latencyDecayTime, .milliseconds(1))
        self.loadFactor = max(loadFactor, 1)
        self.prequal = prequal
        self.prefix = prefix
    }

    /// The part of its weight an endpoint gets that has been healthy for `age`.
    ///
    /// Source: Envoy's slow start mode with an aggression of 1; gRFC A100.
    func slowStartFactor(age: Duration) -> Double {
        guard age < slowStartWindow else { return 1 }
        return max(slowStartMinimumFactor, age / slowStartWindow)
    }
}
