/// The knobs of ``Prequal``.
public struct PrequalConfiguration: Sendable, Equatable {
    /// The endpoints to probe for each request, from 1 to 1000 (default 3).
    public let probesPerPick: Int
    /// The most replies to choose among, from 1 to 1000 (default 16).
    public let poolSize: Int
    /// How old a reply may become (default 1 s).
    public let replyAgeMax: Duration
    /// How many picks may follow from one reply, at least 1 (default 2).
    public let replyUsesMax: Int
    /// Replies to drop at each pick beside those used up, by turns the oldest and the worst, 0 or
    /// more (default 1).
    public let repliesDroppedPerPick: Int
    /// The quantile of the requests in flight above which an endpoint is hot, from 0 to 1 (default
    /// 0.84).
    ///
    /// At 0 requests in flight decide alone, at 1 latency.
    public let hotQuantile: Double
    /// By what part of the lowest latency others may be above it and still count as equal, 0 or
    /// more (default 1, which is a factor of two).
    ///
    /// Small differences are chance, which would send everything to one of several equals for a
    /// while. The paper has no tolerance, which is 0.
    public let latencyTolerance: Double
    /// How long it is believed what other gateways run at an endpoint, by its last report or answer
    /// to a probe (default 10 s).
    public let othersAgeMax: Duration
    /// How long without picks until endpoints are probed all the same, more than 0 (default 1 s).
    public let idleProbePeriod: Duration

    /// The defaults, but for what is given.
    ///
    /// Figures out of range are brought into it.
    public init(
        probesPerPick: Int = 3,
        poolSize: Int = 16,
        replyAgeMax: Duration = .seconds(1),
        replyUsesMax: Int = 2,
        repliesDroppedPerPick: Int = 1,
        hotQuantile: Double = 0.84,
        latencyTolerance: Double = 1,
        othersAgeMax: Duration = .seconds(10),
        idleProbePeriod: Duration = .seconds(1)
    ) {
        self.probesPerPick = min(max(probesPerPick, 1), 1000)
        self.poolSize = min(max(poolSize, 1), 1000)
        self.replyAgeMax = max(replyAgeMax, .zero)
        self.replyUsesMax = max(replyUsesMax, 1)
        self.repliesDroppedPerPick = max(repliesDroppedPerPick, 0)
        self.hotQuantile = hotQuantile >= 0 ? min(hotQuantile, 1) : 0
        self.latencyTolerance = max(latencyTolerance, 0)
        self.othersAgeMax = max(othersAgeMax, .zero)
        self.idleProbePeriod = max(idleProbePeriod, .milliseconds(1))
    }
}
