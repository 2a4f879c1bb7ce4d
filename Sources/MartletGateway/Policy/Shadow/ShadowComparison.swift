/// An answer, as far as it is compared.
struct ShadowAnswer: Sendable, Equatable {
    /// The status of HTTP.
    var status: Int
    /// The body, not compressed.
    var body: [UInt8]
}

/// One thing in which two answers differ.
struct ShadowDifference: Sendable, Equatable {
    /// What kind of thing; the raw values are labels of metrics.
    enum Kind: String, Sendable, CaseIterable {
        /// The statuses.
        case status
        /// One body is JSON and the other is not.
        case notJSON = "not_json"
        /// Bodies that are not JSON.
        case bytes
        /// A number against a text, for example.
        case type
        /// A key that the copy's answer lacks.
        case missingKey = "missing_key"
        /// A key that only the copy's answer has.
        case extraKey = "extra_key"
        /// The lengths of two lists.
        case length
        /// Numbers, by more than is tolerated.
        case number
        /// Texts.
        case text
        /// `true` and `false`.
        case boolean
    }

    /// What kind of thing.
    let kind: Kind
    /// Where it stands, such as `$.predictions[0].score`.
    let path: String
    /// What the client's answer has there, shortened.
    let primary: String
    /// What the copy's answer has there, shortened.
    let shadow: String
}

/// What came of comparing two answers.
struct ShadowVerdict: Sendable, Equatable {
    /// How many differences there are of each kind.
    var counts: [ShadowDifference.Kind: Int] = [:]
    /// The first few.
    var differences: [ShadowDifference] = []
    /// The largest difference between two numbers, tolerated or not.
    var largestAbsolute = 0.0
    /// The same as a part of the greater one.
    var largestRelative = 0.0

    /// Whether the answers are the same, within the tolerances.
    var isEqual: Bool { counts.isEmpty }
}

/// Compares answers to the same request within tolerances.
struct ShadowComparison: Sendable {
    /// The tolerances, and the keys that may differ.
    let tolerance: TrafficPolicy.Comparison
    /// Differences that a verdict shows; all are counted.
    var differencesMax = 20
    /// Bounds of what is read as JSON; beyond them bytes are compared.
    var limits = JSONOutline.Limits()

    /// Compares the client's answer with that to the copy.
    func compare(_ primary: ShadowAnswer, _ shadow: ShadowAnswer) -> ShadowVerdict {
        var walk = ShadowWalk(self)
        if primary.status != shadow.status {
            walk.note(.status, "\(primary.status)", "\(shadow.status)")
            return walk.verdict
        }
        guard primary.body != shadow.body else { return walk.verdict }
        let outlines = [primary, shadow].map { JSONOutline($0.body, limits: limits) }
        switch (outlines[0], outlines[1]) {
        case (let left?, let right?): walk.compare(left, 0, right, 0)
        case (nil, nil):
            walk.note(.bytes, "\(primary.body.count) bytes", "\(shadow.body.count) bytes")
        case (let left, _):
            walk.note(
                .notJSON, left == nil ? "not JSON" : "JSON", left == nil ? "JSON" : "not JSON")
        }
        return walk.verdict
    }
}

/// Which requests are copied, so that all gateways copy the same ones.
struct ShadowSampler: Sendable {
    /// The share of requests that is copied.
    let share: Double
    /// Sets apart what different routes choose.
    let seed: UInt64

    /// Whether a request is copied, by its identifier.
    func takes(_ identifier: String) -> Bool {
        StableHash.share(StableHash.hash(identifier, seed: seed)) < share
    }

    /// Whether a request is copied, by a number of its own.
    func takes(_ number: UInt64) -> Bool {
        StableHash.share(StableHash.mixed(number ^ seed)) < share
    }
}
