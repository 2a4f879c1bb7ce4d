public import Logging
import MartletConfiguration
public import MartletCore
public import MartletTelemetry
public import MartletTransport
public import ServiceLifecycle

/// The front door of a cluster: forwards requests to healthy endpoints, by weight.
public struct Gateway: Service {
    /// How a gateway is set up.
    public struct Configuration: Sendable {
        /// The endpoints to forward to.
        public var endpoints: [UpstreamAddress]
        /// Address and port for clients.
        public var listen: UpstreamAddress
        /// Address and port for operators.
        public var admin: UpstreamAddress
        /// How endpoints are known, and the gateway to them; `nil` speaks to them in the clear.
        public var endpointTLS: EndpointTLS?
        /// Certificates for clients; `nil` serves in the clear.
        public var tls: ServerTLS?
        /// How the endpoint of a request is chosen.
        public var balancing = BalancingAlgorithm.dynamicWeightedRoundRobin
        /// The traffic policy, which says all that concerns endpoints in place of what is here;
        /// where there are endpoints, it was read with ``givenNodes``.
        public var policy: TrafficPolicy.Reading?
        /// Where the policy was read, to be read again.
        public var policyFile: String?
        /// Attempts at a request, the first one included.
        public var attemptsMax = 3
        /// When endpoints are ejected for how they answer; `nil` for never.
        public var outliers: OutlierDetectionConfiguration? = OutlierDetectionConfiguration()
        /// Pause between two checks of an endpoint.
        public var healthCheckInterval: Duration = .seconds(1)
        /// Longest wait for the answer to a check.
        public var healthCheckTimeout: Duration = .seconds(1)
        /// Bounds on requests.
        public var limits = Limits()
        /// Bounds on forwarding.
        public var forwarding = ForwardingLimits()

        /// Creates a configuration with the defaults for the rest.
        public init(endpoints: [UpstreamAddress], listen: UpstreamAddress, admin: UpstreamAddress) {
            self.endpoints = endpoints
            self.listen = listen
            self.admin = admin
        }
    }

    /// The files of TLS with endpoints.
    public struct EndpointTLS: Sendable, Equatable {
        /// Authorities that sign the endpoints' certificates; `nil` for those of the system.
        public var authorities: String?
        /// The certificate that the gateway shows; `nil` for none.
        public var certificate: String?
        /// Its private key, which is there if the certificate is.
        public var key: String?

        /// Creates a description of files; nothing is read yet.
        public init(authorities: String?, certificate: String?, key: String?) {
            self.authorities = authorities
            self.certificate = certificate
            self.key = key
        }
    }

    private let listener: Listener
    private let admin: Listener
    private let checker: HealthChecker
    private let reloader: PolicyReloader
    private let memory: MemoryWatch
    private let access: AccessService
    private let sharing: QuotaSharing?
    private let redis: [RedisClient]

    /// The port that is bound for clients.
    public var port: Int { listener.port }

    /// The port that is bound for operators.
    public var adminPort: Int { admin.port }

    /// Binds both ports.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) when an address cannot be bound.
    public static func start(
        _ configuration: Configuration, eventLoops: EventLoops, accessLog: AccessLog,
        logger: Logger
    ) async throws -> Gateway {
        let reading = configuration.policy
        let traffic = reading?.policy ?? configuration.policyOfFlags
        if let reading { PolicyReloader.warn(of: reading, logger) }
        let metrics = MetricsRegistry()
        let journal = GatewayJournal(metrics: metrics, accessLog: accessLog)
        let pools = try await UpstreamPools(
            eventLoops: eventLoops, limits: configuration.forwarding)
        let keys = KeyFetcher(eventLoops: eventLoops)
        let access = try await AccessService(
            traffic.access, fetch: { try await keys.text(at: $0, authorityFile: $1) },
            logger: logger)
        // Connections of their own: large answers do not delay what is told of quotas.
        let answers = try redis(traffic.cache.redis, eventLoops: eventLoops, logger: logger)
        let quotas = try redis(traffic.access?.redis, eventLoops: eventLoops, logger: logger)
        let shared = answers.map { SharedAnswers($0) }
        let rules = GatewayRules(traffic, shared: shared, now: .zero)
        rules.apply(try traffic.upstreamOptions(), to: pools)
        let policy = GatewayPolicy(
            rules: rules, journal: journal, access: access, pools: pools,
            attemptTimeout: configuration.forwarding.attemptTimeout, logger: logger)
        let sharing = quotas.map { QuotaSharing(access.control, of: policy, through: $0) }
        GatewayMetrics.register(in: metrics, policy: policy)
        let (changes, didChange) = AsyncStream<Void>.makeStream()
        let reloader = PolicyReloader(
            file: configuration.policyFile, nodes: configuration.givenNodes, policy: policy,
            didChange: didChange, shared: shared, logger: logger)
        var options = ListenerOptions()
        options.acceptsOnEveryLoop = traffic.listen.reusePort
        options.tls = configuration.tls ?? traffic.serverTLS
        let listener = try await Listener.bind(
            to: .tcp(host: configuration.listen.host, port: configuration.listen.port),
            options: options, forwardingBy: policy, through: pools,
            limits: configuration.limits, eventLoops: eventLoops, logger: logger)
        let admin = try await Listener.bind(
            host: configuration.admin.host, port: configuration.admin.port,
            responder: AdminResponder(
                policy: policy, reloader: reloader, metrics: metrics,
                access: try AdminPortAccess(
                    traffic.admin, host: configuration.admin.host)),
            limits: configuration.limits, eventLoops: eventLoops, logger: logger)
        let checker = HealthChecker(
            policy: policy, eventLoops: eventLoops, changes: changes)
        logger.info(
            "listening",
            metadata: ["address": "\(listener.address)", "admin_address": "\(admin.address)"])
        return Gateway(
            listener: listener, admin: admin, checker: checker, reloader: reloader,
            memory: MemoryWatch(policy), access: access, sharing: sharing,
            redis: [answers, quotas].compactMap(\.self))
    }

    private init(
        listener: Listener, admin: Listener, checker: HealthChecker, reloader: PolicyReloader,
        memory: MemoryWatch, access: AccessService, sharing: QuotaSharing?, redis: [RedisClient]
    ) {
        self.sharing = sharing
        self.redis = redis
        self.listener = listener
        self.admin = admin
        self.checker = checker
        self.reloader = reloader
        self.memory = memory
        self.access = access
    }

    private static func redis(
        _ settings: TrafficPolicy.Redis?, eventLoops: EventLoops, logger: Logger
    ) throws -> RedisClient? {
        try settings.map {
            try RedisClient(try RedisConfiguration($0), eventLoops: eventLoops, logger: logger)
        }
    }

    /// Reads the policy again.
    ///
    /// - Throws: `ConfigurationError` or `ServingError`, after which all is as it was.
    public func reload() async throws { try await reloader.reload() }

    /// Forwards until graceful shutdown, then drains.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            group.addTask { try await admin.run() }
            group.addTask { try await checker.run() }
            group.addTask { try await reloader.run() }
            group.addTask { try await memory.run() }
            group.addTask { try await access.run() }
            if let sharing { group.addTask { try await sharing.run() } }
            for redis in redis { group.addTask { try await redis.run() } }
            try await group.waitForAll()
        }
    }
}

extension Gateway.Configuration {
    /// The endpoints for a policy that does not name its own; `nil` without endpoints.
    public var givenNodes: TrafficPolicy.GivenNodes? {
        guard !endpoints.isEmpty, let pool = policyOfFlags.pools.first else { return nil }
        return TrafficPolicy.GivenNodes(pool: pool)
    }

    /// The policy that flags alone amount to.
    var policyOfFlags: TrafficPolicy {
        var policy = TrafficPolicy()
        var pool = TrafficPolicy.Pool(name: TrafficPolicy.defaultPool)
        pool.endpoints = endpoints.map {
            TrafficPolicy.Endpoint(address: HostAndPort(host: $0.host, port: $0.port))
        }
        pool.balancing =
            TrafficPolicy.Balancing.allCases.first { $0.algorithm == balancing }
            ?? pool.balancing
        pool.health.interval = healthCheckInterval
        pool.health.timeout = healthCheckTimeout
        if let outliers {
            pool.outliers.consecutiveFailures = outliers.consecutiveFailures ?? 0
            pool.outliers.ejectionTime = outliers.baseEjectionTime
        } else {
            pool.outliers.consecutiveFailures = 0
            pool.outliers.successRateDeviations = 0
            pool.outliers.latencyRatioMax = 0
        }
        pool.connectTimeout = forwarding.connectTimeout
        pool.idleTimeout = forwarding.upstreamIdleTimeout
        pool.tls = endpointTLS.map {
            TrafficPolicy.UpstreamTLS(
                caFile: $0.authorities, certificateFile: $0.certificate, keyFile: $0.key)
        }
        policy.pools = [pool]
        var route = TrafficPolicy.Route(name: TrafficPolicy.defaultPool)
        route.pool = pool.name
        route.retries.attemptsMax = attemptsMax
        policy.routes = [route]
        return policy
    }
}
