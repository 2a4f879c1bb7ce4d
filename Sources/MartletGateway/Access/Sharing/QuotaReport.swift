/// A quota as several gateways know it.
struct SharedQuota: Sendable, Hashable {
    /// Where it is kept; see ``AccessIdentity/pool``.
    let pool: String
    let key: QuotaKey
}

/// What one gateway has used of a quota since it last told the others.
struct QuotaReport: Sendable, Hashable {
    let quota: SharedQuota
    let limits: QuotaLimits
    /// Tokens spent; below 0 where more were given back.
    let tokens: Int
    /// When the first of them was spent, or before that.
    let since: Duration
    /// Requests under way; nil where they are not limited.
    let inFlight: Int?
    /// When this was told.
    let sentAt: Duration
}

/// How a quota stands with all gateways together.
struct QuotaStanding: Sendable, Hashable {
    /// In which time the bucket of all is full if nothing is spent.
    let timeToFull: Duration
    /// Requests that other gateways have under way, at least 0.
    let inFlightElsewhere: Int
    /// Gateways that have some under way, the one that asks included: at least 1.
    let gateways: Int
}

/// What a gateway knows of requests that others have under way.
struct QuotaElsewhere: Sendable, Hashable {
    /// Such requests.
    let inFlight: Int
    /// Gateways that have some under way, this one included: at least 1.
    let gateways: Int
    /// When this is too old to go by.
    let until: Duration

    /// How many of so many requests at once are this gateway's: what others leave, and no less than
    /// an equal part, so that those who came first do not keep all for themselves.
    func share(of concurrent: Int, now: Duration) -> Int {
        guard now < until else { return concurrent }
        return max(concurrent - inFlight, concurrent / max(1, gateways))
    }
}
