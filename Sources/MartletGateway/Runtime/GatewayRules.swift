import MartletCore
import MartletTransport

/// A policy at work: pools, routes, cache.
///
/// It is replaced as a whole by the next.
final class GatewayRules: Sendable {
    /// What it was made of.
    let policy: TrafficPolicy
    let pools: [PoolRuntime]
    let routes: [RouteRuntime]
    let cache: AnswerCache?
    let table: RouteTable
    /// The one pool that everything goes to, where nothing has to be decided.
    let onlyPool: RequestState?

    /// Makes a policy ready.
    ///
    /// - Parameters:
    ///   - policy: a policy without mistakes.
    ///   - earlier: the rules that are replaced: what has not changed keeps what it has learnt.
    ///   - shared: what gateways share of their caches.
    ///   - now: the time, since the gateway's origin.
    init(
        _ policy: TrafficPolicy, after earlier: GatewayRules? = nil, shared: SharedAnswers? = nil,
        now: Duration
    ) {
        self.policy = policy
        let pools = policy.pools.map { settings in
            earlier?.pools.first {
                $0.settings == settings && earlier?.policy.locality == policy.locality
            }
                ?? PoolRuntime(
                    settings, locality: policy.locality, after: earlier?.pools ?? [],
                    seed: .random(in: .min ... .max))
        }
        self.pools = pools
        let byName = Dictionary(pools.map { ($0.settings.name, $0) }) { first, _ in first }
        routes = policy.routes.map { settings in
            let same = earlier?.routes.first { $0.settings == settings }
            let isAsItWas = same?.allPools.allSatisfy { pool in pools.contains { $0 === pool } }
            if let same, isAsItWas == true { return same }
            return RouteRuntime(settings, pools: byName, after: same, now: now)
        }
        table = RouteTable(policy.routes)
        let usesCache = policy.routes.contains(where: \.usesCache)
        let isSameCache = earlier?.policy.cache == policy.cache
        cache =
            usesCache
            ? (isSameCache ? earlier?.cache : nil) ?? AnswerCache(policy.cache, shared: shared)
            : nil
        onlyPool = GatewayRules.onlyPool(policy, routes)
    }

    private static func onlyPool(
        _ policy: TrafficPolicy, _ routes: [RouteRuntime]
    ) -> RequestState? {
        guard policy.access == nil, let route = routes.first, routes.count == 1,
            let pool = route.pools.first, pool.settings.balancing != .consistentHash,
            pool.prompts == nil, !pool.isShedding, !route.settings.timeouts.countsTokens
        else { return nil }
        var plain = TrafficPolicy.Route(name: route.settings.name)
        plain.pool = route.settings.pool
        plain.retries = route.settings.retries
        plain.timeouts = route.settings.timeouts
        return plain == route.settings ? RequestState(route: route, pool: pool) : nil
    }

    /// Endpoints may be used of at least one pool.
    var isReady: Bool { pools.contains { $0.directory.isReady } }
}
