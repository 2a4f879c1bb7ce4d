import MartletTransport

/// A pool of endpoints at work.
final class PoolRuntime: Sendable {
    /// What the policy says of it.
    let settings: TrafficPolicy.Pool
    /// What is known of its endpoints.
    let directory: EndpointDirectory

    /// A pool, of whose endpoints is known what is known of them in other pools.
    init(_ settings: TrafficPolicy.Pool, after earlier: [PoolRuntime] = [], seed: UInt64) {
        self.settings = settings
        directory = EndpointDirectory(
            addresses: settings.endpoints.map(\.upstream),
            attemptsMax: TrafficPolicy.Retries().attemptsMax,
            balancing: settings.balancing.algorithm, outliers: settings.outliers.configuration,
            health: HealthTracker.Configuration(
                failuresToUnhealthy: settings.health.failuresToUnhealthy,
                successesToHealthy: settings.health.successesToHealthy),
            seed: seed)
        for pool in earlier { directory.inherit(from: pool.directory) }
    }

    /// The number that requests with the same of something share, for pools that go by that.
    func affinityKey(of request: ForwardedRequest) -> UInt64? {
        guard settings.balancing == .consistentHash else { return nil }
        let own = request.context.remoteAddress
        // Without the port, which differs from connection to connection.
        let client = own.lastIndex(of: ":").map { String(own[..<$0]) } ?? own
        return StableHash.hash(settings.hashHeader.map { request.fields.first($0) ?? "" } ?? client)
    }
}

extension TrafficPolicy.Balancing {
    var algorithm: BalancingAlgorithm {
        switch self {
        case .dynamicWeightedRoundRobin: .dynamicWeightedRoundRobin
        case .roundRobin: .roundRobin
        case .leastRequest: .leastRequest
        case .peakEWMA: .peakEWMA
        case .prequal: .prequal
        case .consistentHash: .consistentHash
        }
    }
}

extension TrafficPolicy.Outliers {
    var configuration: OutlierDetectionConfiguration? {
        guard consecutiveFailures > 0 else { return nil }
        return OutlierDetectionConfiguration(
            consecutiveFailures: consecutiveFailures, baseEjectionTime: ejectionTime)
    }
}
