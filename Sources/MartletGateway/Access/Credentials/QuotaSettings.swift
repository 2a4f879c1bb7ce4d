public import MartletConfiguration

/// How much a tenant or a credential may ask for.
struct AccessQuotas: Sendable, Hashable {
    /// What models that match a pattern allow, each on its own.
    struct Model: Sendable, Hashable {
        var pattern: GlobPattern
        var limits: QuotaLimits
    }

    /// What all models together allow.
    var total = QuotaLimits()
    /// What single models allow: the first whose pattern matches.
    var models: [Model] = []

    /// Whether anything is limited.
    var isEmpty: Bool { total == QuotaLimits() && models.isEmpty }

    /// What a model allows on its own; nil if it is not limited.
    func limits(of model: String) -> QuotaLimits? {
        models.first { $0.pattern.matches(model) }?.limits
    }
}

extension QuotaLimits {
    enum Keys {
        static let rate = ConfigurationKey<Double?>(
            "requests_per_second", .number(0.001...1_000_000),
            "Requests a second; any number unless given.")
        static let burst = ConfigurationKey<Int?>(
            "burst", .integer(1...1_000_000),
            "Requests at once after a pause; those of one second unless given.")
        static let concurrent = ConfigurationKey<Int?>(
            "concurrent", .integer(1...1_000_000),
            "Requests that may be under way at once; any number unless given.")
        static let tokensPerMinute = tokens(
            .tokensPerMinute, "Tokens that language models may read and write in a minute")
        static let tokensPerDay = tokens(
            .tokensPerDay, "Tokens that language models may read and write in a day")
        static let inputTokensPerMinute = tokens(
            .inputTokensPerMinute, "Tokens of prompts in a minute")
        static let inputTokensPerDay = tokens(
            .inputTokensPerDay, "Tokens of prompts in a day")
        static let outputTokensPerMinute = tokens(
            .outputTokensPerMinute, "Tokens of answers in a minute")
        static let outputTokensPerDay = tokens(
            .outputTokensPerDay, "Tokens of answers in a day")
        static let outputTokensPerRequest = ConfigurationKey<Int?>(
            OutputTokenLimit.key, .integer(1...1_000_000_000),
            "Tokens that one answer may have: requests for more are refused, and those that say "
                + "nothing get no more; any number unless given.")

        /// All of them, in order.
        static var all: [any DescribedKey] {
            [
                rate, burst, concurrent, tokensPerMinute, tokensPerDay, inputTokensPerMinute,
                inputTokensPerDay, outputTokensPerMinute, outputTokensPerDay,
                outputTokensPerRequest,
            ]
        }

        /// Those that limit something by themselves.
        static let limits =
            ["requests_per_second", "concurrent"]
            + QuotaUnit.allCases.filter(\.isChargedLater).map(\.rawValue)
            + [OutputTokenLimit.key]

        private static func tokens(_ unit: QuotaUnit, _ meaning: String) -> ConfigurationKey<Int?> {
            ConfigurationKey<Int?>(
                unit.rawValue, .integer(1...1_000_000_000),
                "\(meaning), charged when an answer is over; any number unless given.")
        }
    }

    fileprivate init?(
        in section: ConfigurationSection, _ problems: inout ConfigurationProblems
    ) {
        let rate = section.read(Keys.rate, &problems)
        let burst = section.read(Keys.burst, &problems)
        let concurrent = section.read(Keys.concurrent, &problems)
        if section["burst"] != nil, section["requests_per_second"] == nil {
            problems.add(
                at: "\(section.keyPath).burst",
                "means nothing without 'requests_per_second'; add it")
            return nil
        }
        let tokens = TokenLimits(
            perMinute: section.read(Keys.tokensPerMinute, &problems),
            perDay: section.read(Keys.tokensPerDay, &problems),
            inputPerMinute: section.read(Keys.inputTokensPerMinute, &problems),
            inputPerDay: section.read(Keys.inputTokensPerDay, &problems),
            outputPerMinute: section.read(Keys.outputTokensPerMinute, &problems),
            outputPerDay: section.read(Keys.outputTokensPerDay, &problems),
            outputPerRequest: section.read(Keys.outputTokensPerRequest, &problems))
        self.init(
            rate: rate.map { TokenRate(perSecond: $0, burst: burst) }, concurrent: concurrent,
            tokens: tokens)
    }
}

extension QuotaLimits: ConfigurationReadable {
    /// What can be limited.
    public static let description = ConfigurationSectionDescription(
        "model_quota", "How much may be asked of each model on its own.",
        keys: Keys.all, rules: [.atLeastOne(Keys.limits)])

    /// Reads the limits of a model.
    public init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        self.init(in: section, &problems)
    }
}

extension AccessQuotas: ConfigurationReadable {
    enum Keys {
        static let models = ConfigurationKey<[ConfigurationEntry<QuotaLimits>]>(
            "models", .map(to: .section(), countMax: 1000, fault: GlobPattern.fault), default: [],
            "Quotas of single models, besides the one of all together, by a model's name or a "
                + "pattern such as `fraud-*`: each model has its own, by the first that matches.")
    }

    static let description = ConfigurationSectionDescription(
        "quotas", "How much may be asked.",
        keys: QuotaLimits.Keys.all + [Keys.models])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let models = section.read(Keys.models, &problems)
        guard let total = QuotaLimits(in: section, &problems) else { return nil }
        self.total = total
        self.models = models.compactMap { entry in
            GlobPattern(entry.key).map { Model(pattern: $0, limits: entry.value) }
        }
    }
}
