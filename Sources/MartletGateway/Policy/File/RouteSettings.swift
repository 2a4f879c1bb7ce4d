import MartletConfiguration

extension TrafficPolicy {
    /// Which requests are served before others when there are too many.
    enum Priority: String, Sendable, CaseIterable {
        case critical
        case high
        case normal
        case low
    }

    /// A part of a route's requests, by weight.
    struct SplitTarget: Sendable, Equatable {
        var pool: String
        var weight = Keys.weight.standard

        enum Keys {
            static let pool = ConfigurationKey(
                "pool", PolicyText.name, isRequired: true, "The name of a pool.")
            static let weight = ConfigurationKey(
                "weight", .integer(0...1_000_000), default: 1,
                "Its part of the requests, relative to the others'.")
        }
    }

    /// Some requests, and what becomes of them.
    struct Route: Sendable, Equatable {
        var name: String
        var match = Match()
        /// The pool, if there is only one.
        var pool: String?
        /// The pools and their weights, if there are several.
        var split: [SplitTarget] = []
        var timeouts = Timeouts()
        var retries = Retries()
        var hedging: Hedging?
        /// What is asked instead when no node has room, one after the other.
        var fallbacks: [Fallback] = []
        var usesCache = Keys.usesCache.standard
        var limits = RouteLimits()
        var priority = Keys.priority.standard
        var requestHeaders = HeaderChanges()
        var responseHeaders = HeaderChanges()
        var rewrite: Rewrite?
        var canary: Canary?
        var shadow: Shadow?

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.name, isRequired: true,
                "What metrics and logs call it; unique.")
            static let match = ConfigurationKey(
                "match", .section(), default: Match(),
                "Which requests are meant; without it all are.")
            static let pool = ConfigurationKey(
                "pool", PolicyText.name,
                "The pool that they go to; the only one unless given.")
            static let split = ConfigurationKey<[SplitTarget]>(
                "split", .list(.section(), count: 1...64), default: [],
                "The pools that they go to, by weight.")
            static let timeouts = ConfigurationKey(
                "timeouts", .section(), default: Timeouts(), "How long they may take.")
            static let retries = ConfigurationKey(
                "retries", .section(), default: Retries(), "When they are tried again.")
            static let hedging = ConfigurationKey<Hedging?>(
                "hedging", .section(),
                "Sends slow requests that may run twice to a second node too.")
            static let fallbacks = ConfigurationKey<[Fallback]>(
                "fallbacks", .list(.section(), count: 1...4), default: [],
                "What is asked instead, one after the other, when no node has room for a request "
                    + "by OpenAI's API.")
            static let usesCache = ConfigurationKey(
                "cache", .boolean, default: false,
                "Whether answers to predictions are kept and given again.")
            static let limits = ConfigurationKey(
                "limits", .section(), default: RouteLimits(), "How much may come.")
            static let priority = ConfigurationKey<Priority>(
                "priority", .word(), default: .normal,
                "Which requests are served when there are too many.")
            static let headers = ConfigurationKey<HeaderSettings?>(
                "headers", .section(), "Header fields that are changed.")
            static let rewrite = ConfigurationKey<Rewrite?>(
                "rewrite", .section(), "What is changed in the request's path.")
            static let canary = ConfigurationKey<Canary?>(
                "canary", .section(), "Tries a new version on a growing part of the requests.")
            static let shadow = ConfigurationKey<Shadow?>(
                "shadow", .section(), "Sends copies of requests elsewhere, for comparison.")
        }
    }
}

extension TrafficPolicy.SplitTarget: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "split", "A part of a route's requests, by weight.", keys: [Keys.pool, Keys.weight])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let pool = section.read(Keys.pool, &problems)
        weight = section.read(Keys.weight, &problems)
        guard let pool else { return nil }
        self.pool = pool
    }
}

extension TrafficPolicy.Route: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "route", "Some requests, and what becomes of them.",
        keys: [
            Keys.name, Keys.match, Keys.pool, Keys.split, Keys.timeouts, Keys.retries,
            Keys.hedging, Keys.fallbacks, Keys.usesCache, Keys.limits, Keys.priority,
            Keys.headers, Keys.rewrite, Keys.canary, Keys.shadow,
        ],
        rules: [.atMostOne(["pool", "split"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        match = section.read(Keys.match, &problems)
        pool = section.read(Keys.pool, &problems)
        split = section.read(Keys.split, &problems)
        timeouts = section.read(Keys.timeouts, &problems)
        retries = section.read(Keys.retries, &problems)
        hedging = section.read(Keys.hedging, &problems)
        fallbacks = section.read(Keys.fallbacks, &problems)
        usesCache = section.read(Keys.usesCache, &problems)
        limits = section.read(Keys.limits, &problems)
        priority = section.read(Keys.priority, &problems)
        let headers = section.read(Keys.headers, &problems)
        requestHeaders = headers?.request ?? TrafficPolicy.HeaderChanges()
        responseHeaders = headers?.response ?? TrafficPolicy.HeaderChanges()
        rewrite = section.read(Keys.rewrite, &problems)
        canary = section.read(Keys.canary, &problems)
        shadow = section.read(Keys.shadow, &problems)
        guard let name else { return nil }
        self.name = name
    }
}
