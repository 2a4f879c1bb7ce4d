import MartletConfiguration

extension TrafficPolicy {
    /// Where answers are kept, and for how long.
    struct Cache: Sendable, Equatable {
        var memoryBytes = Keys.memoryBytes.standard
        var entryBytesMax = Keys.entryBytesMax.standard
        var timeToLiveMin = Keys.timeToLiveMin.standard
        var timeToLiveMax = Keys.timeToLiveMax.standard
        var staleTime = Keys.staleTime.standard
        var redis: Redis?

        enum Keys {
            static let memoryBytes = ConfigurationKey(
                "memory_bytes", .bytes(0...(1 << 40)), default: 64 << 20,
                "Memory for answers, keys and book-keeping included; 0 keeps none in memory.")
            static let entryBytesMax = ConfigurationKey(
                "entry_bytes_max", .bytes(1...(1 << 30)), default: 1 << 20,
                "Largest answer that is kept.")
            static let timeToLiveMin = ConfigurationKey(
                "ttl_seconds_min", .seconds(0...86_400), default: .seconds(1),
                "Seconds that an answer is kept at least; the time adapts between the bounds.")
            static let timeToLiveMax = ConfigurationKey(
                "ttl_seconds_max", .seconds(0...604_800), default: .seconds(300),
                "Seconds that an answer is kept at most.")
            static let staleTime = ConfigurationKey(
                "stale_seconds", .seconds(0...86_400), default: .zero,
                "Seconds that an answer is still given after its time, while a new one is fetched.")
            static let redis = ConfigurationKey<Redis?>(
                "redis", .section(), "Shares answers among gateways.")
        }
    }

    /// Redis servers that gateways share something through.
    struct Redis: Sendable, Equatable {
        var addresses: [HostAndPort]
        var isCluster = Keys.isCluster.standard
        var timeout = Keys.timeout.standard
        var username: String?
        var passwordFile: String?
        var usesTLS = Keys.usesTLS.standard

        enum Keys {
            static let addresses = ConfigurationKey(
                "addresses", .list(EndpointForm.address, count: 1...64), isRequired: true,
                "The servers; of a cluster some of them are enough.")
            static let isCluster = ConfigurationKey(
                "cluster", .boolean, default: false, "Whether they are a Redis Cluster.")
            static let timeout = ConfigurationKey(
                "timeout_seconds", .seconds(0.001...10), default: .milliseconds(50),
                "Longest wait for a reply; then a gateway goes on without.")
            static let username = ConfigurationKey(
                "username", .text("a user's name"), "User, if the servers want one.")
            static let passwordFile = ConfigurationKey(
                "password_file", PolicyText.file, "File with the user's password.")
            static let usesTLS = ConfigurationKey(
                "tls", .boolean, default: false, "Whether the servers are spoken to by TLS.")
        }
    }
}

extension TrafficPolicy.Cache: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "cache", "Where answers are kept, and for how long. Routes ask for it by `cache: true`.",
        keys: [
            Keys.memoryBytes, Keys.entryBytesMax, Keys.timeToLiveMin, Keys.timeToLiveMax,
            Keys.staleTime, Keys.redis,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        memoryBytes = section.read(Keys.memoryBytes, &problems)
        entryBytesMax = section.read(Keys.entryBytesMax, &problems)
        timeToLiveMin = section.read(Keys.timeToLiveMin, &problems)
        timeToLiveMax = section.read(Keys.timeToLiveMax, &problems)
        staleTime = section.read(Keys.staleTime, &problems)
        redis = section.read(Keys.redis, &problems)
    }
}

extension TrafficPolicy.Redis: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "redis", "Redis servers that gateways share something through.",
        keys: [
            Keys.addresses, Keys.isCluster, Keys.timeout, Keys.username, Keys.passwordFile,
            Keys.usesTLS,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let addresses = section.read(Keys.addresses, &problems)
        isCluster = section.read(Keys.isCluster, &problems)
        timeout = section.read(Keys.timeout, &problems)
        username = section.read(Keys.username, &problems)
        passwordFile = section.read(Keys.passwordFile, &problems)
        usesTLS = section.read(Keys.usesTLS, &problems)
        guard let addresses, !addresses.isEmpty else { return nil }
        self.addresses = addresses
    }
}
