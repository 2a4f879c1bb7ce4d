import MartletTestKit
import Testing

@testable import MartletGateway

/// What the algorithms make of clusters in which something goes wrong; the figures are those of
/// `Benchmarks/balancers.py`, as bounds that hold for every seed.
@Suite("Balancers in simulated clusters")
struct BalancerSimulationTests {
    private static let seeds = SimulationSeeds.first(5)

    private func outcome(
        _ algorithm: BalancingAlgorithm, in scenario: BalancingScenario, seed: UInt64
    ) -> BalancerSimulation.Outcome {
        var simulation = BalancerSimulation(
            scenario.brief, algorithm, configuration: .quick, seed: seed)
        return simulation.run()
    }

    @Test func everyAlgorithm_inEveryScenario_picksForEachRequest() {
        for scenario in BalancingScenario.all {
            for algorithm in BalancingAlgorithm.allCases {
                let outcome = outcome(algorithm, in: scenario, seed: 0)
                #expect(outcome.unpicked == 0)
                // Each request has exactly one end.
                #expect(outcome.latencies.count + outcome.errors == outcome.requests)
                #expect(outcome.requests > 1700, "\(scenario.name), \(algorithm)")
            }
        }
    }

    @Test func whenOneIsTenTimesSlower_itIsAvoided() {
        for seed in Self.seeds {
            let roundRobin = outcome(.roundRobin, in: .slow, seed: seed)
            #expect(roundRobin.latency(0.99) > 2, "\(SimulationSeeds.replay(seed))")
            for algorithm in [BalancingAlgorithm.leastRequest, .peakEWMA, .prequal] {
                let outcome = outcome(algorithm, in: .slow, seed: seed)
                let message = "\(algorithm), \(SimulationSeeds.replay(seed))"
                #expect(outcome.latency(0.99) < roundRobin.latency(0.99) / 10, "\(message)")
                #expect(outcome.errors == 0, "\(message)")
            }
            for algorithm in [BalancingAlgorithm.dynamicWeightedRoundRobin, .consistentHash] {
                let outcome = outcome(algorithm, in: .slow, seed: seed)
                let message = "\(algorithm), \(SimulationSeeds.replay(seed))"
                #expect(outcome.latency(0.99) < roundRobin.latency(0.99) / 2, "\(message)")
                #expect(outcome.errorShare < 0.01, "\(message)")
            }
        }
    }

    @Test func whenOneIsTenTimesSlowerAndNoneSaysSo_latencyTells() {
        for seed in Self.seeds {
            let roundRobin = outcome(.roundRobin, in: .slowAndSilent, seed: seed)
            for algorithm in [BalancingAlgorithm.peakEWMA, .prequal] {
                let outcome = outcome(algorithm, in: .slowAndSilent, seed: seed)
                let message = "\(algorithm), \(SimulationSeeds.replay(seed))"
                #expect(outcome.latency(0.99) < roundRobin.latency(0.99) / 10, "\(message)")
            }
            let leastRequest = outcome(.leastRequest, in: .slowAndSilent, seed: seed)
            #expect(leastRequest.latency(0.99) < roundRobin.latency(0.99) / 4)
        }
    }

    @Test func whenOneFailsFast_itDrawsHardlyAnyRequests() {
        for seed in Self.seeds {
            let roundRobin = outcome(.roundRobin, in: .failing, seed: seed).errorShare
            #expect(roundRobin > 0.3)
            for algorithm in [
                BalancingAlgorithm.leastRequest, .peakEWMA, .prequal, .consistentHash,
            ] {
                let errorShare = outcome(algorithm, in: .failing, seed: seed).errorShare
                let message = "\(algorithm), \(errorShare), \(SimulationSeeds.replay(seed))"
                #expect(errorShare < roundRobin / 50, "\(message)")
            }
            let weighted = outcome(.dynamicWeightedRoundRobin, in: .failing, seed: seed)
            #expect(weighted.errorShare < roundRobin / 2, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func whenAllAreEqual_loadIsEvenAndLatencyAsGoodAsInTurn() {
        func least(_ algorithm: BalancingAlgorithm) -> Double {
            switch algorithm {
            case .dynamicWeightedRoundRobin, .roundRobin: 0.31
            case .leastRequest, .prequal, .prefixAware: 0.25
            // A peak is felt for seconds, and keys are not equally popular.
            case .peakEWMA, .consistentHash: 0.2
            }
        }
        for seed in Self.seeds {
            let roundRobin = outcome(.roundRobin, in: .equal, seed: seed)
            for algorithm in BalancingAlgorithm.allCases {
                let outcome = outcome(algorithm, in: .equal, seed: seed)
                let message = "\(algorithm), \(outcome.shares), \(SimulationSeeds.replay(seed))"
                #expect(outcome.shares.allSatisfy { $0 > least(algorithm) }, "\(message)")
                #expect(outcome.errors == 0, "\(message)")
                #expect(
                    outcome.latency(0.99) < roundRobin.latency(0.99) * 1.15, "\(message)")
            }
        }
    }

    @Test func whenOneFreezes_fewRequestsWaitForIt() {
        func hit(_ outcome: BalancerSimulation.Outcome) -> Int {
            outcome.errors + outcome.latencies.count { $0 > 1 }
        }
        for seed in Self.seeds {
            let roundRobin = hit(outcome(.roundRobin, in: .freezing, seed: seed))
            #expect(roundRobin > 300, "\(SimulationSeeds.replay(seed))")
            for algorithm in [
                BalancingAlgorithm.leastRequest, .peakEWMA, .prequal, .consistentHash,
            ] {
                let hit = hit(outcome(algorithm, in: .freezing, seed: seed))
                #expect(
                    hit < roundRobin / 10, "\(algorithm), \(hit), \(SimulationSeeds.replay(seed))")
            }
        }
    }

    /// What they tell is the same for all gateways, and old by the time of the next pick.
    @Test func whenGatewaysAreMany_probesDoNotMakeThemRunToOneEndpoint() {
        for seed in SimulationSeeds.first(2) {
            let outcomes = [false, true].map { answersProbes in
                var scenario = BalancingScenario.many
                scenario.answersProbes = answersProbes
                var simulation = BalancerSimulation(scenario, .prequal, seed: seed)
                return simulation.run()
            }
            let message = SimulationSeeds.replay(seed)
            #expect(outcomes[1].shares.allSatisfy { $0 > 0.06 }, "\(message)")
            #expect(outcomes[1].latency(0.99) < outcomes[0].latency(0.99) * 1.1, "\(message)")
        }
    }

    @Test func whenGatewaysAreMany_probesInRounds_areAsGoodAsLooks() {
        for seed in SimulationSeeds.first(2) {
            let probings: [BalancingScenario.Probing?] = [nil, .init()]
            let outcomes = probings.map { probing in
                var scenario = BalancingScenario.many
                scenario.probing = probing
                var simulation = BalancerSimulation(scenario, .prequal, seed: seed)
                let outcome = simulation.run()
                // A request calls for three, and none is asked twice at a time.
                #expect(simulation.probes <= 3 * outcome.requests * 3)
                #expect((simulation.probes > 5000) == (probing != nil))
                return outcome
            }
            let message = SimulationSeeds.replay(seed)
            #expect(outcomes[1].shares.allSatisfy { $0 > 0.06 }, "\(message)")
            #expect(outcomes[1].latency(0.99) < outcomes[0].latency(0.99) * 1.2, "\(message)")
            #expect(outcomes[1].errors == 0, "\(message)")
        }
    }

    @Test(arguments: [[], [0], [0, 1, 2]] as [Set<Int>])
    func whenSomeNodesDoNotTell_theSlowOneIsAvoidedAllTheSame(silent: Set<Int>) {
        for seed in Self.seeds {
            var scenario = BalancingScenario.slowAndSilent
            scenario.probing = .init(silent: silent)
            let roundRobin = outcome(.roundRobin, in: scenario, seed: seed)
            let prequal = outcome(.prequal, in: scenario, seed: seed)
            let message = "\(silent), \(SimulationSeeds.replay(seed))"
            #expect(prequal.latency(0.99) < roundRobin.latency(0.99) / 10, "\(message)")
            #expect(prequal.errors == 0, "\(message)")
        }
    }

    @Test func whenOneFreezes_probesThatItDoesNotAnswer_changeNothing() {
        for seed in Self.seeds {
            var scenario = BalancingScenario.freezing
            scenario.probing = .init()
            let outcome = outcome(.prequal, in: scenario, seed: seed)
            let hit = outcome.errors + outcome.latencies.count { $0 > 1 }
            #expect(hit < 30, "\(hit), \(SimulationSeeds.replay(seed))")
        }
    }
}
