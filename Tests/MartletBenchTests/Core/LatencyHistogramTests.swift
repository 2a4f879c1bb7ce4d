import MartletTestKit
import Testing

@testable import MartletBench

@Suite("Latency histograms")
struct LatencyHistogramTests {
    /// Latencies over many powers of two, as servers have them.
    private func sample(_ seed: UInt64, count: Int) -> [UInt64] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let bits = UInt64.random(in: 0..<40, using: &random)
            return UInt64.random(in: 0...(1 << bits), using: &random)
        }
    }

    @Test(arguments: 0..<10 as Range<UInt64>)
    func percentiles_areThoseOfTheSortedSampleToAThousandth(seed: UInt64) {
        let values = sample(seed, count: 5000)
        var histogram = LatencyHistogram()
        for value in values { histogram.record(value) }
        let sorted = values.sorted()
        for quantile in [0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1] {
            let rank = max(1, Int((quantile * Double(values.count)).rounded(.up)))
            let exact = Double(sorted[rank - 1])
            let reported = Double(histogram.value(at: quantile))
            #expect(
                abs(reported - exact) <= exact / 1000 + 0.5, "seed \(seed), quantile \(quantile)")
        }
        #expect(histogram.min == sorted.first)
        #expect(histogram.max == sorted.last)
        #expect(histogram.count == 5000)
        let mean = values.reduce(0.0) { $0 + Double($1) } / 5000
        #expect(abs(histogram.mean - mean) < mean * 1e-9)
    }

    @Test func addedHistograms_areAsIfOneHadRecordedAll() {
        let values = sample(77, count: 2000)
        var (all, first, second) = (LatencyHistogram(), LatencyHistogram(), LatencyHistogram())
        for (index, value) in values.enumerated() {
            all.record(value)
            if index.isMultiple(of: 3) { first.record(value) } else { second.record(value) }
        }
        first.add(second)
        first.add(LatencyHistogram())
        #expect(first.count == all.count)
        for quantile in stride(from: 0.0, through: 1, by: 0.01) {
            #expect(first.value(at: quantile) == all.value(at: quantile))
        }
        #expect(first.min == all.min)
        #expect(first.max == all.max)
    }

    @Test func smallValues_areExact() {
        for value in 0..<2048 as Range<UInt64> {
            var histogram = LatencyHistogram()
            histogram.record(value)
            histogram.record(5000)
            #expect(histogram.value(at: 0.5) == value)
        }
    }

    @Test func whatTakesHours_isCountedAsTheMost() {
        var histogram = LatencyHistogram()
        histogram.record(.max)
        #expect(histogram.max == 1 << 43)
        #expect(histogram.value(at: 0.5) == 1 << 43)
    }

    @Test func emptiedHistogram_isAsNew() {
        var histogram = LatencyHistogram()
        for value in sample(5, count: 100) { histogram.record(value) }
        histogram.removeAll()
        #expect(histogram == LatencyHistogram())
        #expect(histogram.value(at: 0.99) == 0)
        #expect(histogram.mean == 0)
        #expect(histogram.min == 0)
    }
}
