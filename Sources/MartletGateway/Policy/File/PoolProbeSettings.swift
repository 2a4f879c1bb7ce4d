import MartletConfiguration

extension TrafficPolicy {
    /// How nodes are asked for their load between health checks, by which `prequal` picks.
    struct Probes: Sendable, Equatable {
        var isEnabled = Keys.isEnabled.standard
        var spacing = Keys.spacing.standard
        var timeout = Keys.timeout.standard
        var concurrentMax = Keys.concurrentMax.standard

        enum Keys {
            static let isEnabled = ConfigurationKey(
                "enabled", .boolean, default: true,
                "Whether nodes are asked; else what passes through the gateway has to tell.")
            static let spacing = ConfigurationKey(
                "spacing_seconds", .seconds(0.001...60), default: .milliseconds(10),
                "Seconds from one round of probes to the next; each request calls for probes of "
                    + "three nodes.")
            static let timeout = ConfigurationKey(
                "timeout_seconds", .seconds(0.001...60), default: .milliseconds(100),
                "Longest wait for the answer to a probe.")
            static let concurrentMax = ConfigurationKey(
                "concurrent_max", .integer(1...1024), default: 8, "Probes under way at once.")
        }
    }
}

extension TrafficPolicy.Probes: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "probes",
        "How nodes are asked for their load between health checks, by the path of those; with "
            + "`balancing: prequal` and checks by `http`.",
        keys: [Keys.isEnabled, Keys.spacing, Keys.timeout, Keys.concurrentMax])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        isEnabled = section.read(Keys.isEnabled, &problems)
        spacing = section.read(Keys.spacing, &problems)
        timeout = section.read(Keys.timeout, &problems)
        concurrentMax = section.read(Keys.concurrentMax, &problems)
    }
}
