import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Recent latencies")
struct RecentLatenciesTests {
    @Test func quantile_withTooFew_isNil() {
        var recent = RecentLatencies(window: .seconds(20))
        for _ in 0..<9 { recent.record(.seconds(1), now: .zero) }
        #expect(recent.quantile(0.5, samplesMin: 10, now: .zero) == nil)
        recent.record(.seconds(1), now: .zero)
        #expect(recent.quantile(0.5, samplesMin: 10, now: .zero) != nil)
    }

    @Test(arguments: [0, 9, 10, 19])
    func latency_withinTheWindow_counts(age: Int) {
        var recent = RecentLatencies(window: .seconds(20))
        recent.record(.seconds(1), now: .seconds(100))
        #expect(recent.quantile(1, samplesMin: 1, now: .seconds(100 + age)) != nil)
    }

    @Test(arguments: [20, 30, 39, 40, 1_000_000])
    func latency_beyondTheWindow_isForgotten(age: Int) {
        var recent = RecentLatencies(window: .seconds(20))
        recent.record(.seconds(1), now: .seconds(100))
        #expect(recent.quantile(1, samplesMin: 1, now: .seconds(100 + age)) == nil)
    }

    @Test func time_thatRunsBackwards_standsStill() {
        var recent = RecentLatencies(window: .seconds(20))
        recent.record(.seconds(1), now: .seconds(100))
        recent.record(.seconds(1), now: .seconds(3))
        #expect(recent.quantile(1, samplesMin: 2, now: .seconds(100)) != nil)
    }

    /// What is younger than half the window counts, what is older than all of it does not.
    @Test func randomLatencies_countByAge() {
        for seed in SimulationSeeds.first(300) {
            var generator = SeededGenerator(seed: seed)
            var recent = RecentLatencies(window: .seconds(20))
            var times: [Duration] = []
            var now = Duration.zero
            var isKept = true
            for _ in 0..<60 {
                now += .milliseconds(Int.random(in: 0...4000, using: &generator))
                recent.record(.seconds(1), now: now)
                times.append(now)
                let young = times.count { now - $0 < .seconds(10) }
                let notOld = times.count { now - $0 < .seconds(20) }
                isKept = isKept && recent.quantile(0.5, samplesMin: young, now: now) != nil
                isKept = isKept && recent.quantile(0.5, samplesMin: notOld + 1, now: now) == nil
            }
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }
}
