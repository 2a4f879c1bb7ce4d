import MartletConfiguration

extension TrafficPolicy {
    /// Where a pool's nodes are found by DNS.
    struct DNS: Sendable, Equatable {
        /// What DNS is asked for.
        enum Record: String, Sendable, CaseIterable {
            /// Addresses, A and AAAA.
            case address
            /// Names and ports with weights (RFC 2782).
            case service
        }

        var name: String
        var record = Keys.record.standard
        var port: Int?
        var refreshInterval = Keys.refreshInterval.standard
        var server: HostAndPort?

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.dnsName, isRequired: true, "The name to resolve.")
            static let record = ConfigurationKey<Record>(
                "record", .word(), default: .address,
                "What is asked for: `address` is A and AAAA, `service` is SRV, which brings "
                    + "ports and weights.")
            static let port = ConfigurationKey(
                "port", .integer(1...65535), "The port of all addresses; not with `service`.")
            static let refreshInterval = ConfigurationKey(
                "refresh_seconds", .seconds(0.1...3600), default: .seconds(5),
                "Seconds after which the name is resolved again.")
            static let server = ConfigurationKey<HostAndPort?>(
                "server", NameServerForm.address,
                "Address and port of the name server that is asked; what the system uses unless "
                    + "given, with `/etc/hosts` and its search domains.")
        }
    }

    /// How nodes are checked.
    struct Health: Sendable, Equatable {
        /// By which protocol.
        enum CheckProtocol: String, Sendable, CaseIterable {
            case http
            case grpc
            case tcp
        }

        var checkProtocol = Keys.checkProtocol.standard
        var path = Keys.path.standard
        var grpcService: String?
        var checksModels = Keys.checksModels.standard
        var interval = Keys.interval.standard
        var timeout = Keys.timeout.standard
        var failuresToUnhealthy = Keys.failuresToUnhealthy.standard
        var successesToHealthy = Keys.successesToHealthy.standard

        enum Keys {
            static let checkProtocol = ConfigurationKey<CheckProtocol>(
                "protocol", .word(), default: .http,
                "By `http` with GET, by `grpc.health.v1`, or by `tcp` connections.")
            static let path = ConfigurationKey(
                "path", PolicyText.path, default: "/healthz/ready",
                "With `http`: the path that answers 200 when all is well.")
            static let grpcService = ConfigurationKey(
                "grpc_service", .text("the name of a service"),
                "With `grpc`: the service asked for; the server as a whole unless given.")
            static let checksModels = ConfigurationKey(
                "models", .boolean, default: true,
                "With `http`: whether nodes are asked which models they serve, so that a request "
                    + "goes to one that has its model.")
            static let interval = ConfigurationKey(
                "interval_seconds", .seconds(0.1...3600), default: .seconds(1),
                "Seconds between two checks of a node.")
            static let timeout = ConfigurationKey(
                "timeout_seconds", .seconds(0.01...600), default: .seconds(1),
                "Longest wait for the answer to a check.")
            static let failuresToUnhealthy = ConfigurationKey(
                "unhealthy_after", .integer(1...100), default: 2,
                "Checks in a row that fail before a node gets no more requests.")
            static let successesToHealthy = ConfigurationKey(
                "healthy_after", .integer(1...100), default: 1,
                "Checks in a row that succeed before it gets requests again.")
        }
    }
}

extension TrafficPolicy.DNS: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "dns", "Where a pool's nodes are found by DNS.",
        keys: [Keys.name, Keys.record, Keys.port, Keys.refreshInterval, Keys.server])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        record = section.read(Keys.record, &problems)
        port = section.read(Keys.port, &problems)
        refreshInterval = section.read(Keys.refreshInterval, &problems)
        server = section.read(Keys.server, &problems)
        guard let name else { return nil }
        self.name = name
    }
}

extension TrafficPolicy.Health: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "health", "How the nodes of a pool are checked.",
        keys: [
            Keys.checkProtocol, Keys.path, Keys.grpcService, Keys.checksModels, Keys.interval,
            Keys.timeout, Keys.failuresToUnhealthy, Keys.successesToHealthy,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        checkProtocol = section.read(Keys.checkProtocol, &problems)
        path = section.read(Keys.path, &problems)
        grpcService = section.read(Keys.grpcService, &problems)
        checksModels = section.read(Keys.checksModels, &problems)
        interval = section.read(Keys.interval, &problems)
        timeout = section.read(Keys.timeout, &problems)
        failuresToUnhealthy = section.read(Keys.failuresToUnhealthy, &problems)
        successesToHealthy = section.read(Keys.successesToHealthy, &problems)
    }
}
