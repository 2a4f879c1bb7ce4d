/// The knobs of ``ResponseCache``.
struct CacheConfiguration: Sendable, Equatable {
    /// Bytes that all entries take at most, with what it costs to keep them (default 64 MiB).
    var capacityBytes: Int
    /// How long answers stay fresh.
    var timeToLive: AdaptiveTTL
    /// How long an answer that is no longer fresh is still given while somebody asks for a new one;
    /// 0 for never (default 10 s).
    ///
    /// Source: RFC 5861, `stale-while-revalidate`.
    var staleWindow: Duration
    /// Requests that may wait for one answer beside the one that leads; further ones go their own
    /// way (default 1024).
    var followersMax: Int
    /// Answers that may be waited for at once; further requests go their own way (default 16,384).
    var flightsMax: Int
    /// How long a leader keeps newcomers waiting: after that the next one leads anew, for those who
    /// wait already too, so that a node that hangs does not hold up all who ask the same (default
    /// 10 s).
    var leadershipMax: Duration
    /// Models remembered without an answer or request of theirs being here (default 4096).
    var idleModelsMax: Int
    /// How full the cache may be before that counts as memory pressure, as a part of the capacity
    /// (default 0.8).
    var pressureFrom: Double

    /// The defaults, but for what is given.
    ///
    /// Figures out of range are brought into it.
    init(
        capacityBytes: Int = 64 << 20, timeToLive: AdaptiveTTL = AdaptiveTTL(),
        staleWindow: Duration = .seconds(10), followersMax: Int = 1024, flightsMax: Int = 16_384,
        leadershipMax: Duration = .seconds(10), idleModelsMax: Int = 4096,
        pressureFrom: Double = 0.8
    ) {
        self.capacityBytes = min(max(capacityBytes, 0), 1 << 50)
        self.timeToLive = timeToLive
        self.staleWindow = min(max(staleWindow, .zero), .seconds(30 * 24 * 3600))
        self.followersMax = max(followersMax, 0)
        self.flightsMax = max(flightsMax, 0)
        self.leadershipMax = max(leadershipMax, .zero)
        self.idleModelsMax = max(idleModelsMax, 0)
        self.pressureFrom = pressureFrom > 0 ? min(pressureFrom, 1) : 0
    }

    /// How scarce memory is, from 0 to 1, when entries take so many bytes.
    func pressure(bytes: Int) -> Double {
        let full = Double(bytes) / Double(max(capacityBytes, 1))
        guard full > pressureFrom else { return 0 }
        return min((full - pressureFrom) / max(1 - pressureFrom, 0.001), 1)
    }
}
