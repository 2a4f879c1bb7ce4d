import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Balancers: failures")
struct FailurePenaltyTests {
    private let penalty = FailurePenalty()

    @Test func debt_ofOneFailure_fadesToAnEthInTheDecayTime() {
        var debt = FailureDebt()
        #expect(debt.requests(now: .zero, penalty) == 0)
        debt.didFail(now: .seconds(5), penalty)
        #expect(debt.requests(now: .seconds(5), penalty) == 10)
        #expect(abs(debt.requests(now: .seconds(15), penalty) - 3.679) < 0.001)
        #expect(debt.requests(now: .seconds(100), penalty) == 0)
    }

    @Test func debt_ofAnEndpointThatOnlyFails_growsToItsLimit() {
        var debt = FailureDebt()
        for _ in 0..<50 { debt.didFail(now: .zero, penalty) }
        #expect(debt.requests(now: .zero, penalty) == 500)
        for _ in 0..<500 { debt.didFail(now: .zero, penalty) }
        #expect(debt.requests(now: .zero, penalty) == 1000)
    }

    @Test func debt_ofRareFailures_isHardlyFeltAtAnyRateOfRequests() {
        for perSecond in [10.0, 1000, 100_000] {
            var debt = FailureDebt()
            var sum = 0.0
            for request in 0..<100_000 {
                let now = Duration.seconds(Double(request) / perSecond)
                if request % 1000 == 500 {
                    debt.didFail(now: now, penalty)
                } else {
                    debt.didSucceed(now: now, penalty)
                }
                sum += debt.requests(now: now, penalty)
            }
            #expect(sum / 100_000 < 0.11, "at \(perSecond) a second")
        }
    }

    @Test func debt_ofOneInTen_weighsAsMuchAsElevenRequests() {
        var debt = FailureDebt()
        var random = SeededGenerator(seed: 1)
        var sum = 0.0
        for _ in 0..<100_000 {
            if random.unit() < 0.1 {
                debt.didFail(now: .zero, penalty)
            } else {
                debt.didSucceed(now: .zero, penalty)
            }
            sum += debt.requests(now: .zero, penalty)
        }
        #expect(abs(sum / 100_000 - 11.1) < 0.5)
    }

    @Test func debt_whenTimeRunsBackwards_standsStill() {
        var debt = FailureDebt()
        debt.didFail(now: .seconds(10), penalty)
        #expect(debt.requests(now: .seconds(1), penalty) == 10)
        debt.didFail(now: .seconds(1), penalty)
        #expect(debt.requests(now: .seconds(10), penalty) == 20)
    }

    @Test func figuresOutOfRange_areBroughtIntoIt() {
        let penalty = FailurePenalty(
            requests: -1, requestsMax: -1, forgiveness: 2, decayTime: .seconds(-1))
        #expect(penalty.requests == 0 && penalty.requestsMax == 0)
        #expect(penalty.forgiveness == 1)
        #expect(penalty.decayTime == .milliseconds(1))
    }

    /// Those that go by latency or requests in flight.
    static let wary: [BalancingAlgorithm] = [
        .leastRequest, .peakEWMA, .prequal, .consistentHash, .prefixAware,
    ]

    /// Twenty minutes, at 50 requests a second that take 30 ms: one that fails is never busy, and
    /// what was known of its latency is long past.
    @Test(arguments: wary)
    func endpointThatFailsFastForLong_isHardlyPicked(algorithm: BalancingAlgorithm) {
        for seed in SimulationSeeds.first(1) {
            var traffic = SteadyTraffic(algorithm, seed: seed)
            _ = traffic.run(seconds: 60, failing: nil)
            for minute in 1...20 {
                let picks = traffic.run(seconds: 60, failing: c)
                let share = Double(picks[c] ?? 0) / 3000
                #expect(share < 0.02, "minute \(minute), \(SimulationSeeds.replay(seed))")
            }
        }
    }

    @Test(arguments: wary)
    func endpointThatNeverWorked_isHardlyPicked(algorithm: BalancingAlgorithm) {
        for seed in SimulationSeeds.first(4) {
            var traffic = SteadyTraffic(algorithm, seed: seed)
            let picks = traffic.run(seconds: 60, failing: c)
            #expect(Double(picks[c] ?? 0) / 3000 < 0.02, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test(arguments: wary)
    func endpointThatNoLongerFails_hasItsShareAgainWithinAMinute(algorithm: BalancingAlgorithm) {
        for seed in SimulationSeeds.first(4) {
            var traffic = SteadyTraffic(algorithm, seed: seed)
            _ = traffic.run(seconds: 60, failing: c)
            _ = traffic.run(seconds: 60, failing: nil)
            let picks = traffic.run(seconds: 60, failing: nil)
            let share = Double(picks[c] ?? 0) / 3000
            #expect((0.2...0.5).contains(share), "\(share), \(SimulationSeeds.replay(seed))")
        }
    }

    /// Though nothing was picked meanwhile that could have taken the debt away.
    @Test(arguments: [BalancingAlgorithm.leastRequest, .peakEWMA, .consistentHash, .prefixAware])
    func endpointWhoseFailuresAreLongPast_isDrawnAsOften(algorithm: BalancingAlgorithm) {
        var balancer = algorithm.makeBalancer(seed: 5)
        balancer.addHealthy(a, b, c)
        for _ in 0..<100 { balancer.fail(c, now: .zero) }
        let tally = balancer.tally(600, now: .seconds(600))
        #expect((120...280).contains(tally[c] ?? 0), "\(tally)")
    }

    @Test(arguments: wary)
    func whenAllFail_allArePicked(algorithm: BalancingAlgorithm) {
        var balancer = algorithm.makeBalancer(seed: 3)
        balancer.addHealthy(a, b, c)
        var tally: [EndpointID: Int] = [:]
        for step in 0..<3000 {
            let now = Duration.milliseconds(step * 20)
            guard let id = balancer.pick(now: now) else { continue }
            balancer.fail(id, now: now)
            tally[id, default: 0] += 1
        }
        #expect([a, b, c].allSatisfy { (700...1300).contains(tally[$0] ?? 0) }, "\(tally)")
    }
}

/// Fifty requests a second to three endpoints that take 30 ms, or fail at once.
private struct SteadyTraffic {
    private var balancer: any Balancer
    private var random: SeededGenerator
    private var running: [(id: EndpointID, begin: Duration)] = []
    private var now = Duration.zero

    init(_ algorithm: BalancingAlgorithm, seed: UInt64) {
        balancer = algorithm.makeBalancer(seed: seed)
        balancer.addHealthy(a, b, c)
        random = SeededGenerator(seed: seed)
    }

    /// The picks by endpoint.
    mutating func run(seconds: Int, failing: EndpointID?) -> [EndpointID: Int] {
        var picks: [EndpointID: Int] = [:]
        for _ in 0..<seconds * 50 {
            now += .milliseconds(20)
            while let first = running.first, now - first.begin >= .milliseconds(30) {
                running.removeFirst()
                let result = BalancedAttempt(latency: .milliseconds(30), hasFailed: false)
                balancer.didEnd(first.id, result, now: now)
            }
            let request = PickRequest(affinityKey: random.next())
            guard let id = balancer.pick(for: request, excluding: [], now: now) else { continue }
            picks[id, default: 0] += 1
            if id == failing {
                balancer.fail(id, now: now)
            } else {
                balancer.didBegin(id, now: now)
                running.append((id, now))
            }
        }
        return picks
    }
}
