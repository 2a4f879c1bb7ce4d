import MartletTelemetry
import MartletTransport
import Synchronization

/// A pool of endpoints at work.
final class PoolRuntime: Sendable {
    /// What the policy says of it.
    let settings: TrafficPolicy.Pool
    /// What is known of its endpoints.
    let directory: EndpointDirectory

    /// How its endpoints are connected to.
    let options = Shared(UpstreamOptions())

    /// How often that was said anew: certificates may be others since.
    let optionsVersion = Atomic(0)

    /// Tells of picks where nodes are asked for their load; `nil` where they are not.
    let probeSignal: ProbeSignal?
    /// Reads the prompts of requests, for pools that go by them; `nil` for the others.
    let prompts: PromptReader?

    private let concurrency: Shared<AdaptiveConcurrency>?

    /// A pool, of whose endpoints is known what is known of them in other pools.
    ///
    /// - Parameters:
    ///   - settings: what the policy says of it.
    ///   - locality: where the gateway stands.
    ///   - earlier: pools that it may take the place of.
    ///   - seed: sets its choices apart from those of other gateways.
    init(
        _ settings: TrafficPolicy.Pool, locality: TrafficPolicy.Locality = .init(),
        after earlier: [PoolRuntime] = [], seed: UInt64
    ) {
        self.settings = settings
        probeSignal = settings.isProbed ? ProbeSignal() : nil
        concurrency = settings.concurrency.map {
            Shared(AdaptiveConcurrency(configuration: $0.configuration))
        }
        prompts =
            settings.balancing == .prefixAware
            ? PromptReader(
                configuration: BalancingConfiguration().prefix,
                secret: .random(in: .min ... .max)) : nil
        directory = EndpointDirectory(
            settings.endpoints.map { settings.own($0.discovered) },
            configuration: settings.directoryConfiguration(own: locality), seed: seed)
        if let dns = settings.dns {
            // Where a name leads has not changed with what else the policy says of the pool; and
            // until it is known where another leads, the nodes from before are better than none.
            let before =
                earlier.first { $0.settings.dns == dns }
                ?? earlier.first { $0.settings.name == settings.name }
            if let before { _ = directory.update(to: settings.own(before.directory.endpoints)) }
        }
        for pool in earlier {
            // Who says otherwise when endpoints are ejected wants them judged anew.
            let isJudgedSo =
                pool.settings.name == settings.name && pool.settings.outliers == settings.outliers
            directory.inherit(from: pool.directory, keepsEjected: isJudgedSo)
        }
    }

    /// What endpoints are asked to learn whether they are well, by the certificates and keys that
    /// requests go by from now on; `nil` until those are read.
    func healthCheck(on eventLoops: EventLoops) -> HealthCheck? {
        let encryption = options.withLock { $0.encryption }
        // What is to be encrypted is never asked in the clear.
        guard encryption != nil || settings.tls == nil else { return nil }
        return HealthCheck(settings.health, encryption: encryption, eventLoops: eventLoops)
    }

    /// Whether requests are counted in by ``admit(_:now:)``.
    var isShedding: Bool { concurrency != nil }

    /// Counts a request in; after how long it may come again, if it may not come now.
    func admit(_ priority: RequestPriority, now: Duration) -> Duration? {
        guard let admission = concurrency?.withLock({ $0.admit(priority, now: now) }),
            case .refused(let retryAfter) = admission
        else { return nil }
        return retryAfter
    }

    /// A request that was counted in is over.
    ///
    /// `latency` is how long it took; `nil` where that tells nothing.
    func release(latency: Duration?, now: Duration) {
        concurrency?.withLock { $0.release(latency: latency, now: now) }
    }

    /// Requests that may be under way at once by the latency seen; `nil` without such a limit.
    var concurrencyLimit: Int? { concurrency?.withLock { $0.limit } }

    /// Up to how many bytes of a request's body are waited for, to read its prompt; `nil` for none.
    func awaitedPromptBytes(of request: ForwardedRequest) -> Int? {
        guard prompts != nil, request.api == .rest,
            PromptReader.mayHavePrompt(method: request.method, path: request.path)
        else { return nil }
        return PromptReader.bodyBytesMax
    }

    /// The number that requests with the same of something share, for pools that go by that.
    func affinityKey(of request: ForwardedRequest) -> UInt64? {
        if settings.balancing == .prefixAware {
            // A session that a client names; prompts say enough of the others.
            return settings.hashHeader.flatMap { request.fields.first($0) }
                .map { StableHash.hash($0) }
        }
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
        case .prefixAware: .prefixAware
        }
    }

    /// Whether it goes by load reports more often than health checks bring them.
    var goesByLoadReports: Bool {
        switch self {
        case .dynamicWeightedRoundRobin, .leastRequest: true
        // Those that it needs are answers to probes.
        case .prequal: false
        case .roundRobin, .peakEWMA, .consistentHash, .prefixAware: false
        }
    }
}

extension TrafficPolicy.Outliers {
    var configuration: OutlierDetectionConfiguration? {
        let usual = OutlierDetectionConfiguration()
        let comparesNothing = successRateDeviations == 0 && latencyRatioMax == 0
        guard consecutiveFailures > 0 || !comparesNothing else { return nil }
        return OutlierDetectionConfiguration(
            consecutiveFailures: consecutiveFailures > 0 ? consecutiveFailures : nil,
            interval: interval, baseEjectionTime: ejectionTime, ejectionTimeMax: ejectionTimeMax,
            ejectedShareMax: ejectedShareMax,
            successRate: successRateDeviations > 0
                ? .init(deviations: successRateDeviations, requestsMin: requestsMin) : nil,
            failureShare: consecutiveFailures > 0 ? usual.failureShare : nil,
            latency: latencyRatioMax > 0
                ? .init(factor: latencyRatioMax, requestsMin: requestsMin) : nil)
    }
}

extension TrafficPolicy.Pool {
    /// Whether its endpoints are asked for their load between checks.
    fileprivate var isProbed: Bool {
        balancing == .prequal && probes.isEnabled && health.checkProtocol == .http
    }

    /// How its endpoints are chosen and judged.
    fileprivate func directoryConfiguration(
        own: TrafficPolicy.Locality
    ) -> EndpointDirectory.Configuration {
        var configuration = EndpointDirectory.Configuration()
        configuration.balancing = balancing.algorithm
        configuration.outliers = outliers.configuration
        configuration.health = HealthTracker.Configuration(
            failuresToUnhealthy: health.failuresToUnhealthy,
            successesToHealthy: health.successesToHealthy)
        configuration.panic = PanicThreshold(healthyShareMin: panicShare)
        configuration.limits = CircuitBreakerLimits(
            requests: breakers.requestsMax, retries: breakers.retriesMax)
        let zone = nearness.preference == .zone ? own.zone : nil
        if nearness.preference != .none {
            configuration.nearness = .init(
                own: Locality(region: own.region, zone: zone),
                overprovisioning: nearness.overprovisioning)
        }
        return configuration
    }
}

extension TrafficPolicy.Endpoint {
    /// The endpoint as discovery tells of it.
    var discovered: DiscoveredEndpoint {
        DiscoveredEndpoint(
            address: upstream, weight: Int((weight * 1000).rounded()),
            locality: Locality(region: locality.region, zone: locality.zone))
    }
}
