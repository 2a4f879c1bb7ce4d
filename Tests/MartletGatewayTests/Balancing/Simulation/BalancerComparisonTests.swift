import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

/// Where the whole comparison is to be written.
private let table = ProcessInfo.processInfo.environment["MARTLET_BALANCING_TABLE"]

@Suite("Balancers beside each other")
struct BalancerComparisonTests {
    /// Writes the whole comparison into the file that the environment names, for
    /// `Benchmarks/balancers.py`.
    ///
    /// `MARTLET_BALANCING_SEEDS` says how often each is run.
    @Test(.enabled(if: table != nil))
    func wholeComparison_isWrittenDown() throws {
        guard let table else { return }
        let environment = ProcessInfo.processInfo.environment
        let seeds = environment["MARTLET_BALANCING_SEEDS"].flatMap(UInt64.init) ?? 5
        var rows: [BalancerComparison.Row] = []
        for scenario in BalancingScenario.all {
            let comparison = BalancerComparison(scenario: scenario, seeds: 0..<seeds)
            // Without prompts it is least request.
            rows += BalancingAlgorithm.allCases.filter { $0 != .prefixAware }.map(comparison.row)
        }
        try JSONEncoder().encode(rows).write(to: URL(fileURLWithPath: table))
    }
}
