/// What a gateway has used of its quotas and not yet told the others.
///
/// Each gateway decides by its own buckets, at once. From time to time it tells a store what it has
/// used, and learns how the quota stands: the store has one bucket for all (``TokenBucket`` has the
/// same form), and the gateway's own is made no fuller than that one. So more than the limit can be
/// admitted only until the next exchange, and is then owed: a bucket that owes tokens spends none
/// until they have come.
///
/// Tokens are told late, by up to an exchange's time. Were they taken out of the common bucket as
/// if they were spent then, a full bucket would lose what had come back meanwhile, and a gateway
/// alone would get less than its limit. So a report says since when: what was spent counts from
/// there.
///
/// A report that fails is forgotten, not told again: whether it was taken is not known. Then
/// gateways admit more for a while, by what each may admit alone.
///
/// With `n` gateways that exchange every `d`, delays included, no window of time `t` lets in more
/// than `rate * (t + 2 d) + (n + 1) * (burst + rate * d)`, as long as the store answers.
///
/// The idea of admitting locally and settling by a common account in the background is that of
/// Raghavan et al., "Cloud Control with Distributed Rate Limiting", SIGCOMM 2007.
struct QuotaExchange: Sendable {
    /// Bounds and times, with their defaults.
    struct Configuration: Sendable, Equatable {
        /// The pause between two exchanges (default 100 ms).
        var interval: Duration = .milliseconds(100)
        /// Quotas told of in one exchange (default 512); others wait for the next.
        var roundMax = 512
        /// Of these, those that are gathered while the lock is held once (default 64).
        var batchMax = 64
        /// Quotas with something to tell (default 10,000); others are not told of.
        var quotasMax = 10_000
        /// Gateways that may all spend a burst at once so that it is owed to the last token
        /// (default 16): what more spend is forgiven, and so no quota is shut for longer than what
        /// these take to come.
        var gatewaysMax = 16
        /// How long requests under way count elsewhere without news (default 2 s): those of a
        /// gateway that has ended.
        var inFlightLife: Duration = .seconds(2)

        /// The longest time to full that a bucket can come to.
        func timeToFullMax(_ rate: TokenRate) -> Duration {
            let burst = rate.interval * rate.burst
            return burst + (burst + interval * 2) * max(1, gatewaysMax)
        }
    }

    /// Tokens that were not told yet, and since when.
    private struct Use: Sendable {
        var limits: QuotaLimits
        var tokens: Int
        let since: Duration
    }

    let configuration: Configuration
    /// In the order in which they were first used: none waits longer than those before it.
    private var uses = RecencyMap<SharedQuota, Use>()

    /// Nothing is used yet.
    init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
    }

    /// Quotas with something to tell.
    var count: Int { uses.count }

    /// Takes note of a quota to be told of, and of tokens spent, or given back if below 0.
    mutating func note(
        _ quota: SharedQuota, _ limits: QuotaLimits, tokens: Int, now: Duration
    ) {
        guard limits != QuotaLimits() else { return }
        if uses[quota] != nil {
            uses.update(quota) { use in
                use.limits = limits
                use.tokens += tokens
            }
        } else if uses.count < max(1, configuration.quotasMax) {
            uses.use(quota, Use(limits: limits, tokens: tokens, since: now))
        }
    }

    /// Tokens of a quota that were not told yet.
    func untold(_ quota: SharedQuota) -> Int { uses[quota]?.tokens ?? 0 }

    /// The next quotas to tell of, which from now on have nothing to tell; a batch at most.
    mutating func next(
        now: Duration, inFlight: (SharedQuota) -> Int
    ) -> [QuotaReport] {
        var reports: [QuotaReport] = []
        while reports.count < max(1, configuration.batchMax), let (quota, use) = uses.leastRecent {
            uses.remove(quota)
            reports.append(
                QuotaReport(
                    quota: quota, limits: use.limits, tokens: use.tokens, since: use.since,
                    inFlight: use.limits.concurrent.map { _ in inFlight(quota) }, sentAt: now))
        }
        return reports
    }

    /// When the bucket of this gateway is full, by how the quota stands; nil without a rate.
    ///
    /// What was spent since the report is added. The time counts from when that was sent, as if it
    /// had been answered at once: so the delay makes nothing stricter.
    func fullAt(_ standing: QuotaStanding, of report: QuotaReport) -> Duration? {
        report.limits.rate.map { rate in
            report.sentAt + min(standing.timeToFull, configuration.timeToFullMax(rate))
                + rate.interval * max(0, untold(report.quota))
        }
    }

    /// What other gateways have under way, by how the quota stands; nil where that is not limited.
    func elsewhere(_ standing: QuotaStanding, of report: QuotaReport) -> QuotaElsewhere? {
        report.inFlight.map { _ in
            QuotaElsewhere(
                inFlight: max(0, standing.inFlightElsewhere), gateways: max(1, standing.gateways),
                until: report.sentAt + configuration.inFlightLife)
        }
    }
}
