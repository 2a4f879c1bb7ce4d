import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Prefix-aware balancing in simulated clusters")
struct PrefixSimulationTests {
    private func outcome(
        _ trace: PrefixTrace, _ cluster: PrefixSimulation.Cluster, _ algorithm: BalancingAlgorithm,
        seed: UInt64
    ) -> PrefixSimulation.Outcome {
        var simulation = PrefixSimulation(trace, cluster, algorithm, seed: seed)
        return simulation.run()
    }

    /// One endpoint with the cache of all.
    private func bound(
        _ trace: PrefixTrace, _ cluster: PrefixSimulation.Cluster
    ) -> PrefixSimulation.Outcome {
        let tokens = cluster.cacheTokens.map { $0 * cluster.endpoints }
        return outcome(trace, .init(endpoints: 1, cacheTokens: tokens), .roundRobin, seed: 0)
    }

    @Test func hitRate_isNearThatOfOneCache_andLoadIsEven() {
        for seed in SimulationSeeds.first(3) {
            let trace = PrefixTrace(conversations: 500, seed: seed)
            for endpoints in [2, 8] {
                let cluster = PrefixSimulation.Cluster(endpoints: endpoints)
                let ours = outcome(trace, cluster, .prefixAware, seed: seed)
                let best = bound(trace, cluster).hitRate
                let replay = SimulationSeeds.replay(seed)
                #expect(ours.hitRate > 0.95 * best, "\(ours.hitRate) of \(best), \(replay)")
                #expect(ours.imbalance < 1.1, "\(endpoints), \(replay)")
                #expect(ours.computedImbalance < 1.1, "\(endpoints), \(replay)")
            }
        }
    }

    @Test func hitRate_andFirstTokens_areFarBetterThanRoundRobins() {
        for seed in SimulationSeeds.first(3) {
            let trace = PrefixTrace(conversations: 300, seed: seed)
            let cluster = PrefixSimulation.Cluster(endpoints: 8)
            let ours = outcome(trace, cluster, .prefixAware, seed: seed)
            let theirs = outcome(trace, cluster, .roundRobin, seed: seed)
            #expect(ours.hitRate > 1.5 * theirs.hitRate, "\(SimulationSeeds.replay(seed))")
            let means = [ours, theirs].map { $0.firstTokens.reduce(0, +) }
            #expect(means[0] < means[1], "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func hitRate_withSmallCaches_isNearThatOfOneCacheOfAll() {
        for seed in SimulationSeeds.first(3) {
            let trace = PrefixTrace(conversations: 500, seed: seed)
            let cluster = PrefixSimulation.Cluster(endpoints: 4, cacheTokens: 512 * 500)
            let ours = outcome(trace, cluster, .prefixAware, seed: seed)
            let best = bound(trace, cluster).hitRate
            #expect(ours.hitRate > 0.9 * best, "\(ours.hitRate) of \(best)")
            #expect(ours.imbalance < 1.1, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// Each knows a part of what endpoints hold, and learns the rest by its own misses.
    @Test func hitRate_withTwoGateways_isStillAboveRoundRobins() {
        for seed in SimulationSeeds.first(3) {
            let trace = PrefixTrace(conversations: 300, seed: seed)
            let cluster = PrefixSimulation.Cluster(gateways: 2)
            let ours = outcome(trace, cluster, .prefixAware, seed: seed)
            let theirs = outcome(trace, cluster, .roundRobin, seed: seed)
            #expect(ours.hitRate > 1.3 * theirs.hitRate, "\(SimulationSeeds.replay(seed))")
        }
    }
}
