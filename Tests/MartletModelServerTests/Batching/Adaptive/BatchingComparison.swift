import Foundation
import MartletCore
import MartletTestKit

@testable import MartletModelServer

/// Finds the highest load under which a way of batching keeps its target, for one model.
struct BatchingComparison {
    /// Fixed parameters, and what they reach.
    struct Row: Codable, Sendable {
        let model: String
        let threads: Int
        /// Most rows of a batch; `nil` for adaptive ones.
        let rows: Int?
        /// Milliseconds that a batch waits to fill.
        let timeoutMilliseconds: Double?
        /// Requests a second of which 99 of 100 are answered within the target.
        let requestsPerSecond: Double
    }

    let model: SimulatedModel
    let threads: Int
    let target: Double
    /// Requests of each trial.
    var requests = 4000
    /// How often the load is halved into.
    var steps = 7

    /// What adaptive batches reach.
    func adaptive() -> Row {
        row(nil, nil, .adaptive(target: target))
    }

    /// What each of a grid of fixed parameters reaches.
    func fixed(rows: [Int], timeouts: [Double]) -> [Row] {
        rows.flatMap { rows in
            timeouts.map { timeout in
                row(rows, timeout * 1000, .fixed(rows: rows, timeout: timeout))
            }
        }
    }

    private func row(_ rows: Int?, _ timeout: Double?, _ limits: QueueLimits) -> Row {
        Row(
            model: model.name, threads: threads, rows: rows, timeoutMilliseconds: timeout,
            requestsPerSecond: highest(limits))
    }

    private func highest(_ limits: QueueLimits) -> Double {
        let peak = model.peak(target: target, threads: threads)
        var (low, high) = (0.0, 1.2)
        for _ in 0..<steps {
            let middle = (low + high) / 2
            if keeps(limits, rate: middle * peak) { low = middle } else { high = middle }
        }
        return low * peak
    }

    private func keeps(_ limits: QueueLimits, rate: Double) -> Bool {
        var simulation = LoadSimulation(
            model, limits: limits, target: target, threads: threads, seed: 7)
        simulation.run(.init(rate: rate, count: requests / 2))
        simulation.run(.init(rate: rate, count: requests))
        let inTime = simulation.outcome.latencies.lazy.filter { $0 <= target }.count
        return Double(inTime) >= 0.99 * Double(requests)
    }
}
