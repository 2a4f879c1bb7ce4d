import Foundation
import Testing

@testable import MartletGateway

/// Where the whole comparison is to be written.
private let table = ProcessInfo.processInfo.environment["MARTLET_CACHE_TABLE"]

/// How often answers are found, beside plain LRU and the optimum.
@Suite("Hit ratio of the response cache")
struct HitRatioTests {
    @Test func popularKeys_areKeptBetterThanByLRUAndNearlyAsWellAsCanBe() {
        let row = HitRatioRow(.zipf(keys: 10_000, requests: 60_000, seed: 1), share: 0.05)
        #expect(row.tinyLFU > row.lru + 0.05)
        #expect(row.tinyLFU > 0.85 * (row.optimum ?? 1))
        #expect(row.tinyLFU <= row.optimum ?? 0)
    }

    @Test func scans_displaceNothing() {
        let quiet = HitRatioRow(.zipf(keys: 5000, requests: 30_000, seed: 2), share: 0.05)
        let scanned = CacheLoad.scans(keys: 5000, requests: 60_000, scan: 1000, seed: 2)
        let ratio = scanned.tinyLFU(capacity: 250, warmUp: 12_000)
        // Half of the requests are scans, which nothing can answer.
        #expect(2 * ratio > 0.95 * quiet.tinyLFU)
        // LRU loses by them, so that there is something to withstand.
        #expect(2 * scanned.leastRecentlyUsed(capacity: 250, warmUp: 12_000) < 0.95 * quiet.lru)
    }

    /// The window of 1 % alone would find next to nothing.
    @Test func burstsOfNewKeys_makeTheWindowGrow() {
        let load = CacheLoad.bursts(keys: 20_000, span: 400, seed: 3)
        let lru = load.leastRecentlyUsed(capacity: 200, warmUp: 40_000)
        #expect(load.tinyLFU(capacity: 200, warmUp: 40_000) > 0.8 * lru)
    }

    @Test func keysThatBecomePopularLater_areTakenIn() {
        let load = CacheLoad.shifts(keys: 5000, requests: 60_000, shifts: 3, seed: 4)
        let lru = load.leastRecentlyUsed(capacity: 250, warmUp: 12_000)
        #expect(load.tinyLFU(capacity: 250, warmUp: 12_000) > lru)
    }

    @Test func smallAnswers_areKeptRatherThanFewLargeOnes() {
        let row = HitRatioRow(.sizes(keys: 5000, requests: 40_000, seed: 5), share: 0.05)
        #expect(row.tinyLFU > row.lru + 0.03)
    }

    /// Worked out by hand: with room for two, of `a b c a b c` the one who knows the future keeps
    /// `a` and `b`.
    @Test func referenceCaches_doWhatTheySay() {
        let load = CacheLoad(name: "", requests: [0, 1, 2, 0, 1, 2], keys: 3)
        #expect(load.optimum(capacity: 2, warmUp: 0) == 2.0 / 6)
        #expect(load.leastRecentlyUsed(capacity: 2, warmUp: 0) == 0)
        #expect(load.leastRecentlyUsed(capacity: 3, warmUp: 0) == 0.5)
        #expect(load.optimum(capacity: 3, warmUp: 3) == 1)
        let pairs = CacheLoad(name: "", requests: [0, 0, 1, 1, 0, 2, 0], keys: 3)
        #expect(pairs.optimum(capacity: 1, warmUp: 0) == 3.0 / 7)
        #expect(pairs.leastRecentlyUsed(capacity: 1, warmUp: 0) == 2.0 / 7)
    }

    /// Writes the whole comparison into the file that the environment names, for
    /// `Benchmarks/cache_hits.py`.
    @Test(.enabled(if: table != nil))
    func wholeComparisonOfHits_isWrittenDown() throws {
        guard let table else { return }
        let (keys, requests) = (1_000_000, 5_000_000)
        let zipf = CacheLoad.zipf(keys: keys, requests: requests, seed: 1)
        var rows = [0.01, 0.05, 0.2].map { HitRatioRow(zipf, share: $0) }
        let others: [CacheLoad] = [
            .scans(keys: keys, requests: requests, scan: 50_000, seed: 2),
            .shifts(keys: keys, requests: requests, shifts: 5, seed: 3),
            .sizes(keys: keys, requests: requests, seed: 5),
        ]
        rows += others.map { HitRatioRow($0, share: 0.05, of: keys) }
        rows.append(HitRatioRow(.bursts(keys: keys, span: 100_000, seed: 4), share: 0.05))
        try JSONEncoder().encode(rows).write(to: URL(fileURLWithPath: table))
    }
}

/// What was found of one load by a cache of one size.
struct HitRatioRow: Codable {
    let load: String
    let keys: Int
    let requests: Int
    /// The size of the cache, as a part of what all answers take.
    let share: Double
    let lru: Double
    let tinyLFU: Double
    /// None where answers differ in size: nobody knows it then.
    let optimum: Double?

    /// Runs a load, of which the first fifth does not count.
    ///
    /// - Parameters:
    ///   - load: the requests.
    ///   - share: how much of the answers the cache holds.
    ///   - keys: of how many keys' answers; nil for all.
    init(_ load: CacheLoad, share: Double, of keys: Int? = nil) {
        let part = Double(keys ?? load.keys) / Double(load.keys)
        let capacity = Int(Double(load.totalWeight) * part * share)
        let warmUp = load.requests.count / 5
        self.load = load.name
        self.keys = keys ?? load.keys
        requests = load.requests.count
        self.share = share
        lru = load.leastRecentlyUsed(capacity: capacity, warmUp: warmUp)
        tinyLFU = load.tinyLFU(capacity: capacity, warmUp: warmUp)
        optimum =
            load.weights == nil ? load.optimum(capacity: capacity, warmUp: warmUp) : nil
    }
}
