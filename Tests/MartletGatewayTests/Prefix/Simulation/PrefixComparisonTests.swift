import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

/// Where the comparison is to be written.
private let table = ProcessInfo.processInfo.environment["MARTLET_PREFIX_TABLE"]

@Suite("Hit rates of balancers beside each other")
struct PrefixComparisonTests {
    /// What one algorithm makes of a trace; `Benchmarks/prefixes.py` reads it.
    private struct Row: Encodable {
        let trace: String
        let requests: Int
        let endpoints: Int
        /// Of each endpoint; nil for no bound.
        let cacheTokens: Int?
        let gateways: Int
        let algorithm: String
        /// Blocks that a cache had, of all.
        let hitRate: Double
        /// The same of one endpoint with the cache of all.
        let boundHitRate: Double
        /// How many times the mean the endpoint that got the most tokens got, and had to compute.
        let imbalance: Double
        let computedImbalance: Double
        /// To the first token.
        let p50Seconds: Double
        let p99Seconds: Double
        let meanSeconds: Double
    }

    private static let algorithms: [BalancingAlgorithm] = [
        .roundRobin, .leastRequest, .consistentHash, .prefixAware,
    ]

    private static let clusters: [PrefixSimulation.Cluster] = [
        .init(), .init(cacheTokens: 2_048_000), .init(cacheTokens: 1_024_000),
        .init(gateways: 2), .init(endpoints: 2), .init(endpoints: 16),
    ]

    /// Writes the comparison into the file that the environment names, for
    /// `Benchmarks/prefixes.py`.
    ///
    /// `MARTLET_PREFIX_TRACE` names a trace; without it one is made up.
    @Test(.enabled(if: table != nil))
    func comparison_isWrittenDown() throws {
        guard let table else { return }
        let file = ProcessInfo.processInfo.environment["MARTLET_PREFIX_TRACE"]
        let trace =
            try file.map { try PrefixTrace(contentsOf: URL(fileURLWithPath: $0)) }
            ?? PrefixTrace(conversations: 3000, seed: 0)
        var rows: [Row] = []
        for cluster in Self.clusters {
            var one = cluster
            one.endpoints = 1
            one.cacheTokens = cluster.cacheTokens.map { $0 * cluster.endpoints }
            var single = PrefixSimulation(trace, one, .roundRobin, seed: 0)
            let bound = single.run().hitRate
            rows += Self.algorithms.map { row(trace, cluster, $0, bound: bound) }
        }
        try JSONEncoder().encode(rows).write(to: URL(fileURLWithPath: table))
    }

    private func row(
        _ trace: PrefixTrace, _ cluster: PrefixSimulation.Cluster, _ algorithm: BalancingAlgorithm,
        bound: Double
    ) -> Row {
        var simulation = PrefixSimulation(trace, cluster, algorithm, seed: 0)
        let outcome = simulation.run()
        let times = outcome.firstTokens.sorted()
        func time(_ quantile: Double) -> Double {
            times.isEmpty ? 0 : times[Int(quantile * Double(times.count - 1))]
        }
        return Row(
            trace: trace.name, requests: trace.requests.count, endpoints: cluster.endpoints,
            cacheTokens: cluster.cacheTokens, gateways: cluster.gateways,
            algorithm: algorithm.rawValue, hitRate: outcome.hitRate, boundHitRate: bound,
            imbalance: outcome.imbalance, computedImbalance: outcome.computedImbalance,
            p50Seconds: time(0.5), p99Seconds: time(0.99),
            meanSeconds: times.reduce(0, +) / Double(max(times.count, 1)))
    }
}
