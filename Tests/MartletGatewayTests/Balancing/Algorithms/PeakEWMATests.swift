import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Peak EWMA")
struct PeakEWMATests {
    private let decay = Duration.seconds(10)

    // MARK: The average

    @Test func average_ofALongerLatency_risesAtOnce() {
        var latency = PeakLatency()
        #expect(latency.seconds(now: .zero, decayTime: decay) == nil)
        latency.observe(0.1, now: .seconds(1), decayTime: decay)
        latency.observe(0.7, now: .seconds(1), decayTime: decay)
        #expect(latency.seconds(now: .seconds(1), decayTime: decay) == 0.7)
    }

    @Test func average_ofAShorterLatency_fallsAsTimePasses() throws {
        var latency = PeakLatency()
        latency.observe(1, now: .zero, decayTime: decay)
        latency.observe(0.1, now: .seconds(10), decayTime: decay)
        // 1/e + 0.1 × (1 - 1/e).
        let seconds = try #require(latency.seconds(now: .seconds(10), decayTime: decay))
        #expect(abs(seconds - 0.43109) < 0.0001)
    }

    @Test func average_withoutAnswers_fallsTowardsNothingButNotToIt() throws {
        var latency = PeakLatency()
        latency.observe(1, now: .zero, decayTime: decay)
        let later = try #require(latency.seconds(now: .seconds(20), decayTime: decay))
        #expect(abs(later - 0.13534) < 0.0001)
        let muchLater = try #require(latency.seconds(now: .seconds(1_000_000), decayTime: decay))
        #expect(muchLater > 0)
    }

    @Test func average_afterAFailure_isAsAtTheLastAnswer() {
        var latency = PeakLatency()
        latency.observeFailure(0.5, now: .zero)
        #expect(latency.average == nil)
        latency.observe(1, now: .zero, decayTime: decay)
        latency.observeFailure(0.001, now: .seconds(30))
        #expect(latency.seconds(now: .seconds(30), decayTime: decay) == 1)
        latency.observeFailure(4, now: .seconds(30))
        #expect(latency.seconds(now: .seconds(30), decayTime: decay) == 4)
    }

    @Test func average_ofAnAttemptGivenUp_isOnlyRaised() {
        var latency = PeakLatency()
        latency.observeAbandoned(1, now: .zero, decayTime: decay)
        #expect(latency.average == nil)
        latency.observe(1, now: .zero, decayTime: decay)
        latency.observeAbandoned(0.5, now: .zero, decayTime: decay)
        #expect(latency.average == 1)
        latency.observeAbandoned(3, now: .zero, decayTime: decay)
        #expect(latency.average == 3)
    }

    // MARK: Picks

    @Test func pick_ofTwo_isTheOneOfLowerLatencyForItsLoad() {
        var balancer = PeakEWMA(seed: 0)
        balancer.addHealthy(a, b)
        balancer.answer(a, seconds: 0.1, endingAt: .seconds(1))
        balancer.answer(b, seconds: 0.4, endingAt: .seconds(1))
        #expect(balancer.tally(50, now: .seconds(1)) == [a: 50])
        // 0.1 × 4 is 0.4 × 1; one more is too many.
        balancer.begin(4, at: a, now: .seconds(1))
        #expect(balancer.tally(50, now: .seconds(1)) == [b: 50])
    }

    @Test func endpointThatWasSlow_isTriedAgain() {
        var balancer = PeakEWMA(seed: 0)
        balancer.addHealthy(a, b)
        balancer.answer(b, seconds: 1, endingAt: .seconds(1))
        var second = 1
        while second < 100 {
            balancer.answer(a, seconds: 0.1, endingAt: .seconds(second))
            if balancer.tally(20, now: .seconds(second))[b] != nil { break }
            second += 1
        }
        // 10 s × ln(1 / 0.1) are 23 s.
        #expect((20...30).contains(second), "\(second) s")
    }

    @Test func newcomer_isTakenToBeAsFastAsTheOthers() {
        var balancer = PeakEWMA(seed: 0)
        balancer.addHealthy(a, b, c)
        balancer.answer(a, seconds: 0.1, endingAt: .seconds(1))
        balancer.answer(b, seconds: 0.3, endingAt: .seconds(1))
        balancer.begin(1, at: a, now: .seconds(1))
        // 0.1 × 2, 0.3 × 1 and 0.2 × 1: none of a and c is dearer than b.
        let tally = balancer.tally(200, now: .seconds(1))
        #expect(tally[b] == nil)
        #expect(tally[c] ?? 0 > 50)
        balancer.begin(3, at: c, now: .seconds(1))
        #expect(balancer.tally(200, now: .seconds(1))[c] == nil)
    }

    @Test func newcomer_whileTheOthersFade_isPicked() {
        var balancer = PeakEWMA(seed: 0)
        balancer.addHealthy(a, b)
        balancer.answer(a, seconds: 0.1, endingAt: .seconds(1))
        #expect(balancer.tally(100, now: .seconds(30))[b] ?? 0 > 20)
    }

    @Test func endpointThatHangs_isGivenOnlyAFew() {
        for seed in SimulationSeeds.first(20) {
            var balancer = PeakEWMA(seed: seed)
            balancer.addHealthy(a, b)
            balancer.answer(a, seconds: 0.02, endingAt: .seconds(1))
            balancer.answer(b, seconds: 0.02, endingAt: .seconds(1))
            var hanging = 0
            for step in 0..<500 {
                let now = Duration.seconds(1) + .milliseconds(step * 10)
                guard balancer.pick(now: now) == b else {
                    balancer.answer(a, seconds: 0.02, endingAt: now)
                    continue
                }
                balancer.didBegin(b, now: now)
                hanging += 1
            }
            #expect((1...3).contains(hanging), "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func picks_ofManySlowEndpoints_areFew() {
        var balancer = PeakEWMA(seed: 4)
        let ids = (0..<12).map { EndpointID("node-\($0):1") }
        for (index, id) in ids.enumerated() {
            balancer.addHealthy(id)
            balancer.answer(id, seconds: index < 6 ? 0.01 : 1, endingAt: .seconds(1))
        }
        // An even draw would give them 6/12 × 5/11.
        let tally = balancer.tally(10_000, now: .seconds(1))
        #expect(ids[6...].reduce(0) { $0 + (tally[$1] ?? 0) } < 50)
    }
}
