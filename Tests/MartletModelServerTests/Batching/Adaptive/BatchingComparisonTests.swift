import Foundation
import Testing

@testable import MartletModelServer

/// Where the whole comparison is to be written.
private let table = ProcessInfo.processInfo.environment["MARTLET_BATCHING_TABLE"]

@Suite("Adaptive batches beside fixed ones")
struct BatchingComparisonTests {
    @Test func adaptiveBatches_reachWhatTheBestFixedParametersDo() {
        for (index, model) in SimulatedModel.all.enumerated() {
            let comparison = BatchingComparison(
                model: model, threads: 1 + index % 2, target: 0.05, requests: 1500, steps: 6)
            let best = comparison.fixed(rows: [1, 16, 256], timeouts: [0])
                .map(\.requestsPerSecond).max()
            let adaptive = comparison.adaptive().requestsPerSecond
            #expect(adaptive >= 0.95 * (best ?? 0), "\(model.name)")
        }
    }

    /// Writes the whole comparison into the file that the environment names, for
    /// `Benchmarks/batching.py`.
    ///
    /// `MARTLET_BATCHING_REQUESTS` says how long its trials are.
    @Test(.enabled(if: table != nil))
    func wholeComparison_isWrittenDown() throws {
        guard let table else { return }
        let environment = ProcessInfo.processInfo.environment
        let requests = environment["MARTLET_BATCHING_REQUESTS"].flatMap(Int.init) ?? 4000
        var rows: [BatchingComparison.Row] = []
        for model in SimulatedModel.all {
            for threads in [1, 2] {
                let comparison = BatchingComparison(
                    model: model, threads: threads, target: 0.05, requests: requests)
                rows.append(comparison.adaptive())
                rows += comparison.fixed(
                    rows: [1, 4, 16, 32, 64, 128, 256, 1000], timeouts: [0, 0.002, 0.01])
            }
        }
        try JSONEncoder().encode(rows).write(to: URL(fileURLWithPath: table))
    }
}
