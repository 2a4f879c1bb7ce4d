/// Whose requests for what share a quota.
public struct QuotaKey: Sendable, Hashable {
    /// The name of an API key, not its secret.
    public let key: String
    /// The model; empty for all.
    public let model: String
    /// What is counted.
    let unit: QuotaUnit

    /// Names longer than 256 bytes share the quota of their beginning: what is remembered for each
    /// has a bound.
    public init(key: String, model: String = "") {
        self.init(key: key, model: model, unit: .requests)
    }

    init(key: String, model: String = "", unit: QuotaUnit) {
        self.key = Self.bounded(key)
        self.model = Self.bounded(model)
        self.unit = unit
    }

    private static func bounded(_ name: String) -> String {
        name.utf8.count <= 256 ? name : String(decoding: name.utf8.prefix(256), as: UTF8.self)
    }
}

/// What a quota allows.
public struct QuotaLimits: Sendable, Hashable {
    /// Requests, or whatever else a request costs, a second; nil for any number.
    public let rate: TokenRate?
    /// Requests at once, at least 1; nil for any number.
    public let concurrent: Int?
    /// Tokens that language models read and write.
    let tokens: TokenLimits

    /// Limits; none of them by default.
    public init(rate: TokenRate? = nil, concurrent: Int? = nil) {
        self.init(rate: rate, concurrent: concurrent, tokens: TokenLimits())
    }

    init(rate: TokenRate? = nil, concurrent: Int? = nil, tokens: TokenLimits) {
        self.rate = rate
        self.concurrent = concurrent.map { max(1, $0) }
        self.tokens = tokens
    }
}

/// Whether a request is within its quota, and what is left of it.
enum QuotaDecision: Sendable, Hashable {
    /// It is, and is to be released when it is over.
    case admitted(QuotaBalance?)
    /// It is not.
    case refused(QuotaRefusal)
}

/// What is left of a rate; for the header fields that tell clients.
struct QuotaBalance: Sendable, Hashable {
    /// The burst: what is left at most.
    let limit: Int
    /// The whole tokens that can be spent now.
    let remaining: Int
    /// In which time all can be spent again.
    let reset: Duration

    /// The reset in whole seconds, rounded up.
    var resetSeconds: Int { reset.secondsRoundedUp }
}

/// Why a request is not within its quota.
struct QuotaRefusal: Sendable, Hashable {
    /// What was reached; the raw values are labels of metrics and logs.
    enum Reason: String, Sendable, Hashable, CaseIterable {
        /// Too many requests, or too much, in too short a time.
        case rate
        /// The request costs more than may ever be spent at once.
        case cost
        /// Too many requests at once.
        case concurrency
        /// All tokens of language models are spent; see ``QuotaUnit``.
        case tokens
        /// As many quotas are in use as are remembered; see ``QuotaTable``.
        case tableFull = "table_full"
    }

    let reason: Reason
    /// After how long the same request may be admitted; nil for never.
    let wait: Duration?
    /// What is left of the rate; nil without a rate.
    let balance: QuotaBalance?
    /// What is counted by the quota that was reached.
    var unit = QuotaUnit.requests

    /// The `Retry-After` of RFC 9110: whole seconds, rounded up, at least 1; nil for never.
    var retryAfterSeconds: Int? { wait.map { max(1, $0.secondsRoundedUp) } }
}

extension Duration {
    /// Whole seconds, so that after them no less than the duration has passed.
    fileprivate var secondsRoundedUp: Int {
        let (seconds, attoseconds) = components
        guard attoseconds > 0, seconds < .max else { return Int(seconds) }
        return Int(seconds) + 1
    }
}
