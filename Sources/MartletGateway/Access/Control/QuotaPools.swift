/// The quotas of all, each tenant's in a table of its own: one that uses up its table, by asking
/// for ever other models, is refused alone.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct QuotaPools: Sendable {
    private struct Pool: Sendable {
        var table: QuotaTable
        var inFlight = 0
    }

    private let configuration: QuotaTable.Configuration
    private var pools: [Pool] = []
    private var places: [String: Int] = [:]
    /// What other gateways are to be told; nil if quotas are this one's own.
    private var exchange: QuotaExchange?

    /// Remembers nothing yet.
    ///
    /// - Parameters:
    ///   - configuration: the bounds of each table.
    ///   - sharing: how quotas are shared with other gateways; nil if they are not.
    init(
        configuration: QuotaTable.Configuration, sharing: QuotaExchange.Configuration? = nil
    ) {
        self.configuration = configuration
        exchange = sharing.map { QuotaExchange(configuration: $0) }
    }

    /// How many tables there are.
    var count: Int { pools.count }

    /// Requests admitted and not released that use a quota.
    func inFlight(_ key: QuotaKey, in pool: String) -> Int {
        places[pool].map { pools[$0].table.inFlight(key) } ?? 0
    }

    /// Takes one request out of all these quotas, or out of none; those that are charged later it
    /// has to find not used up.
    ///
    /// - Parameters:
    ///   - claims: the quotas.
    ///   - pool: whose they are.
    ///   - now: the time.
    /// - Returns: what is left of that of which least is left, or why the request is refused.
    mutating func take(
        _ claims: [QuotaClaim], from pool: String, now: Duration
    ) -> QuotaDecision {
        guard !claims.isEmpty else { return .admitted(nil) }
        let place = place(of: pool)
        var least: QuotaBalance?
        for (index, claim) in claims.enumerated() {
            switch pools[place].table.admit(claim.key, claim.limits, now: now) {
            case .admitted(let balance):
                guard let balance else { continue }
                if balance.remaining < least?.remaining ?? .max { least = balance }
            case .refused(let refusal):
                for taken in claims[..<index] {
                    pools[place].table.revoke(taken.key, taken.limits)
                }
                // Others may have finished theirs.
                if refusal.reason == .concurrency { note([claim], in: pool, tokens: 0, now: now) }
                return .refused(refusal)
            }
        }
        pools[place].inFlight += claims.count
        note(claims, in: pool, tokens: 1, now: now)
        return .admitted(least)
    }

    /// Charges what a request has cost that has not released these quotas yet, to those of them
    /// that count that.
    mutating func charge(
        _ spend: TokenSpend, to claims: [QuotaClaim], in pool: String, now: Duration
    ) {
        guard let place = places[pool] else { return }
        for claim in claims {
            let cost = claim.key.unit.tokens(of: spend)
            guard cost > 0 else { continue }
            pools[place].table.charge(claim.key, claim.limits, cost: cost, now: now)
            exchange?.note(
                SharedQuota(pool: pool, key: claim.key), claim.limits, tokens: cost, now: now)
        }
    }

    /// A request is over that had taken these.
    mutating func release(_ claims: [QuotaClaim], to pool: String) {
        guard let place = places[pool] else { return }
        for claim in claims { pools[place].table.release(claim.key) }
        pools[place].inFlight -= claims.count
    }

    /// A request is refused after all that had taken these, at the same time or before.
    mutating func revoke(_ claims: [QuotaClaim], to pool: String, now: Duration) {
        guard let place = places[pool] else { return }
        for claim in claims { pools[place].table.revoke(claim.key, claim.limits) }
        pools[place].inFlight -= claims.count
        note(claims, in: pool, tokens: -1, now: now)
    }

    /// Forgets all tables but those of these, and those that requests under way still use.
    mutating func keep(_ names: Set<String>) {
        let kept = places.filter { names.contains($0.key) || pools[$0.value].inFlight > 0 }
        let old = pools
        pools = []
        places = [:]
        for (name, place) in kept {
            places[name] = pools.count
            pools.append(old[place])
        }
    }

    // MARK: Sharing

    /// What other gateways are to be told now, a batch at most; each is to be settled.
    mutating func reports(now: Duration) -> [QuotaReport] {
        let (pools, places) = (pools, places)
        return exchange?.next(now: now) { quota in
            places[quota.pool].map { pools[$0].table.inFlight(quota.key) } ?? 0
        } ?? []
    }

    /// Takes in how a quota stands with all gateways; nil if that could not be learnt.
    mutating func settle(_ report: QuotaReport, _ standing: QuotaStanding?, now: Duration) {
        guard let place = places[report.quota.pool] else { return }
        let key = report.quota.key
        if let standing {
            let fullAt = exchange?.fullAt(standing, of: report)
            let elsewhere = exchange?.elsewhere(standing, of: report)
            pools[place].table.settle(key, fullAt: fullAt, elsewhere: elsewhere)
        }
        // What is under way is told again and again, and once more when it is over.
        guard let told = report.inFlight, told > 0 || pools[place].table.inFlight(key) > 0 else {
            return
        }
        exchange?.note(report.quota, report.limits, tokens: 0, now: now)
    }

    private mutating func note(
        _ claims: [QuotaClaim], in pool: String, tokens: Int, now: Duration
    ) {
        for claim in claims {
            // What is charged later is told of all the same: so this gateway learns what is left.
            let tokens = claim.key.unit.isChargedLater ? 0 : tokens
            exchange?.note(
                SharedQuota(pool: pool, key: claim.key), claim.limits, tokens: tokens, now: now)
        }
    }

    private mutating func place(of pool: String) -> Int {
        if let place = places[pool] { return place }
        places[pool] = pools.count
        pools.append(Pool(table: QuotaTable(configuration: configuration)))
        return pools.count - 1
    }
}
