import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Adaptive time to live")
struct AdaptiveTTLTests {
    private let ttl = AdaptiveTTL()

    @Test func modelThatHasJustChanged_getsTheMinimum() {
        #expect(ttl.duration(hitRate: 1, stableFor: .zero, pressure: 0) == ttl.minimum)
        #expect(ttl.duration(hitRate: 1, stableFor: .seconds(100), pressure: 0) == ttl.minimum)
    }

    @Test func answersNotAskedForAgain_getTheMinimum() {
        #expect(ttl.duration(hitRate: 0, stableFor: .seconds(1e9), pressure: 0) == ttl.minimum)
    }

    @Test func stableModel_isTrustedForATenthOfItsAge() {
        let life = ttl.duration(hitRate: 1, stableFor: .seconds(1000), pressure: 0)
        #expect(abs((life - .seconds(100)) / .seconds(1)) < 1e-6)
        #expect(ttl.duration(hitRate: 1, stableFor: .seconds(1e9), pressure: 0) == ttl.maximum)
    }

    @Test func pressure_takesItsShare() {
        let life = ttl.duration(hitRate: 1, stableFor: .seconds(1000), pressure: 1)
        #expect(abs((life - .seconds(10 + 90 * 0.25)) / .seconds(1)) < 1e-6)
    }

    @Test func life_neverShrinksWithHitsOrAgeNorGrowsWithPressure() {
        for seed in SimulationSeeds.first(3000) {
            var generator = SeededGenerator(seed: seed)
            let ttl = AdaptiveTTL(
                minimum: .seconds(Double.random(in: 0...100, using: &generator)),
                maximum: .seconds(Double.random(in: 0...10_000, using: &generator)),
                stabilityShare: .random(in: 0...2, using: &generator),
                pressureShare: .random(in: 0...1, using: &generator))
            let hits = [0, 1].map { _ in Double.random(in: 0...1, using: &generator) }.sorted()
            let ages = [0, 1].map { _ in Double.random(in: 0...1e6, using: &generator) }.sorted()
            let pressures = [0, 1].map { _ in Double.random(in: 0...1, using: &generator) }.sorted()
            let low = ttl.duration(
                hitRate: hits[0], stableFor: .seconds(ages[0]), pressure: pressures[1])
            let high = ttl.duration(
                hitRate: hits[1], stableFor: .seconds(ages[1]), pressure: pressures[0])
            let isInOrder = ttl.minimum <= low && low <= high && high <= ttl.maximum
            #expect(isInOrder, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func oddFigures_areBroughtIntoRange() {
        let odd = AdaptiveTTL(
            minimum: .seconds(-5), maximum: .seconds(1e12), stabilityShare: .nan,
            pressureShare: .infinity)
        #expect(odd.minimum == .zero && odd.maximum == .seconds(30 * 24 * 3600))
        #expect(odd.stabilityShare == 0 && odd.pressureShare == 1)
        for figure in [Double.nan, .infinity, -.infinity, -1, 1e300] {
            let life = ttl.duration(hitRate: figure, stableFor: .seconds(-1), pressure: figure)
            #expect(life == ttl.minimum)
        }
        #expect(AdaptiveTTL(minimum: .seconds(9), maximum: .seconds(3)).minimum == .seconds(3))
    }
}
