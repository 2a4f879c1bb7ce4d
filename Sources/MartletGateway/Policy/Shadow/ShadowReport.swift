/// What all comparisons of a route have shown so far.
///
/// It stays small: counts, and a few answers that differ. Those are the ones whose requests have
/// the smallest hashes, which is a fair sample of all that differed, whenever that was, and the
/// same for every order in which they came.
struct ShadowReport: Sendable, Equatable {
    /// An answer that differs.
    struct Example: Sendable, Equatable {
        /// What the request is called in logs.
        let request: String
        /// The first few differences.
        let differences: [ShadowDifference]
    }

    /// Pairs of answers that were compared.
    private(set) var compared = 0
    /// Those that were the same, within the tolerances.
    private(set) var equal = 0
    /// Copies without an answer.
    private(set) var unanswered = 0
    /// Pairs that differ in each kind of thing.
    private(set) var pairs: [ShadowDifference.Kind: Int] = [:]
    /// The largest difference between two numbers, tolerated or not.
    private(set) var largestAbsolute = 0.0
    /// The same as a part of the greater one.
    private(set) var largestRelative = 0.0

    private let examplesMax: Int
    private let seed: UInt64
    private var kept: [UInt64: Example] = [:]

    /// An empty report that shows so many examples.
    init(examplesMax: Int = 20, seed: UInt64 = 0) {
        self.examplesMax = examplesMax
        self.seed = seed
    }

    /// Answers that differ, a sample of them.
    var examples: [Example] {
        kept.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Takes in a comparison.
    mutating func add(_ verdict: ShadowVerdict, request: String) {
        compared += 1
        largestAbsolute = max(largestAbsolute, verdict.largestAbsolute)
        largestRelative = max(largestRelative, verdict.largestRelative)
        guard !verdict.isEqual else {
            equal += 1
            return
        }
        for kind in verdict.counts.keys { pairs[kind, default: 0] += 1 }
        kept[StableHash.hash(request, seed: seed)] = Example(
            request: request, differences: verdict.differences)
        if kept.count > examplesMax, let largest = kept.keys.max() { kept[largest] = nil }
    }

    /// Takes in a copy that got no answer.
    mutating func addUnanswered() {
        unanswered += 1
    }
}
