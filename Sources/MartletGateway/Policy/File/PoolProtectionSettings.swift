import MartletConfiguration

extension TrafficPolicy {
    /// Which nodes are ejected, that is get no requests for a while, by how they answer.
    ///
    /// The rules and their names are those of Envoy's outlier detection.
    struct Outliers: Sendable, Equatable {
        var consecutiveFailures = Keys.consecutiveFailures.standard
        var interval = Keys.interval.standard
        var ejectionTime = Keys.ejectionTime.standard
        var ejectionTimeMax = Keys.ejectionTimeMax.standard
        var ejectedShareMax = Keys.ejectedShareMax.standard
        var successRateDeviations = Keys.successRateDeviations.standard
        var latencyRatioMax = Keys.latencyRatioMax.standard
        var requestsMin = Keys.requestsMin.standard

        enum Keys {
            static let consecutiveFailures = ConfigurationKey(
                "consecutive_failures", .integer(0...1000), default: 5,
                "Failures in a row that eject a node at once; 0 for no such rule.")
            static let interval = ConfigurationKey(
                "interval_seconds", .seconds(0.1...3600), default: .seconds(10),
                "Seconds between two comparisons of the nodes' success rates and latencies.")
            static let ejectionTime = ConfigurationKey(
                "ejection_seconds", .seconds(0.1...3600), default: .seconds(30),
                "Seconds of a first ejection; each further one lasts that much longer.")
            static let ejectionTimeMax = ConfigurationKey(
                "ejection_seconds_max", .seconds(0.1...86_400), default: .seconds(300),
                "Longest ejection.")
            static let ejectedShareMax = ConfigurationKey(
                "ejected_percent_max", .percent(), default: 0.5,
                "Largest share of the nodes that is ejected at once.")
            static let successRateDeviations = ConfigurationKey(
                "success_rate_deviations", .number(0...10), default: 1.9,
                "Standard deviations below the mean success rate at which a node is ejected; 0 "
                    + "for no such rule.")
            static let latencyRatioMax = ConfigurationKey(
                "latency_ratio_max", .number(0...1000), default: 5,
                "Multiple of the median latency at which a node is ejected; 0 for no such rule.")
            static let requestsMin = ConfigurationKey(
                "requests_min", .integer(1...1_000_000), default: 100,
                "Requests that a node must have had in an interval to be compared.")
        }
    }

    /// How much may be under way at the nodes of a pool; more is refused at once.
    struct Breakers: Sendable, Equatable {
        var connectionsMax = Keys.connectionsMax.standard
        var requestsMax = Keys.requestsMax.standard
        var pendingRequestsMax = Keys.pendingRequestsMax.standard
        var retriesMax = Keys.retriesMax.standard

        enum Keys {
            static let connectionsMax = ConfigurationKey(
                "connections_max", .integer(1...1_000_000), default: 4096,
                "Connections to a node.")
            static let requestsMax = ConfigurationKey(
                "requests_max", .integer(1...1_000_000), default: 4096,
                "Requests under way at a node.")
            // Not 0: a connection is made for a request that waits for it, so there would be none.
            static let pendingRequestsMax = ConfigurationKey(
                "pending_requests_max", .integer(1...1_000_000), default: 1024,
                "Requests that wait for a connection to a node.")
            static let retriesMax = ConfigurationKey(
                "retries_max", .integer(0...1_000_000), default: 1024,
                "Retries of the pool under way.")
        }
    }

    /// How many requests the nodes of a pool can bear, found out by how long answers take.
    struct Concurrency: Sendable, Equatable {
        var latencyTolerance = Keys.latencyTolerance.standard
        var requestsMin = Keys.requestsMin.standard
        var requestsMax = Keys.requestsMax.standard

        enum Keys {
            static let latencyTolerance = ConfigurationKey(
                "latency_tolerance", .number(1...100), default: 2,
                "How many times as long as in light use answers may take.")
            static let requestsMin = ConfigurationKey(
                "requests_min", .integer(1...1_000_000), default: 4,
                "Requests under way that are always allowed.")
            static let requestsMax = ConfigurationKey(
                "requests_max", .integer(1...1_000_000), default: 4096,
                "Requests under way that are never exceeded.")
        }

        var configuration: AdaptiveConcurrencyConfiguration {
            AdaptiveConcurrencyConfiguration(
                limitMin: requestsMin, limitMax: requestsMax, tolerance: latencyTolerance)
        }
    }

    /// Whether near nodes come first.
    struct Nearness: Sendable, Equatable {
        /// What counts as near.
        enum Preference: String, Sendable, CaseIterable {
            case none
            case region
            case zone
        }

        var preference = Keys.preference.standard
        var overprovisioning = Keys.overprovisioning.standard

        enum Keys {
            static let preference = ConfigurationKey<Preference>(
                "prefer", .word(), default: .none,
                "Nodes of the gateway's own `zone` come first and those of its `region` next, or "
                    + "those of its `region` first.")
            static let overprovisioning = ConfigurationKey(
                "overprovisioning", .number(1...10), default: 1.4,
                "Requests overflow to farther nodes once the share of near ones that is healthy, "
                    + "times this, is below 1.")
        }
    }
}

extension TrafficPolicy.Outliers: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "outliers",
        "Which nodes get no requests for a while, by how they answer compared to the others.",
        keys: [
            Keys.consecutiveFailures, Keys.interval, Keys.ejectionTime, Keys.ejectionTimeMax,
            Keys.ejectedShareMax, Keys.successRateDeviations, Keys.latencyRatioMax,
            Keys.requestsMin,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        consecutiveFailures = section.read(Keys.consecutiveFailures, &problems)
        interval = section.read(Keys.interval, &problems)
        ejectionTime = section.read(Keys.ejectionTime, &problems)
        ejectionTimeMax = section.read(Keys.ejectionTimeMax, &problems)
        ejectedShareMax = section.read(Keys.ejectedShareMax, &problems)
        successRateDeviations = section.read(Keys.successRateDeviations, &problems)
        latencyRatioMax = section.read(Keys.latencyRatioMax, &problems)
        requestsMin = section.read(Keys.requestsMin, &problems)
    }
}

extension TrafficPolicy.Breakers: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "breakers", "How much may be under way at the nodes of a pool; more is refused at once.",
        keys: [
            Keys.connectionsMax, Keys.requestsMax, Keys.pendingRequestsMax, Keys.retriesMax,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        connectionsMax = section.read(Keys.connectionsMax, &problems)
        requestsMax = section.read(Keys.requestsMax, &problems)
        pendingRequestsMax = section.read(Keys.pendingRequestsMax, &problems)
        retriesMax = section.read(Keys.retriesMax, &problems)
    }
}

extension TrafficPolicy.Concurrency: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "adaptive_concurrency",
        "How many requests the nodes of a pool can bear, found out by how long answers take; those "
            + "of the least priority are refused first.",
        keys: [Keys.latencyTolerance, Keys.requestsMin, Keys.requestsMax])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        latencyTolerance = section.read(Keys.latencyTolerance, &problems)
        requestsMin = section.read(Keys.requestsMin, &problems)
        requestsMax = section.read(Keys.requestsMax, &problems)
    }
}

extension TrafficPolicy.Nearness: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "nearness", "Whether nodes near the gateway's `locality` come first.",
        keys: [Keys.preference, Keys.overprovisioning])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        preference = section.read(Keys.preference, &problems)
        overprovisioning = section.read(Keys.overprovisioning, &problems)
    }
}
