/// What a quota counts; the raw values of tokens are their keys in the file of credentials.
///
/// How many tokens an answer costs is known only when it is over. So a request is let in while a
/// quota of tokens holds any, and is charged in the end; what the bucket lacks then is owed.
enum QuotaUnit: String, Sendable, Hashable, CaseIterable {
    /// Requests, or whatever else a request costs that is known when it comes.
    case requests
    /// Tokens of prompts and answers together.
    case tokensPerMinute = "tokens_per_minute"
    case tokensPerDay = "tokens_per_day"
    /// Tokens of prompts.
    case inputTokensPerMinute = "input_tokens_per_minute"
    case inputTokensPerDay = "input_tokens_per_day"
    /// Tokens of answers.
    case outputTokensPerMinute = "output_tokens_per_minute"
    case outputTokensPerDay = "output_tokens_per_day"

    /// Whether requests are charged when they are over.
    var isChargedLater: Bool { self != .requests }

    /// The rate that a limit stands for: in a minute or a day so many come, and no more than those
    /// are ever held.
    fileprivate func rate(of limit: Int) -> TokenRate {
        let seconds: Double =
            switch self {
            case .tokensPerDay, .inputTokensPerDay, .outputTokensPerDay: 86_400
            case .requests, .tokensPerMinute, .inputTokensPerMinute, .outputTokensPerMinute: 60
            }
        return TokenRate(perSecond: Double(limit) / seconds, burst: limit)
    }

    /// What an answer costs here.
    func tokens(of spend: TokenSpend) -> Int {
        switch self {
        case .requests: 0
        case .tokensPerMinute, .tokensPerDay: spend.total
        case .inputTokensPerMinute, .inputTokensPerDay: spend.input
        case .outputTokensPerMinute, .outputTokensPerDay: spend.output
        }
    }
}

/// How many tokens language models may read and write for somebody; nil for any number.
struct TokenLimits: Sendable, Hashable {
    /// Of prompts and answers together, in a minute.
    var perMinute: Int?
    /// The same in a day.
    var perDay: Int?
    /// Of prompts, in a minute.
    var inputPerMinute: Int?
    /// The same in a day.
    var inputPerDay: Int?
    /// Of answers, in a minute.
    var outputPerMinute: Int?
    /// The same in a day.
    var outputPerDay: Int?
    /// Of one answer; no quota, but a limit on what a request may ask for.
    var outputPerRequest: Int?

    /// The quotas that a request uses whose answer costs tokens.
    func claims(of owner: String, model: String = "") -> [QuotaClaim] {
        let limits: [(QuotaUnit, Int?)] = [
            (.tokensPerMinute, perMinute), (.tokensPerDay, perDay),
            (.inputTokensPerMinute, inputPerMinute), (.inputTokensPerDay, inputPerDay),
            (.outputTokensPerMinute, outputPerMinute), (.outputTokensPerDay, outputPerDay),
        ]
        return limits.compactMap { unit, limit in
            limit.map {
                QuotaClaim(
                    key: QuotaKey(key: owner, model: model, unit: unit),
                    limits: QuotaLimits(rate: unit.rate(of: $0)))
            }
        }
    }
}
