import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Panic threshold")
struct PanicThresholdTests {
    @Test(arguments: [
        (0.5, 0, 0, false), (0.5, 0, 1, true), (0.5, 1, 2, false), (0.5, 1, 3, true),
        (0.5, 2, 3, false), (0.5, 4, 8, false), (0.5, 3, 8, true),
        (0, 0, 8, false), (1, 7, 8, true), (1, 8, 8, false),
    ])
    func panic_isBelowTheShare(share: Double, healthy: Int, total: Int, isPanic: Bool) {
        let threshold = PanicThreshold(healthyShareMin: share)
        #expect(threshold.isPanic(healthy: healthy, of: total) == isPanic)
    }

    @Test func threshold_ofZero_neverPanics() {
        #expect(!PanicThreshold(healthyShareMin: 0).isPanic(healthy: 0, of: 3))
    }

    @Test(arguments: [(-1, 0), (2, 1), (Double.nan, 0), (.infinity, 1)])
    func share_outOfRange_isBroughtIntoIt(given: Double, used: Double) {
        #expect(PanicThreshold(healthyShareMin: given).healthyShareMin == used)
    }

    @Test func panic_onceOver_staysOverWithMoreHealthyOnes() {
        for seed in SimulationSeeds.first(1000) {
            var generator = SeededGenerator(seed: seed)
            let threshold = PanicThreshold(healthyShareMin: .random(in: 0...1, using: &generator))
            let total = Int.random(in: 1...50, using: &generator)
            let panics = (0...total).map { threshold.isPanic(healthy: $0, of: total) }
            #expect(panics == panics.sorted { $0 && !$1 }, "\(SimulationSeeds.replay(seed))")
            #expect(panics.last == false, "\(SimulationSeeds.replay(seed))")
        }
    }
}
