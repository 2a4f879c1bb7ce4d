import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Latency curve and batch size")
struct LatencyCurveTests {
    private func curve(_ times: [Int: Double], runs: Int = 20) -> LatencyCurve {
        var curve = LatencyCurve()
        for _ in 0..<runs {
            for (rows, seconds) in times.sorted(by: { $0.key < $1.key }) {
                curve.observe(rows: rows, seconds: seconds)
            }
        }
        return curve
    }

    private func isNear(_ value: Double?, _ expected: Double) -> Bool {
        value.map { abs($0 - expected) <= 0.02 * expected } ?? false
    }

    @Test func nothingLearned_saysNothing() {
        #expect(LatencyCurve().mean(rows: 1) == nil)
        let sizer = BatchSizer(
            LatencyCurve(), seconds: 1, concurrency: 1, rowsMax: 100, padded: { $0 })
        #expect(sizer == .unknown)
    }

    @Test func sizesBetween_lieOnTheStraightLine() {
        let curve = curve([4: 0.004, 64: 0.016])
        #expect(isNear(curve.mean(rows: 34), 0.010))
        #expect(isNear(curve.mean(rows: 4), 0.004))
        #expect(isNear(curve.mean(rows: 1), 0.004), "fewer rows take no longer")
    }

    @Test func sizesBeyond_goOnAsSteepAsBefore() {
        #expect(isNear(curve([4: 0.004, 64: 0.016]).mean(rows: 124), 0.028))
        #expect(isNear(curve([4: 0.004]).mean(rows: 8), 0.008), "one size promises no gain")
    }

    @Test func noise_neverMakesLargerBatchesFaster() {
        let curve = curve([8: 0.010, 16: 0.008, 32: 0.020])
        let times = (1...40).compactMap { curve.mean(rows: $0) }
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test func aSlowFirstRun_isSoonForgotten() {
        var curve = LatencyCurve()
        curve.observe(rows: 1, seconds: 1)
        for _ in 0..<8 { curve.observe(rows: 1, seconds: 0.001) }
        #expect((curve.mean(rows: 1) ?? 1) < 0.04)
    }

    @Test func anEngineThatBecomesSlower_isLearned() {
        var curve = curve([1: 0.001], runs: 1000)
        for _ in 0..<64 { curve.observe(rows: 1, seconds: 0.002) }
        #expect(isNear(curve.mean(rows: 1), 0.002))
    }

    @Test func batches_areAsLargeAsTheTargetAllows() {
        let curve = curve([1: 0.0031, 64: 0.0094, 512: 0.0542])
        let sizer = BatchSizer(
            curve, seconds: 0.05, concurrency: 1, rowsMax: 1000, padded: { $0 })
        let run = curve.mean(rows: sizer.rows) ?? 1
        #expect(run * 2 <= 0.05)
        #expect(run * 2 > 0.03)
    }

    @Test func batches_areNoLargerThanPays() {
        let curve = curve([1: 0.001, 8: 0.008, 64: 0.064])
        let sizer = BatchSizer(
            curve, seconds: 1, concurrency: 1, rowsMax: 64, padded: { $0 })
        #expect(sizer.rows == 1)
    }

    @Test func sizesNeverTried_growByTwo() {
        let curve = curve([1: 0.001, 4: 0.0011])
        let sizer = BatchSizer(
            curve, seconds: 1, concurrency: 1, rowsMax: 1000, padded: { $0 })
        #expect(sizer.rows == 8)
    }

    @Test func aTargetThatNothingMeets_leavesOneRow() {
        let sizer = BatchSizer(
            curve([1: 1]), seconds: 0.1, concurrency: 1, rowsMax: 1000, padded: { $0 })
        #expect(sizer.rows == 1)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func anyCurve_risesAndAnySize_fits(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var curve = LatencyCurve()
        for _ in 0..<Int.random(in: 1...200, using: &random) {
            curve.observe(
                rows: Int.random(in: 1...300, using: &random),
                seconds: Double.random(in: 0.0001...0.1, using: &random))
        }
        let times = (1...600).compactMap { curve.mean(rows: $0) }
        #expect(times.count == 600)
        #expect(zip(times, times.dropFirst()).allSatisfy { $0 <= $1 + 1e-12 })
        let sizer = BatchSizer(
            curve, seconds: 0.05, concurrency: 2, rowsMax: 128, padded: { $0 })
        #expect((1...128).contains(sizer.rows))
        #expect((1...128).contains(sizer.fittingRows))
        #expect(sizer.hurriedRows <= sizer.rows)
    }
}
