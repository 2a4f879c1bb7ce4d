import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Bounds of probabilities")
struct BinomialBoundTests {
    private let bound = BinomialBound(risk: 1e-5)

    @Test func bounds_areAroundWhatWasSeenAndNarrowWithMore() {
        for (cases, total) in [(0, 10), (1, 10), (5, 10), (10, 10), (3, 1000), (999, 1000)] {
            let seen = Double(cases) / Double(total)
            let lower = bound.lower(cases, of: total)
            let upper = bound.upper(cases, of: total)
            #expect(0 <= lower && lower <= seen && seen <= upper && upper <= 1)
            #expect(bound.lower(cases * 100, of: total * 100) >= lower)
            #expect(bound.upper(cases * 100, of: total * 100) <= upper)
        }
        #expect(bound.lower(0, of: 0) == 0 && bound.upper(0, of: 0) == 1)
    }

    /// All or none are the cases in which the bound is exact: p^n is the risk.
    @Test func bounds_areExactWhereNothingVaries() {
        // 1e-5 ^ (1 / 10)
        #expect(abs(bound.lower(10, of: 10) - 0.316228) < 1e-5)
        #expect(abs(bound.upper(0, of: 10) - (1 - 0.316228)) < 1e-5)
    }

    @Test func bounds_areWrongNoMoreOftenThanTheirRisk() {
        let bound = BinomialBound(risk: 0.01)
        var wrong = 0
        let runs = 5000
        for seed in 0..<UInt64(runs) {
            var generator = SeededGenerator(seed: seed)
            let cases = (0..<200).filter { _ in Double.random(in: 0..<1, using: &generator) < 0.02 }
            if bound.lower(cases.count, of: 200) > 0.02 { wrong += 1 }
        }
        #expect(wrong <= runs / 100)
    }
}

@Suite("Histogram of latencies")
struct LatencyHistogramTests {
    @Test func quantiles_areAThirtySecondPartTooHighAtMost() {
        for seed in SimulationSeeds.first(200) {
            var generator = SeededGenerator(seed: seed)
            var histogram = LatencyHistogram()
            let latencies = (0..<500).map { _ in
                // From 30 µs to 90 s, evenly in doublings.
                Duration.microseconds(Int(30 * Double.random(in: 0...1, using: &generator).spread))
            }.sorted()
            for latency in latencies { histogram.record(latency) }
            for share in [0.5, 0.9, 0.99, 1] {
                let exact = latencies[Int((share * 500).rounded(.up)) - 1] / .microseconds(1)
                let found = (histogram.quantile(share) ?? .zero) / .microseconds(1)
                #expect(
                    found >= exact && found <= exact * 33 / 32 + 1,
                    "\(SimulationSeeds.replay(seed)): \(share): \(found) for \(exact)")
            }
        }
    }

    @Test func oddLatencies_areCountedAtTheEnds() {
        var histogram = LatencyHistogram()
        #expect(histogram.quantile(0.99) == nil)
        for latency in [Duration.seconds(-5), .zero, .seconds(1_000_000_000)] {
            histogram.record(latency)
        }
        #expect(histogram.total == 3)
        #expect(histogram.quantile(0.5) == .microseconds(1))
        #expect(histogram.count(above: .seconds(60)) == 1)
        #expect(histogram.count(above: .seconds(2_000_000_000)) == 0)
    }

    @Test func upperBound_needsEnoughToTell() {
        let bound = BinomialBound(risk: 1e-5)
        var histogram = LatencyHistogram()
        for _ in 0..<1145 { histogram.record(.milliseconds(10)) }
        #expect(histogram.upperBound(ofQuantile: 0.99, bound) == nil)
        for _ in 0..<2 { histogram.record(.milliseconds(10)) }
        let found = histogram.upperBound(ofQuantile: 0.99, bound) ?? .zero
        #expect(found >= .milliseconds(10) && found <= .microseconds(10_330))
    }
}

extension Double {
    /// A share as one of three million, evenly in doublings.
    fileprivate var spread: Double {
        var (value, rest) = (1.0, self * 21.5)
        while rest >= 1 {
            value *= 2
            rest -= 1
        }
        return value * (1 + rest)
    }
}
