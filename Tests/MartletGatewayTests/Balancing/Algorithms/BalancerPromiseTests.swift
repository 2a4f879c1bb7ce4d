import MartletTestKit
import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")
private let key = PickRequest(affinityKey: 42)

/// What every algorithm must do.
@Suite("Balancers: what every one promises")
struct BalancerPromiseTests {
    @Test(arguments: BalancingAlgorithm.allCases)
    func pick_withoutEndpoints_isNil(algorithm: BalancingAlgorithm) {
        var balancer = algorithm.makeBalancer(seed: 0)
        #expect(balancer.pick(now: .zero) == nil)
        #expect(balancer.pick(for: key, excluding: [a], now: .seconds(1)) == nil)
        #expect(balancer.weights.isEmpty)
        #expect(balancer.endpointsToProbe(now: .zero).isEmpty)
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func pick_ofEndpointNeverSaidHealthy_isNil(algorithm: BalancingAlgorithm) {
        var balancer = algorithm.makeBalancer(seed: 0)
        balancer.add(a, now: .zero)
        #expect(balancer.pick(now: .zero) == nil)
        #expect(balancer.pick(for: key, excluding: [], now: .zero) == nil)
        #expect(balancer.healthyEndpoints.isEmpty)
        #expect(balancer.weights.keys.sorted() == [a])
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func pick_withAllExcluded_isNilAndTheNextIsNot(algorithm: BalancingAlgorithm) {
        var balancer = algorithm.makeBalancer(seed: 0)
        balancer.addHealthy(a, b)
        #expect(balancer.pick(excluding: [a, b], now: .zero) == nil)
        #expect(balancer.pick(for: key, excluding: [a, b, c], now: .zero) == nil)
        #expect(balancer.pick(excluding: [a], now: .zero) == b)
        #expect(balancer.pick(for: key, excluding: [b], now: .zero) == a)
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func pick_whenEndpointIsUnhealthyOrRemoved_passesItBy(algorithm: BalancingAlgorithm) {
        var balancer = algorithm.makeBalancer(seed: 0)
        balancer.addHealthy(a, b, c)
        _ = balancer.tally(10)
        balancer.setHealthy(a, false, now: .zero)
        balancer.remove(b)
        #expect(balancer.tally(50) == [c: 50])
        #expect(balancer.healthyEndpoints == [c])
        balancer.setHealthy(a, true, now: .zero)
        #expect(balancer.tally(50).keys.sorted() == [a, c])
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func firstPicks_withDifferentSeeds_areAtDifferentEndpoints(algorithm: BalancingAlgorithm) {
        let first = (0..<64 as Range<UInt64>).map { seed in
            var balancer = algorithm.makeBalancer(seed: seed)
            balancer.addHealthy(a, b, c)
            return balancer.pick(now: .zero)
        }
        #expect(Set(first) == [a, b, c])
    }

    /// One request after the other, so nothing is in flight at a pick.
    @Test(arguments: BalancingAlgorithm.allCases)
    func picks_amongIdleEqualEndpoints_areEven(algorithm: BalancingAlgorithm) {
        for seed in SimulationSeeds.first(8) {
            var balancer = algorithm.makeBalancer(seed: seed)
            balancer.addHealthy(a, b, c)
            var tally: [EndpointID: Int] = [:]
            for step in 1...3000 {
                let now = Duration.milliseconds(step * 20)
                guard let id = balancer.pick(now: now) else { continue }
                balancer.answer(id, seconds: 0.01, endingAt: now + .milliseconds(10))
                tally[id, default: 0] += 1
            }
            // Five standard deviations of a fair draw.
            let isEven = [a, b, c].allSatisfy { (870...1130).contains(tally[$0] ?? 0) }
            #expect(isEven, "\(tally), \(SimulationSeeds.replay(seed))")
        }
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func randomEvents_neverBreakAPromise(algorithm: BalancingAlgorithm) {
        for seed in SimulationSeeds.first(500) {
            var world = BalancerWorld(algorithm, seed: seed)
            let violation = world.run(steps: 150)
            #expect(violation == nil, "\(SimulationSeeds.replay(seed))")
            if violation != nil { return }
        }
    }

    @Test(arguments: BalancingAlgorithm.allCases)
    func equalEvents_withEqualSeeds_giveEqualPicks(algorithm: BalancingAlgorithm) {
        for seed in SimulationSeeds.first(25) {
            var first = BalancerWorld(algorithm, seed: seed)
            var second = BalancerWorld(algorithm, seed: seed)
            _ = first.run(steps: 200)
            _ = second.run(steps: 200)
            #expect(first.picks == second.picks, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func algorithms_areNamedAsInTheFlag() {
        let names = BalancingAlgorithm.allCases.map(\.rawValue)
        #expect(
            names == [
                "dynamic-weighted-round-robin", "round-robin", "least-request", "peak-ewma",
                "prequal", "consistent-hash", "prefix-aware",
            ])
        #expect(BalancingAlgorithm(rawValue: "dynamic-weighted-round-robin") != nil)
        let kinds = BalancingAlgorithm.allCases.map {
            String(describing: type(of: $0.makeBalancer(seed: 0)))
        }
        #expect(Set(kinds).count == kinds.count)
    }
}
