import MartletTestKit

@testable import MartletGateway

extension BalancingConfiguration {
    /// Weights that follow reports within seconds, so that short simulations have them.
    static let quick = BalancingConfiguration(
        blackoutPeriod: .seconds(2), slowStartWindow: .seconds(1))
}

/// All algorithms beside each other in one scenario, over several seeds.
struct BalancerComparison {
    /// What one algorithm makes of a scenario; `Benchmarks/balancers.py` reads it.
    struct Row: Encodable {
        let scenario: String
        let algorithm: String
        let p50Milliseconds: Double
        let p99Milliseconds: Double
        let p999Milliseconds: Double
        /// Of all requests.
        let errorShare: Double
        /// The share of all requests that each node got.
        let shares: [Double]
    }

    let scenario: BalancingScenario
    let seeds: Range<UInt64>

    func row(_ algorithm: BalancingAlgorithm) -> Row {
        var all = BalancerSimulation.Outcome()
        all.picks = scenario.nodes.map { _ in 0 }
        for seed in seeds {
            var simulation = BalancerSimulation(scenario, algorithm, seed: seed)
            all.add(simulation.run())
        }
        return Row(
            scenario: scenario.name, algorithm: algorithm.rawValue,
            p50Milliseconds: all.latency(0.5) * 1000,
            p99Milliseconds: all.latency(0.99) * 1000,
            p999Milliseconds: all.latency(0.999) * 1000,
            errorShare: all.errorShare, shares: all.shares)
    }
}

extension BalancerSimulation.Outcome {
    mutating func add(_ other: Self) {
        latencies += other.latencies
        errors += other.errors
        unpicked += other.unpicked
        for (index, count) in other.picks.enumerated() { picks[index] += count }
    }
}
