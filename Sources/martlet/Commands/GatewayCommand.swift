import ArgumentParser
import Foundation
import Logging
import MartletConfiguration
import MartletCore
import MartletGateway
import MartletOperations
import MartletTelemetry
import MartletTransport
import ServiceLifecycle
import UnixSignals

/// Runs a gateway.
struct GatewayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gateway",
        abstract: "Forward requests to nodes: the front door of a cluster.",
        discussion: """
            REST and gRPC come in on one port and go to healthy endpoints by dynamic weighted \
            round robin. A prediction whose endpoint dies is sent to another one.

            EXAMPLES
              martlet gateway --endpoint 127.0.0.1:8500 --endpoint 127.0.0.1:8501
              martlet gateway --config gateway.yaml
              Nodes by flags, and the rest by a policy that names none:
                martlet gateway --endpoint 127.0.0.1:8500 --config gateway.yaml
              curl http://127.0.0.1:8081/v1/endpoints
            """)

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp(
            "The traffic policy: pools, routes, access, cache. Read again on SIGHUP and when it "
                + "changes. Beside --endpoint it names no nodes and no addresses.",
            valueName: "gateway.yaml"))
    var config: String?

    @Option(
        name: .customLong("endpoint"),
        help: ArgumentHelp("A node to forward to.", valueName: "host:port"))
    var endpoints: [NetworkAddress] = []

    @Option(help: "Port for clients; 0 for any free one. (default: 8080, or the policy's)")
    var port: Int?

    @Option(
        help: ArgumentHelp(
            "Port for metrics, health and status; 0 for any free one. "
                + "(default: 8081, or the policy's)")
    )
    var adminPort: Int?

    @Option(help: "Address of the admin port; reading needs no token unless the policy has one.")
    var adminHost = "127.0.0.1"

    @Option(help: "File to write the admin port to once it is bound.")
    var adminPortFile: String?

    @Option(help: "How the endpoint of a request is chosen.")
    var balancing = BalancingAlgorithm.dynamicWeightedRoundRobin

    @Option(help: "Pause between two health checks of an endpoint, in seconds.")
    var healthCheckIntervalSeconds = 1.0

    @Option(help: "Longest wait for the answer to a health check, in seconds.")
    var healthCheckTimeoutSeconds = 1.0

    @Option(help: "Attempts at a request, the first one included.")
    var maxAttempts = 3

    @Option(
        help: """
            Failures in a row after which an endpoint is out of use for a while; 0 to eject none, \
            nor those that answer far worse than the others.
            """)
    var outlierConsecutiveFailures = 5

    @Option(help: "How long a first ejection lasts, in seconds; those that follow last longer.")
    var outlierEjectionSeconds = 30.0

    @Option(help: "Bytes of a request kept, and of a response held back, for another attempt.")
    var replayBytes = ForwardingLimits().replayBytes

    @Option(help: "Bytes kept and held back by all requests together.")
    var replayBudgetBytes = ForwardingLimits().replayBudgetBytes

    @Option(help: "Longest wait for a connection to an endpoint, in seconds.")
    var connectTimeoutSeconds = ForwardingLimits().connectTimeout.seconds

    @Option(
        help: """
            Longest time for one attempt at a request that may run twice, while there is another \
            endpoint for it, in seconds; 0 for none.
            """)
    var attemptTimeoutSeconds = 0.0

    @Option(help: "Longest time from a request's head to the end of its response, in seconds.")
    var requestTimeoutSeconds = ForwardingLimits().requestTimeout.seconds

    @Option(help: "How long an idle connection to an endpoint is kept, in seconds.")
    var upstreamIdleTimeoutSeconds = ForwardingLimits().upstreamIdleTimeout.seconds

    @OptionGroup var listen: ListenOptions
    @OptionGroup var tlsOptions: TLSOptions
    @OptionGroup var upstreamTLSOptions: UpstreamTLSOptions
    @OptionGroup var limitOptions: LimitOptions
    @OptionGroup var logOptions: LogOptions

    func validate() throws {
        try ListenOptions.validate(port: port ?? 0, flag: "--port")
        try ListenOptions.validate(port: adminPort ?? 0, flag: "--admin-port")
        guard !endpoints.isEmpty || config != nil else {
            throw ValidationError(
                "Name at least one node with --endpoint HOST:PORT, or a policy with --config FILE")
        }
        guard !endpoints.isEmpty || upstreamTLSOptions.tls == nil else {
            throw ValidationError(
                "--upstream-tls-ca is for nodes named by --endpoint; those of a policy have 'tls' "
                    + "in their pool")
        }
        if let repeated = endpoints.first(where: { one in
            endpoints.filter { $0 == one }.count > 1
        }) {
            throw ValidationError("--endpoint names \(repeated) twice")
        }
        if let unbound = endpoints.first(where: { $0.port == 0 }) {
            throw ValidationError("--endpoint \(unbound) has port 0; name the node's port")
        }
        guard maxAttempts > 0, maxAttempts <= 100 else {
            throw ValidationError("--max-attempts is \(maxAttempts); use 1 to 100")
        }
        guard (0...1_000_000).contains(outlierConsecutiveFailures) else {
            throw ValidationError(
                "--outlier-consecutive-failures is \(outlierConsecutiveFailures); use 0 or more")
        }
        guard attemptTimeoutSeconds >= 0, attemptTimeoutSeconds < 1e6 else {
            throw ValidationError(
                "--attempt-timeout-seconds is \(attemptTimeoutSeconds); it must be 0 or more")
        }
        guard replayBytes >= 0, replayBudgetBytes >= 0 else {
            throw ValidationError("--replay-bytes and --replay-budget-bytes must not be negative")
        }
        let positive: [(String, Double)] = [
            ("--health-check-interval-seconds", healthCheckIntervalSeconds),
            ("--health-check-timeout-seconds", healthCheckTimeoutSeconds),
            ("--outlier-ejection-seconds", outlierEjectionSeconds),
            ("--connect-timeout-seconds", connectTimeoutSeconds),
            ("--request-timeout-seconds", requestTimeoutSeconds),
            ("--upstream-idle-timeout-seconds", upstreamIdleTimeoutSeconds),
        ]
        for (flag, value) in positive where !(value > 0 && value < 1e6) {
            throw ValidationError("\(flag) is \(value); it must be greater than 0")
        }
    }

    func run() async throws {
        if listen.exitWithParent { exitWithParent() }
        FileDescriptors.raiseLimit()
        let logs = logOptions.start()
        defer { logs.output.flush() }
        do {
            try await forward(accessLog: logs.accessLog)
        } catch {
            logs.output.flush()
            throw ExitCodes.report(error)
        }
    }

    /// What the flags and the policy say.
    ///
    /// - Throws: `ConfigurationError` of the policy.
    func gatewayConfiguration() throws -> Gateway.Configuration {
        var configuration = flagConfiguration()
        guard let config else { return configuration }
        let nodes = configuration.givenNodes
        let reading = try TrafficPolicy.load(file: config, nodes: nodes)
        configuration.policy = reading
        configuration.policyFile = config
        // Beside endpoints, flags say the addresses too, and the policy has none.
        guard nodes == nil else { return configuration }
        let (clients, operators) = (reading.policy.listenAddress, reading.policy.adminAddress)
        configuration.listen = UpstreamAddress(host: clients.host, port: port ?? clients.port)
        configuration.admin = UpstreamAddress(
            host: operators.host, port: adminPort ?? operators.port)
        return configuration
    }

    private func flagConfiguration() -> Gateway.Configuration {
        var configuration = Gateway.Configuration(
            endpoints: endpoints.map { UpstreamAddress(host: $0.host, port: $0.port) },
            listen: UpstreamAddress(host: listen.host, port: port ?? 8080),
            admin: UpstreamAddress(host: adminHost, port: adminPort ?? 8081))
        configuration.endpointTLS = upstreamTLSOptions.tls
        configuration.tls = tlsOptions.tls
        // Unlike nodes, which old clients reach directly.
        configuration.tls?.minimumVersion = .tls13
        configuration.balancing = balancing
        configuration.attemptsMax = maxAttempts
        configuration.outliers =
            outlierConsecutiveFailures == 0
            ? nil
            : OutlierDetectionConfiguration(
                consecutiveFailures: outlierConsecutiveFailures,
                baseEjectionTime: .seconds(outlierEjectionSeconds))
        configuration.healthCheckInterval = .seconds(healthCheckIntervalSeconds)
        configuration.healthCheckTimeout = .seconds(healthCheckTimeoutSeconds)
        configuration.limits = limitOptions.limits
        configuration.forwarding.replayBytes = replayBytes
        configuration.forwarding.replayBudgetBytes = replayBudgetBytes
        configuration.forwarding.connectTimeout = .seconds(connectTimeoutSeconds)
        configuration.forwarding.attemptTimeout =
            attemptTimeoutSeconds > 0 ? .seconds(attemptTimeoutSeconds) : nil
        configuration.forwarding.requestTimeout = .seconds(requestTimeoutSeconds)
        configuration.forwarding.upstreamIdleTimeout = .seconds(upstreamIdleTimeoutSeconds)
        return configuration
    }

    private func forward(accessLog: AccessLog) async throws {
        let logger = Logger(label: "martlet.gateway")
        let gateway = try await Gateway.start(
            try gatewayConfiguration(),
            eventLoops: EventLoops(count: ProcessorAllowance.ofProcess.cores),
            accessLog: accessLog, logger: logger)
        try ListenOptions.write(port: gateway.port, to: listen.portFile)
        try ListenOptions.write(port: gateway.adminPort, to: adminPortFile)
        try await ServiceGroup(
            services: [gateway, PolicyReloadSignal(gateway: gateway)],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: Logger(label: "martlet.lifecycle")
        ).run()
        logger.info("stopped")
    }
}

/// Reads the policy again on SIGHUP, as long as the gateway runs.
private struct PolicyReloadSignal: Service {
    let gateway: Gateway

    func run() async throws {
        await cancelWhenGracefulShutdown {
            // A policy that cannot be used is logged, and changes nothing.
            for await _ in await UnixSignalsSequence(trapping: .sighup) {
                try? await gateway.reload()
            }
        }
    }
}
