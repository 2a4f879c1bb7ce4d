import MartletCore
import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Adaptive batches, by the thousand")
struct AdaptiveSimulationTests {
    private static let target = 0.05

    private func simulation(
        _ model: SimulatedModel, threads: Int, seed: UInt64
    ) -> LoadSimulation {
        LoadSimulation(
            model, limits: .adaptive(target: Self.target), target: Self.target, threads: threads,
            seed: seed)
    }

    @Test func randomTasksThreadsAndTimes_keepEveryPromise() {
        let complaint = SimulationSeeds.complaint(first: 10_000, acts: 24) {
            AdaptiveWorld(seed: $0)
        }
        #expect(complaint == nil)
    }

    @Test func loadThatFits_isAnsweredWithinTheTarget() {
        for seed in SimulationSeeds.first(12) {
            let model = SimulatedModel.all[Int(seed % 3)]
            let threads = 1 + Int(seed / 3 % 2)
            var simulation = simulation(model, threads: threads, seed: seed)
            let rate = 0.7 * model.peak(target: Self.target, threads: threads)
            simulation.run(.init(rate: rate, count: 1000))
            simulation.run(.init(rate: rate, count: 2000))
            let outcome = simulation.outcome
            #expect(outcome.latency(0.99) <= Self.target, "\(SimulationSeeds.replay(seed))")
            #expect(outcome.refused <= 40, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func tenTimesTheLoadThatFits_isRefusedAndTheRestAnsweredAsFastAsEver() {
        for seed in SimulationSeeds.first(4) {
            let model = SimulatedModel.all[Int(seed % 3)]
            let threads = 1 + Int(seed / 3 % 2)
            var simulation = simulation(model, threads: threads, seed: seed)
            let peak = model.peak(target: Self.target, threads: threads)
            // The first two seconds are for learning; what is counted are hundreds of batches.
            simulation.run(.init(rate: 10 * peak, count: Int(10 * peak * 5.1)))
            let goodput = simulation.outcome.goodput(after: 2)
            var best = self.simulation(model, threads: threads, seed: seed)
            best.run(.init(rate: 1.5 * peak, count: Int(1.5 * peak * 5.1)))
            #expect(
                goodput >= 0.95 * best.outcome.goodput(after: 2),
                "\(model.name) \(threads) \(SimulationSeeds.replay(seed))")
            #expect(goodput >= 0.85 * peak)
            simulation.run(.init(rate: 0.5 * peak, count: Int(peak)))
            #expect(simulation.outcome.latency(0.99) <= Self.target)
            #expect(simulation.outcome.refused == 0, "it does not recover")
        }
    }

    @Test func whenThreadsAreIdle_noTaskWaitsForOthers() {
        for seed in SimulationSeeds.first(20) {
            let model = SimulatedModel.transformer
            var simulation = simulation(model, threads: 2, seed: seed)
            simulation.run(.init(rate: 2, count: 50))
            let outcome = simulation.outcome
            #expect(outcome.latency(0.5) <= model.seconds(1) * 1.2)
            #expect(outcome.refused == 0)
        }
    }

    @Test func aTargetThatCannotBeKept_doesNotEndTheService() {
        let slow = SimulatedModel(name: "slow") { 0.2 + 0.01 * Double($0) }
        var simulation = simulation(slow, threads: 1, seed: 1)
        simulation.run(.init(rate: 20, count: 400))
        #expect(simulation.outcome.latencies.count > 50)
    }
}
