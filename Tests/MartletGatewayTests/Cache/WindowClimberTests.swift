import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Size of the admission window")
struct WindowClimberTests {
    private static let requests = 50_000

    /// Hits are most frequent with the best share, and less the further from it.
    @Test(arguments: [0.01, 0.3, 0.5, 0.8])
    func window_comesToTheBestShareAndStaysNear(best: Double) {
        for seed in SimulationSeeds.first(50) {
            var generator = SeededGenerator(seed: seed)
            var climber = WindowClimber()
            var distance = 0.0
            for period in 0..<200 {
                climber.adapt(
                    to: hits(with: climber.share, best: best, using: &generator),
                    of: Self.requests)
                if period >= 50 { distance += abs(climber.share - best) / 150 }
            }
            #expect(distance < 0.08, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// What chance makes of hits must not lead it away from where scans do the least harm.
    @Test func windowWhoseSizeDoesNotMatter_staysSmall() {
        for seed in SimulationSeeds.first(200) {
            var generator = SeededGenerator(seed: seed)
            var climber = WindowClimber()
            var sum = 0.0
            for _ in 0..<500 {
                climber.adapt(to: 0.75 + chance(using: &generator), of: Self.requests)
                sum += climber.share
            }
            #expect(sum / 500 < 0.04, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func loadThatChanges_isFollowed() {
        var generator = SeededGenerator(seed: 1)
        var climber = WindowClimber()
        for best in [0.01, 0.7, 0.01, 0.4] {
            for _ in 0..<40 {
                let ratio = hits(with: climber.share, best: best, using: &generator)
                climber.adapt(to: ratio, of: Self.requests)
            }
            #expect(abs(climber.share - best) < 0.15)
        }
    }

    @Test func window_staysWithinItsBounds() {
        for seed in SimulationSeeds.first(200) {
            var generator = SeededGenerator(seed: seed)
            var climber = WindowClimber()
            var isWithin = true
            for _ in 0..<500 {
                let period = Int.random(in: -1...5, using: &generator)
                climber.record(isHit: Bool.random(using: &generator), period: period)
                isWithin =
                    isWithin
                    && (WindowClimber.shareMin...WindowClimber.shareMax).contains(climber.share)
            }
            #expect(isWithin, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func period_endsAfterSoManyRequests() {
        var climber = WindowClimber()
        for _ in 0..<99 { climber.record(isHit: true, period: 100) }
        #expect(climber.share == WindowClimber.shareMin)
        climber.record(isHit: true, period: 100)
        #expect(climber.share > WindowClimber.shareMin)
    }

    private func hits(
        with share: Double, best: Double, using generator: inout SeededGenerator
    ) -> Double {
        0.75 - abs(share - best) / 4 + chance(using: &generator)
    }

    /// What chance adds to a share of hits near three quarters: nearly a normal distribution.
    private func chance(using generator: inout SeededGenerator) -> Double {
        let sum = (0..<12).reduce(-6.0) { sum, _ in
            sum + Double.random(in: 0..<1, using: &generator)
        }
        return sum * (0.75 * 0.25 / Double(Self.requests)).squareRoot()
    }
}
