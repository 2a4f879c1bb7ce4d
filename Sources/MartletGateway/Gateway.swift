public import Logging
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
        /// Certificates for clients; `nil` serves in the clear.
        public var tls: ServerTLS?
        /// How the endpoint of a request is chosen.
        public var balancing = BalancingAlgorithm.dynamicWeightedRoundRobin
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

    private let listener: Listener
    private let admin: Listener
    private let checker: HealthChecker
    private let logger: Logger

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
        let metrics = MetricsRegistry()
        let directory = EndpointDirectory(
            addresses: configuration.endpoints, attemptsMax: configuration.attemptsMax,
            balancing: configuration.balancing, outliers: configuration.outliers, seed: .random(in: .min ... .max))
        GatewayMetrics.register(in: metrics, directory: directory)
        let journal = GatewayJournal(metrics: metrics, accessLog: accessLog)
        let pools = try await UpstreamPools(
            eventLoops: eventLoops, limits: configuration.forwarding)
        let policy = GatewayPolicy(
            directory: directory, journal: journal, pools: pools,
            attemptTimeout: configuration.forwarding.attemptTimeout, logger: logger)
        var options = ListenerOptions()
        options.tls = configuration.tls
        let listener = try await Listener.bind(
            to: .tcp(host: configuration.listen.host, port: configuration.listen.port),
            options: options, forwardingBy: policy, through: pools,
            limits: configuration.limits, eventLoops: eventLoops, logger: logger)
        let admin = try await Listener.bind(
            host: configuration.admin.host, port: configuration.admin.port,
            responder: AdminResponder(directory: directory, metrics: metrics),
            limits: configuration.limits, eventLoops: eventLoops, logger: logger)
        let checker = HealthChecker(
            directory: directory, journal: journal, client: ControlClient(eventLoops: eventLoops),
            pools: pools,
            interval: configuration.healthCheckInterval,
            timeout: configuration.healthCheckTimeout, logger: logger)
        logger.info(
            "listening",
            metadata: ["address": "\(listener.address)", "admin_address": "\(admin.address)"])
        return Gateway(listener: listener, admin: admin, checker: checker, logger: logger)
    }

    private init(listener: Listener, admin: Listener, checker: HealthChecker, logger: Logger) {
        self.listener = listener
        self.admin = admin
        self.checker = checker
        self.logger = logger
    }

    /// Forwards until graceful shutdown, then drains.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await listener.run() }
            group.addTask { try await admin.run() }
            group.addTask { try await checker.run() }
            try await group.waitForAll()
        }
    }
}
