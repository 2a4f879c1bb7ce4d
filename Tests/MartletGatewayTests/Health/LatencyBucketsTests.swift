import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Latency buckets")
struct LatencyBucketsTests {
    @Test func quantile_withoutAny_isNil() {
        #expect(LatencyBuckets().quantile(0.5) == nil)
    }

    @Test func quantile_ofOne_isThatOneWhateverTheShare() throws {
        for microseconds in [1, 15, 16, 17, 1000, 123_456, 60_000_000] {
            var buckets = LatencyBuckets()
            buckets.record(.microseconds(microseconds))
            for share in [-1, 0, 0.5, 1, 2, .nan, .infinity] {
                let found = try #require(buckets.quantile(share)).seconds * 1e6
                #expect(
                    abs(found - Double(microseconds)) <= max(1, Double(microseconds) / 16),
                    "\(microseconds), \(share)")
            }
        }
    }

    @Test func quantile_isWithinASixteenthOfTheExactOne() {
        for seed in SimulationSeeds.first(2000) {
            var generator = SeededGenerator(seed: seed)
            var buckets = LatencyBuckets()
            // From microseconds to hours, evenly over the orders of magnitude.
            let latencies = (0..<Int.random(in: 1...60, using: &generator)).map { _ -> Int in
                let most = 1 << Int.random(in: 1...35, using: &generator)
                return Int.random(in: 1...most, using: &generator)
            }
            for latency in latencies { buckets.record(.microseconds(latency)) }
            let sorted = latencies.sorted()
            for share in [0, 0.01, 0.5, 0.9, 0.95, 1] {
                let rank = max(1, (share * Double(sorted.count)).rounded(.up))
                let exact = Double(sorted[Int(rank) - 1])
                let found = (buckets.quantile(share)?.seconds ?? 0) * 1e6
                #expect(
                    abs(found - exact) <= max(1, exact / 16),
                    "\(share): \(found), not \(exact); \(SimulationSeeds.replay(seed))")
            }
        }
    }

    @Test func latencies_outOfRange_countAsTheShortestAndTheLongest() throws {
        var buckets = LatencyBuckets()
        for latency: Duration in [.seconds(-5), .nanoseconds(-1), .zero, .nanoseconds(999)] {
            buckets.record(latency)
        }
        #expect(try #require(buckets.quantile(1)) < .microseconds(1))
        buckets.reset()
        for latency: Duration in [.seconds(68_720), .seconds(Int64.max)] { buckets.record(latency) }
        #expect(buckets.count == 2)
        let longest = try #require(buckets.quantile(0))
        #expect(longest > .seconds(60_000) && longest <= .seconds(68_720))
    }

    @Test func merge_isTheSameAsRecordingBoth() {
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            var parts = [LatencyBuckets(), LatencyBuckets()]
            var whole = LatencyBuckets()
            for _ in 0..<40 {
                let latency = Duration.microseconds(Int.random(in: 0...5000, using: &generator))
                parts[Int.random(in: 0...1, using: &generator)].record(latency)
                whole.record(latency)
            }
            parts[0].merge(parts[1])
            #expect(parts[0] == whole, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func reset_forgetsAll() {
        var buckets = LatencyBuckets()
        buckets.record(.seconds(1))
        buckets.reset()
        #expect(buckets == LatencyBuckets())
    }
}
