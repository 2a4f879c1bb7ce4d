import MartletConfiguration

extension TrafficPolicy {
    /// How long a request may take.
    struct Timeouts: Sendable, Equatable {
        var total = Keys.total.standard
        var perTry: Duration?
        var firstToken: Duration?
        var betweenTokens: Duration?
        var perToken: Duration?
        var tokensAssumed = Keys.tokensAssumed.standard

        enum Keys {
            static let total = ConfigurationKey(
                "total_seconds", .seconds(0.001...86_400), default: .seconds(300),
                "From a request's head to the end of its answer; a client's earlier deadline "
                    + "counts.")
            static let perTry = ConfigurationKey(
                "per_try_seconds", .seconds(0.001...86_400),
                "For each attempt, from its start to the head of its answer.")
            static let firstToken = ConfigurationKey(
                "first_token_seconds", .seconds(0.001...86_400),
                "For each attempt at a chat or a completion that is streamed, from its start to "
                    + "its first event; in place of `per_try_seconds`.")
            static let betweenTokens = ConfigurationKey(
                "between_tokens_seconds", .seconds(0.001...86_400),
                "From one event of such a stream to the next; after that the stream is ended by "
                    + "an error.")
            static let perToken = ConfigurationKey(
                "per_token_seconds", .seconds(0.0001...3600),
                "Added to `total_seconds` for each token that a chat or a completion may have "
                    + "(`max_tokens`), and to `per_try_seconds` where it is not streamed.")
            static let tokensAssumed = ConfigurationKey(
                "tokens_assumed", .integer(0...TokenTimes.tokensMax), default: 4096,
                "Tokens that one may have that says nothing of it.")
        }

        /// Whether chats and completions have times of their own.
        var countsTokens: Bool { firstToken != nil || betweenTokens != nil || perToken != nil }
    }
}

extension TrafficPolicy.Timeouts: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "timeouts", "How long a request may take.",
        keys: [
            Keys.total, Keys.perTry, Keys.firstToken, Keys.betweenTokens, Keys.perToken,
            Keys.tokensAssumed,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        total = section.read(Keys.total, &problems)
        perTry = section.read(Keys.perTry, &problems)
        firstToken = section.read(Keys.firstToken, &problems)
        betweenTokens = section.read(Keys.betweenTokens, &problems)
        perToken = section.read(Keys.perToken, &problems)
        tokensAssumed = section.read(Keys.tokensAssumed, &problems)
    }
}
