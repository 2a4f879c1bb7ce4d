import MartletConfiguration

extension TrafficPolicy {
    /// How the endpoint of a request is picked.
    enum Balancing: String, Sendable, CaseIterable {
        case dynamicWeightedRoundRobin = "dynamic_weighted_round_robin"
        case roundRobin = "round_robin"
        case leastRequest = "least_request"
        case peakEWMA = "peak_ewma"
        case prequal
        case consistentHash = "consistent_hash"
        case prefixAware = "prefix_aware"
    }

    /// A named pool of nodes that can stand in for each other.
    struct Pool: Sendable, Equatable {
        var name: String
        var endpoints: [Endpoint] = []
        var dns: DNS?
        var balancing = Keys.balancing.standard
        var hashHeader: String?
        var loadReportInterval = Keys.loadReportInterval.standard
        var probes = Probes()
        var health = Health()
        var outliers = Outliers()
        var breakers = Breakers()
        var concurrency: Concurrency?
        var nearness = Nearness()
        var panicShare = Keys.panicShare.standard
        var connectTimeout = Keys.connectTimeout.standard
        var idleTimeout = Keys.idleTimeout.standard
        var pingInterval = Keys.pingInterval.standard
        var pingTimeout = Keys.pingTimeout.standard
        var tls: UpstreamTLS?

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.name, isRequired: true,
                "What routes and metrics call it; unique.")
            static let endpoints = ConfigurationKey(
                "endpoints", .list(EndpointForm.form, count: 1...1024), default: [],
                "The nodes.")
            static let dns = ConfigurationKey<DNS?>(
                "dns", .section(), "Finds the nodes by DNS instead.")
            static let balancing = ConfigurationKey<Balancing>(
                "balancing", .word(), default: .dynamicWeightedRoundRobin,
                "How the node of a request is picked.")
            static let hashHeader = ConfigurationKey(
                "hash_header", PolicyText.headerName,
                "With `consistent_hash`: the header field whose value decides; the client's "
                    + "address unless given. With `prefix_aware`: the header field that names a "
                    + "session.")
            static let loadReportInterval = ConfigurationKey(
                "load_report_seconds", .seconds(0...3600), default: .milliseconds(100),
                "Seconds after which a request asks its node again for a load report along with "
                    + "the answer, where the balancing goes by those; 0 never.")
            static let probes = ConfigurationKey(
                "probes", .section(), default: Probes(),
                "With `prequal`: how nodes are asked for their load.")
            static let health = ConfigurationKey(
                "health", .section(), default: Health(), "How nodes are checked.")
            static let outliers = ConfigurationKey(
                "outliers", .section(), default: Outliers(),
                "Which nodes get no requests for a while, by how they answer.")
            static let breakers = ConfigurationKey(
                "breakers", .section(), default: Breakers(),
                "How much may be under way at the nodes.")
            static let concurrency = ConfigurationKey<Concurrency?>(
                "adaptive_concurrency", .section(),
                "Finds out how many requests the nodes can bear, and refuses those beyond.")
            static let nearness = ConfigurationKey(
                "nearness", .section(), default: Nearness(), "Whether near nodes come first.")
            static let panicShare = ConfigurationKey(
                "panic_percent", .percent(), default: 0,
                "Below this share of usable nodes those are used too that are ejected, or that "
                    + "fail their checks but can be connected to, since health is then perhaps "
                    + "misjudged; 0 never.")
            static let connectTimeout = ConfigurationKey(
                "connect_timeout_seconds", .seconds(0.001...60), default: .seconds(1),
                "Longest wait for a connection to a node.")
            static let idleTimeout = ConfigurationKey(
                "idle_timeout_seconds", .seconds(1...3600), default: .seconds(60),
                "Seconds that an unused connection is kept; fewer than nodes keep theirs.")
            static let pingInterval = ConfigurationKey(
                "ping_seconds", .seconds(0...3600), default: .seconds(10),
                "Seconds of silence after which a node with requests under way is asked by HTTP/2 "
                    + "whether it is still there; longer each time that it is, as servers allow "
                    + "few such questions; 0 never.")
            static let pingTimeout = ConfigurationKey(
                "ping_timeout_seconds", .seconds(0.1...3600), default: .seconds(20),
                "Seconds that it may take to say so; then its connection is closed, and what may "
                    + "be asked elsewhere is.")
            static let tls = ConfigurationKey<UpstreamTLS?>(
                "tls", .section(), "Encrypts what nodes are sent; without it nothing is.")
        }
    }
}

extension TrafficPolicy.Pool: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "pool", "A named pool of nodes that can stand in for each other.",
        keys: [
            Keys.name, Keys.endpoints, Keys.dns, Keys.balancing, Keys.hashHeader,
            Keys.loadReportInterval, Keys.probes, Keys.health, Keys.outliers, Keys.breakers,
            Keys.concurrency, Keys.nearness, Keys.panicShare, Keys.connectTimeout,
            Keys.idleTimeout, Keys.pingInterval, Keys.pingTimeout, Keys.tls,
        ],
        rules: [.atMostOne(["endpoints", "dns"]), .atLeastOneOrGiven(["endpoints", "dns"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        endpoints = section.read(Keys.endpoints, &problems)
        dns = section.read(Keys.dns, &problems)
        balancing = section.read(Keys.balancing, &problems)
        hashHeader = section.read(Keys.hashHeader, &problems)
        loadReportInterval = section.read(Keys.loadReportInterval, &problems)
        probes = section.read(Keys.probes, &problems)
        health = section.read(Keys.health, &problems)
        outliers = section.read(Keys.outliers, &problems)
        breakers = section.read(Keys.breakers, &problems)
        concurrency = section.read(Keys.concurrency, &problems)
        nearness = section.read(Keys.nearness, &problems)
        panicShare = section.read(Keys.panicShare, &problems)
        connectTimeout = section.read(Keys.connectTimeout, &problems)
        idleTimeout = section.read(Keys.idleTimeout, &problems)
        pingInterval = section.read(Keys.pingInterval, &problems)
        pingTimeout = section.read(Keys.pingTimeout, &problems)
        tls = section.read(Keys.tls, &problems)
        guard let name else { return nil }
        self.name = name
    }
}
