/// How fetches of issuers' keys went, for metrics.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct KeyFetches: Sendable {
    /// What came of a fetch.
    ///
    /// The raw values are labels of metrics.
    enum Outcome: String, Sendable, CaseIterable {
        /// Keys came that can be used.
        case success
        /// None did: what was fetched before stays good.
        case failed
    }

    /// How the fetches of one issuer went.
    struct Report: Sendable, Equatable {
        /// The issuer, by its name in the file.
        let issuer: String
        /// How often which outcome came about.
        let counts: [Outcome: Int]
        /// Time since the last success; since the issuer is known where there was none yet, so
        /// that an alert on it covers both.
        let age: Duration
    }

    private struct Record: Sendable {
        var counts = Dictionary(uniqueKeysWithValues: Outcome.allCases.map { ($0, 0) })
        var since: Duration
    }

    private var records: [String: Record] = [:]

    /// Forgets issuers but these, and begins to count for those that are new.
    mutating func keep(only issuers: [String], now: Duration) {
        let known = records
        records = [:]
        for issuer in issuers { records[issuer] = known[issuer] ?? Record(since: now) }
    }

    /// A fetch is over; ignored for an issuer that is no more.
    mutating func didEnd(_ issuer: String, _ outcome: Outcome, now: Duration) {
        records[issuer]?.counts[outcome, default: 0] += 1
        if outcome == .success { records[issuer]?.since = now }
    }

    /// How all of them went, in the order of names.
    func reports(now: Duration) -> [Report] {
        records.sorted { $0.key < $1.key }.map {
            Report(issuer: $0.key, counts: $0.value.counts, age: now - $0.value.since)
        }
    }
}
