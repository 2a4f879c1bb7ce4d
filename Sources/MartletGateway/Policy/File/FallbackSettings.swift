import MartletConfiguration

extension TrafficPolicy {
    /// What is asked in place of a language model whose nodes have no room.
    struct Fallback: Sendable, Equatable {
        /// The model; nil for the one that was asked.
        var model: String?
        /// The pool; nil for the one that was asked.
        var pool: String?

        enum Keys {
            static let model = ConfigurationKey(
                "model", PolicyText.requestedModel,
                "The model that is asked instead; the same one unless given.")
            static let pool = ConfigurationKey(
                "pool", PolicyText.name, "The pool that it is asked in; the same one unless given.")
        }
    }
}

extension TrafficPolicy.Fallback: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "fallback", "What is asked in place of a language model whose nodes have no room.",
        keys: [Keys.model, Keys.pool], rules: [.atLeastOne(["model", "pool"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        model = section.read(Keys.model, &problems)
        pool = section.read(Keys.pool, &problems)
    }
}
