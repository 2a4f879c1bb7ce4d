/// Holds each API key to its quota of each model: so much a second, so many at once.
///
/// It remembers a bounded number of quotas. For a new one it forgets one that is not in use and
/// whose bucket is full: that knows nothing a new one would not, so forgetting never grants
/// anything. It looks at those that were used least recently, at a few of them; those that cannot
/// be forgotten yet go to the back of the line.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct QuotaTable: Sendable {
    /// Bounds and waits, with their defaults.
    struct Configuration: Sendable, Equatable {
        /// Quotas remembered, at least 1 (default 10,000).
        var quotasMax = 10_000
        /// Quotas looked at for one to forget, at least 1 (default 16).
        var searchMax = 16
        /// The wait that a refusal asks for where nobody knows when it ends: at the limit of
        /// requests at once (default 1 s).
        var unknownWait: Duration = .seconds(1)
    }

    fileprivate struct Quota: Sendable {
        var bucket = TokenBucket()
        var inFlight = 0
        /// What other gateways have under way; nil if nothing is known of them.
        var elsewhere: QuotaElsewhere?

        func isForgettable(now: Duration) -> Bool { inFlight == 0 && bucket.isFull(now: now) }
    }

    let configuration: Configuration
    private var quotas: RecencyMap<QuotaKey, Quota>

    /// Remembers nothing yet.
    init(configuration: Configuration = Configuration()) {
        self.configuration = configuration
        quotas = RecencyMap()
    }

    /// Quotas remembered now.
    var count: Int { quotas.count }

    /// Requests of a quota that are admitted and not yet released.
    func inFlight(_ key: QuotaKey) -> Int { quotas[key]?.inFlight ?? 0 }

    /// Admits a request and takes its cost, in tokens, or refuses it and takes nothing.
    ///
    /// The limits may differ from call to call, as after a reload. A cost below 1 counts as 1. Of a
    /// quota that is charged later (``QuotaUnit/isChargedLater``) nothing is taken yet: a request
    /// is admitted while anything is left.
    mutating func admit(
        _ key: QuotaKey, _ limits: QuotaLimits, cost: Int = 1, now: Duration
    ) -> QuotaDecision {
        let remembered = quotas[key]
        guard remembered != nil || makeRoom(now: now) else {
            return .refused(
                QuotaRefusal(reason: .tableFull, wait: configuration.unknownWait, balance: nil))
        }
        var quota = remembered ?? Quota()
        let refusal =
            key.unit.isChargedLater
            ? quota.begin(limits, now: now) : quota.take(limits, cost: cost, now: now)
        quotas.use(key, quota)
        let balance = key.unit.isChargedLater ? nil : quota.balance(limits, now: now)
        guard let (reason, wait) = refusal else { return .admitted(balance) }
        let known = reason == .concurrency ? configuration.unknownWait : wait
        return .refused(
            QuotaRefusal(reason: reason, wait: known, balance: balance, unit: key.unit))
    }

    /// Takes what a request has cost that is not released yet, in tokens, though no more be left:
    /// the rest is owed.
    mutating func charge(_ key: QuotaKey, _ limits: QuotaLimits, cost: Int, now: Duration) {
        guard let rate = limits.rate else { return }
        quotas.update(key) { $0.bucket.charge(cost, rate, now: now) }
    }

    /// A request that was admitted is over.
    mutating func release(_ key: QuotaKey) {
        quotas.update(key) { $0.inFlight = max(0, $0.inFlight - 1) }
    }

    /// A request that was admitted is refused after all, for another reason: it is over, and what
    /// it took with these limits is given back.
    mutating func revoke(_ key: QuotaKey, _ limits: QuotaLimits, cost: Int = 1) {
        quotas.update(key) { quota in
            quota.inFlight = max(0, quota.inFlight - 1)
            guard let rate = limits.rate, !key.unit.isChargedLater else { return }
            quota.bucket.giveBack(cost, rate)
        }
    }

    /// Takes in how a quota stands with all gateways, if it is remembered; see ``QuotaExchange``.
    ///
    /// - Parameters:
    ///   - key: the quota.
    ///   - fullAt: before when its bucket is not full; nil without a rate.
    ///   - elsewhere: what others have under way; nil where that is not limited.
    mutating func settle(_ key: QuotaKey, fullAt: Duration?, elsewhere: QuotaElsewhere?) {
        quotas.update(key) { quota in
            if let fullAt { quota.bucket.fill(noEarlierThan: fullAt) }
            quota.elsewhere = elsewhere
        }
    }

    /// Whether there is room for one more, after forgetting one if need be and possible.
    private mutating func makeRoom(now: Duration) -> Bool {
        guard quotas.count >= max(1, configuration.quotasMax) else { return true }
        for _ in 0..<max(1, configuration.searchMax) {
            guard let (key, quota) = quotas.leastRecent else { return true }
            if quota.isForgettable(now: now) {
                quotas.remove(key)
                return true
            }
            quotas.use(key, quota)
        }
        return false
    }
}

extension QuotaTable.Quota {
    /// Takes what a request needs; answers with why it cannot, and how long to wait where that is
    /// known.
    fileprivate mutating func take(
        _ limits: QuotaLimits, cost: Int, now: Duration
    ) -> (QuotaRefusal.Reason, wait: Duration?)? {
        // First what costs nothing: a refused request must not have spent tokens.
        if let most = limits.concurrent,
            inFlight >= elsewhere?.share(of: most, now: now) ?? most
        {
            return (.concurrency, nil)
        }
        if let rate = limits.rate {
            switch bucket.spend(cost, rate, now: now) {
            case .granted: break
            case .refused(let wait): return (.rate, wait)
            case .impossible: return (.cost, nil)
            }
        }
        inFlight += 1
        return nil
    }

    /// Lets a request begin that is charged later, if anything is left; answers with why it may
    /// not, and how long to wait.
    fileprivate mutating func begin(
        _ limits: QuotaLimits, now: Duration
    ) -> (QuotaRefusal.Reason, wait: Duration?)? {
        let wait = limits.rate.map { bucket.timeToOne($0, now: now) } ?? .zero
        guard wait == .zero else { return (.tokens, wait) }
        inFlight += 1
        return nil
    }

    fileprivate func balance(_ limits: QuotaLimits, now: Duration) -> QuotaBalance? {
        limits.rate.map {
            QuotaBalance(
                limit: $0.burst, remaining: bucket.remaining($0, now: now),
                reset: bucket.timeToFull(now: now))
        }
    }
}
