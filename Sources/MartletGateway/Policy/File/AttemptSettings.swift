import MartletConfiguration

extension TrafficPolicy {
    /// When a request is tried again.
    struct Retries: Sendable, Equatable {
        var attemptsMax = Keys.attemptsMax.standard
        var failures = Keys.failures.standard
        var budgetShare = Keys.budgetShare.standard
        var budgetMin = Keys.budgetMin.standard

        enum Keys {
            static let attemptsMax = ConfigurationKey(
                "attempts_max", .integer(1...10), default: 3,
                "Attempts at a request, the first one included, each at another node.")
            static let failures = ConfigurationKey<[AttemptFailure]>(
                "failures", .list(.word(among: AttemptFailure.retriable), count: 0...16),
                default: AttemptFailure.retriable,
                "Failures after which there is another attempt; after all but `connect_failed` "
                    + "and `stream_unprocessed` only for requests that may run twice.")
            static let budgetShare = ConfigurationKey(
                "budget_percent", .percent(), default: 0.2,
                "Largest share of the requests of the last 10 s that is tried again.")
            static let budgetMin = ConfigurationKey(
                "budget_retries_min", .integer(0...1_000_000), default: 10,
                "Retries that are always allowed in 10 s.")
        }
    }

    /// When a request that may run twice is sent to a second node too, the first answer being
    /// taken.
    ///
    /// Source: J. Dean, L. A. Barroso, "The tail at scale", Communications of the ACM 56(2), 2013.
    struct Hedging: Sendable, Equatable {
        /// When the second attempt begins.
        enum Delay: Sendable, Equatable {
            /// After this time.
            case fixed(Duration)
            /// After the time in which this share of the answers has come.
            case quantile(Double)
        }

        var delay: Delay
        var attemptsMax = Keys.attemptsMax.standard
        var budgetShare = Keys.budgetShare.standard

        enum Keys {
            static let delay = ConfigurationKey(
                "delay_seconds", .seconds(0.001...600),
                "Seconds without an answer after which another attempt begins.")
            static let quantile = ConfigurationKey(
                "delay_percentile", .percent(50...99.9),
                "The same, as the time in which this share of the answers comes.")
            static let attemptsMax = ConfigurationKey(
                "attempts_max", .integer(2...5), default: 2,
                "Attempts under way at once, the first one included.")
            static let budgetShare = ConfigurationKey(
                "budget_percent", .percent(), default: 0.05,
                "Largest share of requests that are hedged.")
        }
    }

    /// How much may come to a route; more is refused.
    struct RouteLimits: Sendable, Equatable {
        var bodyBytes: Int?
        var requestsPerSecond: Double?
        var burst: Int?
        var concurrentRequests: Int?
        /// Tokens of one answer.
        var outputTokens: Int?

        enum Keys {
            static let bodyBytes = ConfigurationKey(
                "body_bytes", .bytes(0...(1 << 40)),
                "Largest request body; the gateway's own limit unless given.")
            static let requestsPerSecond = ConfigurationKey(
                "requests_per_second", .number(0.001...10_000_000),
                "Requests a second, over time.")
            static let burst = ConfigurationKey(
                "burst", .integer(1...10_000_000),
                "Requests that may come at once beyond that; those of a second unless given.")
            static let concurrentRequests = ConfigurationKey(
                "concurrent_requests", .integer(1...1_000_000), "Requests under way.")
            static let outputTokens = ConfigurationKey<Int?>(
                OutputTokenLimit.key, .integer(1...1_000_000_000),
                "Tokens that one answer by OpenAI's API may have: requests for more are refused, "
                    + "and those that say nothing get no more.")
        }
    }
}

extension TrafficPolicy.Retries: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "retries", "When a request is tried again.",
        keys: [Keys.attemptsMax, Keys.failures, Keys.budgetShare, Keys.budgetMin])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        attemptsMax = section.read(Keys.attemptsMax, &problems)
        failures = section.read(Keys.failures, &problems)
        budgetShare = section.read(Keys.budgetShare, &problems)
        budgetMin = section.read(Keys.budgetMin, &problems)
    }
}

extension TrafficPolicy.Hedging: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "hedging",
        "When a request that may run twice is sent to a second node too, the first answer being "
            + "taken.",
        keys: [Keys.delay, Keys.quantile, Keys.attemptsMax, Keys.budgetShare],
        rules: [.exactlyOne(["delay_seconds", "delay_percentile"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let fixed = section.read(Keys.delay, &problems).map { Delay.fixed($0) }
        let quantile = section.read(Keys.quantile, &problems).map { Delay.quantile($0) }
        attemptsMax = section.read(Keys.attemptsMax, &problems)
        budgetShare = section.read(Keys.budgetShare, &problems)
        guard let delay = fixed ?? quantile else { return nil }
        self.delay = delay
    }
}

extension TrafficPolicy.RouteLimits: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "limits", "How much may come to a route; more is refused.",
        keys: [
            Keys.bodyBytes, Keys.requestsPerSecond, Keys.burst, Keys.concurrentRequests,
            Keys.outputTokens,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        bodyBytes = section.read(Keys.bodyBytes, &problems)
        requestsPerSecond = section.read(Keys.requestsPerSecond, &problems)
        burst = section.read(Keys.burst, &problems)
        concurrentRequests = section.read(Keys.concurrentRequests, &problems)
        outputTokens = section.read(Keys.outputTokens, &problems)
    }
}
