import Foundation
import MartletCore
import MartletTestKit

@testable import MartletModelServer

/// A model, as a simulation runs it: how long a batch takes by its rows.
struct SimulatedModel: Sendable {
    let name: String
    /// Seconds of a batch, without noise.
    let seconds: @Sendable (_ rows: Int) -> Double
    /// The standard deviation of the times, as a share of them.
    var noise = 0.05

    /// Rows cost as much together as apart, but for a little: convolutions on a busy processor.
    static let convolutional = SimulatedModel(name: "CNN") { 0.0004 + 0.0046 * Double($0) }
    /// A run costs much, a row little: a small model over a table.
    static let tabular = SimulatedModel(name: "tabular") { 0.008 + 0.0004 * Double($0) }
    /// Rows pay together until the processor is full, then cost more and more.
    static let transformer = SimulatedModel(name: "BERT") { rows in
        let count = Double(rows)
        return 0.006 + 0.0012 * count + 0.000_008 * count * count
    }

    static let all = [convolutional, tabular, transformer]

    /// Rows a second in the best of batches with which an answer can keep a target.
    func peak(target: Double, threads: Int) -> Double {
        let share = 1 + 1 / Double(threads)
        let sizes = (1...4096).prefix { seconds($0) * share <= target }
        return sizes.map { Double($0) / seconds($0) }.max().map { $0 * Double(threads) } ?? 0
    }
}

/// Clients that ask at random times, whatever the answers; threads that run what the queues say;
/// and how long the answers took.
struct LoadSimulation {
    /// What the clients do.
    struct Load {
        /// Requests a second.
        var rate: Double
        /// Requests in all.
        var count: Int
        /// Requests that come at once.
        var burst = 1
        /// Rows of a request.
        var rows = 1...1
        /// Seconds that clients wait; `nil` for as long as it takes.
        var patience: Double?
    }

    /// What came of it.
    struct Outcome {
        /// Seconds from a request to its answer.
        var latencies: [Double] = []
        /// Rows answered within the target, for each second of the simulation.
        var rowsInTime: [Int: Int] = [:]
        var refused = 0
        var expired = 0
        var batches = 0
        var seconds = 0.0

        /// The latency that a share of the answers keep.
        func latency(_ share: Double) -> Double {
            guard !latencies.isEmpty else { return 0 }
            let sorted = latencies.sorted()
            return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
        }

        /// Rows a second answered within the target, but for the first seconds.
        func goodput(after first: Int = 0) -> Double {
            let last = Int(seconds)
            guard last > first else { return 0 }
            return Double((first..<last).reduce(0) { $0 + (rowsInTime[$1] ?? 0) })
                / Double(last - first)
        }
    }

    private struct Run {
        let batch: BatchQueues<Int>.Batch
        let start: ContinuousClock.Instant
        let end: ContinuousClock.Instant
    }

    let model: SimulatedModel
    let target: Double
    private let limits: QueueLimits
    private var random: SeededGenerator
    private var queues: BatchQueues<Int>
    private let queue: QueueID
    private let origin = ContinuousClock.now
    private var now: ContinuousClock.Instant
    private var runs: [Run] = []
    private var arrivals: [ContinuousClock.Instant] = []
    private var sizes: [Int] = []
    private(set) var outcome = Outcome()

    init(
        _ model: SimulatedModel, limits: QueueLimits, target: Double, threads: Int, seed: UInt64
    ) {
        self.model = model
        self.target = target
        self.limits = limits
        random = SeededGenerator(seed: seed)
        queues = BatchQueues(capacity: threads)
        queue = queues.open(limits)
        now = origin
    }

    /// Lets clients come, and waits for the last answer.
    mutating func run(_ load: Load) {
        outcome = Outcome()
        let start = now
        var next = now
        var left = load.count
        while left > 0 || !runs.isEmpty || queues.waiting > 0 {
            startBatches()
            let due = [left > 0 ? next : nil, runs.map(\.end).min(), wake]
            guard let instant = due.compactMap(\.self).min() else { break }
            now = max(now, instant)
            expire()
            if left > 0, next <= now {
                for _ in 0..<min(load.burst, left) {
                    submit(load)
                    left -= 1
                }
                next += .seconds(interval(load.rate / Double(load.burst)))
            }
            finishBatches(since: start)
        }
        outcome.seconds = (now - start).seconds
    }

    // MARK: Events

    /// When the queues want to be asked again by themselves.
    private var wake: ContinuousClock.Instant?

    private mutating func startBatches() {
        wake = nil
        while queues.running < queues.capacity {
            guard case .run(let batch) = nextWork() else { return }
            let seconds = max(1e-5, model.seconds(batch.rows) * (1 + model.noise * normal()))
            runs.append(Run(batch: batch, start: now, end: now + .seconds(seconds)))
            outcome.batches += 1
        }
    }

    private mutating func nextWork() -> BatchQueues<Int>.Work {
        expire()
        let work = queues.next(now: now)
        if case .wait(let until) = work { wake = until }
        return work
    }

    private mutating func expire() {
        outcome.expired += queues.removeExpired(now: now).payloads.count
    }

    private mutating func submit(_ load: Load) {
        let size =
            load.rows.count == 1
            ? load.rows.lowerBound
            : Int.random(
                in: load.rows, using: &random)
        let deadline = load.patience.map { Deadline.after(.seconds($0), now: now) } ?? .never
        do {
            _ = try queues.submit(
                arrivals.count, to: queue, size: size, deadline: deadline, now: now)
            arrivals.append(now)
            sizes.append(size)
        } catch {
            outcome.refused += 1
        }
    }

    private mutating func finishBatches(since start: ContinuousClock.Instant) {
        for run in runs where run.end <= now {
            for slice in run.batch.slices {
                let latency = (run.end - arrivals[slice.payload]).seconds
                outcome.latencies.append(latency)
                if latency <= target {
                    let second = Int((run.end - start).seconds)
                    outcome.rowsInTime[second, default: 0] += sizes[slice.payload]
                }
            }
            let ended = BatchOutcome(
                executedRows: run.batch.rows, time: run.end - run.start, end: run.end)
            _ = queues.didRun(run.batch, ended)
        }
        runs.removeAll { $0.end <= now }
    }

    // MARK: Chance

    private mutating func interval(_ rate: Double) -> Double {
        -log(1 - Double.random(in: 0..<1, using: &random)) / rate
    }

    /// A number of the standard normal distribution, cut at three deviations.
    private mutating func normal() -> Double {
        let radius = (-2 * log(1 - Double.random(in: 0..<1, using: &random))).squareRoot()
        let angle = 2 * Double.pi * Double.random(in: 0..<1, using: &random)
        return min(max(radius * cos(angle), -3), 3)
    }
}

extension QueueLimits {
    /// The bounds of an adaptive queue.
    static func adaptive(target: Double, rows: Int = 1000) -> QueueLimits {
        var parameters = BatchingParameters()
        parameters.maxBatchSize = rows
        parameters.targetLatency = .seconds(target)
        return QueueLimits(parameters)
    }

    /// The bounds of a queue with fixed parameters.
    static func fixed(rows: Int, timeout: Double, enqueued: Int = 1000) -> QueueLimits {
        QueueLimits(
            taskRows: rows, batchRows: rows, enqueuedBatches: enqueued, timeout: .seconds(timeout),
            splitsTasks: false)
    }
}
