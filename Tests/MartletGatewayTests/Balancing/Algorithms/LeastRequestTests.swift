import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Least request")
struct LeastRequestTests {
    private func balancer(seed: UInt64 = 0) -> LeastRequest {
        LeastRequest(configuration: immediate, seed: seed)
    }

    @Test func pick_ofTwo_isTheOneWithFewerInFlight() {
        var balancer = balancer()
        balancer.addHealthy(a, b)
        balancer.begin(3, at: a)
        balancer.begin(2, at: b)
        #expect(balancer.tally(50) == [b: 50])
        balancer.begin(2, at: b)
        #expect(balancer.tally(50) == [a: 50])
    }

    @Test func picks_ofThree_neverAreTheBusiest() {
        var balancer = balancer()
        balancer.addHealthy(a, b, c)
        balancer.begin(1, at: c)
        let tally = balancer.tally(1000)
        #expect(tally[c] == nil)
        #expect((400...600).contains(tally[a] ?? 0), "\(tally)")
    }

    @Test func picks_ofEqualEndpoints_areLeftToChance() {
        var balancer = balancer()
        balancer.addHealthy(a, b, c)
        balancer.begin(2, at: a)
        balancer.begin(2, at: b)
        balancer.begin(2, at: c)
        let tally = balancer.tally(3000)
        #expect([a, b, c].allSatisfy { (870...1130).contains(tally[$0] ?? 0) }, "\(tally)")
    }

    @Test func pick_whenOneCarriesMore_goesByFill() {
        var balancer = balancer()
        balancer.addHealthy(a, b)
        balancer.report(a, .carrying(300), now: .zero)
        balancer.report(b, .carrying(100), now: .zero)
        balancer.updateWeights(now: .zero)
        balancer.begin(4, at: a)
        balancer.begin(1, at: b)
        // 5/300 is less than 2/100; one more at a is even, and two are too many.
        #expect(balancer.tally(50) == [a: 50])
        balancer.begin(2, at: a)
        #expect(balancer.tally(50) == [b: 50])
    }

    @Test func picks_ofManyUnequalEndpoints_goWhereTheyCanBeCarried() {
        var balancer = balancer(seed: 5)
        let ids = (0..<20).map { EndpointID("node-\($0):1") }
        for (index, id) in ids.enumerated() {
            balancer.addHealthy(id)
            balancer.report(id, .carrying(index < 15 ? 10 : 100), now: .zero)
        }
        balancer.updateWeights(now: .zero)
        var tally: [EndpointID: Int] = [:]
        for _ in 0..<6500 {
            guard let id = balancer.pick(now: .zero) else { continue }
            balancer.didBegin(id, now: .zero)
            tally[id, default: 0] += 1
        }
        // 15 × 10 + 5 × 100 are 650: each unit of weight gets ten.
        for (index, id) in ids.enumerated() {
            let expected = index < 15 ? 100 : 1000
            #expect(abs((tally[id] ?? 0) - expected) <= expected / 10, "\(index)")
        }
    }

    @Test func weights_followReportsOnceAPeriod() {
        var balancer = balancer()
        balancer.addHealthy(a, b)
        balancer.report(a, .carrying(3), now: .milliseconds(10))
        balancer.report(b, .carrying(1), now: .milliseconds(10))
        _ = balancer.pick(now: .milliseconds(999))
        #expect(balancer.weights == [a: 1, b: 1])
        _ = balancer.pick(now: .milliseconds(1000))
        #expect(balancer.weights == [a: 3, b: 1])
    }

    @Test func newcomer_startsSlowly() {
        var balancer = LeastRequest(
            configuration: BalancingConfiguration(blackoutPeriod: .zero), seed: 0)
        balancer.addHealthy(a, b)
        balancer.updateWeights(now: .seconds(60))
        balancer.addHealthy(c, now: .seconds(60))
        balancer.begin(3, at: a)
        balancer.begin(3, at: b)
        // Empty, but with a tenth of the weight: 1/0.1 is more than 4/1.
        #expect(balancer.tally(100, now: .seconds(60))[c] == nil)
        #expect(balancer.tally(100, now: .seconds(80))[c] ?? 0 > 50)
    }

    @Test func failure_countsAsTenRequests() {
        var balancer = balancer()
        balancer.addHealthy(a, b)
        balancer.fail(a, now: .zero)
        balancer.begin(9, at: b)
        #expect(balancer.tally(50) == [b: 50])
        balancer.begin(2, at: b)
        #expect(balancer.tally(50) == [a: 50])
    }
}
