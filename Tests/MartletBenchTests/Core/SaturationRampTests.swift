import Foundation
import MartletTestKit
import Testing

@testable import MartletBench

@Suite("The search for saturation")
struct SaturationRampTests {
    /// A server of one desk that serves each request in the same time, asked by Poisson arrivals.
    private struct Desk {
        let service: Double

        func trial(rate: Double, seed: UInt64) -> SaturationRamp.Trial {
            var schedule = ArrivalSchedule(.poisson(rate: rate, seed: seed))
            var histogram = LatencyHistogram()
            var (free, answered, offered) = (0.0, 0, 0)
            while let time = schedule.next(), time < 5_000_000_000 {
                offered += 1
                let arrived = Double(time) / 1e9
                free = max(free, arrived) + service
                histogram.record(UInt64((free - arrived) * 1e9))
                if free < 5 { answered += 1 }
            }
            return SaturationRamp.Trial(
                offered: Double(offered) / 5, answered: Double(answered) / 5,
                p99: histogram.value(at: 0.99), errorShare: 0)
        }
    }

    private func search(
        _ desk: Desk, p99: UInt64, start: Double
    ) -> (rate: Double?, trials: Int) {
        var ramp = SaturationRamp(.init(p99: p99, errorShare: 0.001), start: start)
        while case .attempt(let rate) = ramp.step {
            ramp.record(desk.trial(rate: rate, seed: UInt64(ramp.trials.count)))
        }
        guard case .finished(let rate) = ramp.step else { return (nil, 0) }
        return (rate, ramp.trials.count)
    }

    @Test(arguments: [10.0, 100, 900, 5000, 100_000])
    func search_findsTheKneeWhereverItBegins(start: Double) throws {
        // A millisecond each: 1,000 a second at most. p99 of 10 ms is kept at some 80 %.
        let (rate, trials) = search(Desk(service: 0.001), p99: 10_000_000, start: start)
        let found = try #require(rate)
        #expect(found > 650)
        #expect(found < 950)
        #expect(trials < SaturationRamp.trialsMax)
    }

    @Test func objectiveBelowTheServiceTime_isNeverKept() {
        #expect(search(Desk(service: 0.001), p99: 500_000, start: 100).rate == nil)
    }

    @Test func searchWithoutEnd_stopsAtTheHighestRate() {
        var ramp = SaturationRamp(.init(p99: 1000, errorShare: 0), start: 10, rateMax: 1000)
        while case .attempt(let rate) = ramp.step {
            ramp.record(.init(offered: rate, answered: rate, p99: 1, errorShare: 0))
        }
        #expect(ramp.step == .finished(rate: 1000))
    }

    @Test func trialIsNotKept_whenRequestsFailOrAreNotAnswered() {
        let ramp = SaturationRamp(.init(p99: 1000, errorShare: 0.01), start: 10)
        #expect(ramp.isKept(.init(offered: 100, answered: 99, p99: 1000, errorShare: 0.01)))
        #expect(!ramp.isKept(.init(offered: 100, answered: 99, p99: 1001, errorShare: 0)))
        #expect(!ramp.isKept(.init(offered: 100, answered: 90, p99: 1, errorShare: 0)))
        #expect(!ramp.isKept(.init(offered: 100, answered: 99, p99: 1, errorShare: 0.02)))
    }
}
