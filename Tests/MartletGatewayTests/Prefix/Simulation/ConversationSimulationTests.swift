import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Conversations of clients that wait, at endpoints that share their time")
struct ConversationSimulationTests {
    private typealias Load = ConversationSimulation.Load

    private func outcome(
        _ algorithm: BalancingAlgorithm, _ load: Load = Load(), weight: Double = 1, seed: UInt64
    ) -> ConversationSimulation.Outcome {
        var simulation = ConversationSimulation(load, algorithm, weight: weight, seed: seed)
        return simulation.run()
    }

    /// A policy file's weight of 1 reaches balancers as 1000.
    @Test(arguments: [1, 1000] as [Double])
    func clients_areSpreadOverBoth_andConversationsStay(weight: Double) {
        for seed in SimulationSeeds.first(8) {
            let replay = SimulationSeeds.replay(seed)
            let ours = outcome(.prefixAware, weight: weight, seed: seed)
            #expect(ours.all.reduce(0, +) == 256)
            #expect(ours.imbalance <= 1.25, "\(ours.all), \(replay)")
            #expect((ours.first.max() ?? 0) <= 5, "\(ours.first), \(replay)")
            #expect(ours.keptShare >= 0.7, "\(ours.keptShare), \(replay)")
        }
    }

    @Test func hits_areNearThoseOfOneCacheOfAll_andFarAboveRoundRobins() {
        for seed in SimulationSeeds.first(8) {
            let replay = SimulationSeeds.replay(seed)
            let ours = outcome(.prefixAware, seed: seed)
            let theirs = outcome(.roundRobin, seed: seed)
            let one = outcome(
                .roundRobin, Load(endpoints: 1, cacheBlocks: 2 * Load().cacheBlocks), seed: seed)
            #expect(
                ours.hitRate >= 0.93 * one.hitRate,
                "\(ours.hitRate), \(one.hitRate), \(replay)")
            // The beginning that all have is found by any balancing, so the rest is telling.
            #expect(
                ours.ownHitRate >= 1.5 * theirs.ownHitRate,
                "\(ours.ownHitRate), \(theirs.ownHitRate), \(replay)")
        }
    }
}
