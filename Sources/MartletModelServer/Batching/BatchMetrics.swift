import MartletCore
import MartletTelemetry
import Synchronization

/// Writes what batching does into the node's metrics.
final class BatchMetrics: BatchObserver {
    private static let sizeBuckets: [Double] = [
        1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
    ]

    private let rows: HistogramFamily
    private let padding: CounterFamily
    private let waits: HistogramFamily
    private let runs: CounterFamily
    private let refusals: CounterFamily

    private let servingMetrics: ServingMetrics
    // Looked up once: finding a child by its labels costs more than what is counted.
    private let children = Mutex<[BatchQueueLabel: Children]>([:])

    /// What is counted for each task and batch of a queue.
    private struct Children {
        let rows: Histogram
        let padding: Counter
        let waits: Histogram
        let queueing: Histogram
    }

    init(metrics: MetricsRegistry, servingMetrics: ServingMetrics = ServingMetrics()) {
        self.servingMetrics = servingMetrics
        rows = metrics.histogramFamily(
            "martlet_batch_rows", help: "Rows of requests in each batch, padding left out.",
            labelNames: ["model", "signature"], buckets: BatchMetrics.sizeBuckets)
        padding = metrics.counterFamily(
            "martlet_batch_padding_rows_total",
            help: "Rows added to batches to reach an allowed size.",
            labelNames: ["model", "signature"])
        waits = metrics.histogramFamily(
            "martlet_batch_wait_seconds", help: "Time requests waited for their batch.",
            labelNames: ["model", "signature"])
        runs = metrics.counterFamily(
            "martlet_batches_total", help: "Batches that ran in the engine, by outcome.",
            labelNames: ["model", "signature", "outcome"])
        refusals = metrics.counterFamily(
            "martlet_batch_refusals_total",
            help: "Requests turned away that could not be answered in time, by the bound.",
            labelNames: ["model", "signature", "bound"])
    }

    /// Shows what the adaptive queues of a scheduler have learned.
    static func showKnowledge(of scheduler: BatchScheduler, in metrics: MetricsRegistry) {
        func collect(
            _ name: String, _ help: String, _ labelNames: [String],
            _ add: @escaping @Sendable (BatchKnowledge, [String], inout MetricSamples) -> Void
        ) {
            metrics.collector(name, help: help, labelNames: labelNames) { samples in
                for (label, knowledge) in scheduler.knowledge {
                    let (model, signature) = label.servable
                    add(knowledge, [model, signature], &samples)
                }
            }
        }
        collect(
            "martlet_batch_target_seconds", "Target latency of adaptive batches.",
            ["model", "signature"]
        ) { $2.add($0.target.seconds, labels: $1) }
        collect(
            "martlet_batch_rows_limit", "Most rows of an adaptive batch at present.",
            ["model", "signature"]
        ) { $2.add(Double($0.rows), labels: $1) }
        collect(
            "martlet_batch_run_seconds", "Run time of a batch by its rows, as learned.",
            ["model", "signature", "rows"]
        ) { knowledge, labels, samples in
            var rows = 1
            while rows <= knowledge.curve.largestRows {
                if let seconds = knowledge.curve.mean(rows: rows) {
                    samples.add(seconds, labels: labels + ["\(rows)"])
                }
                rows *= 2
            }
        }
    }

    func didEnqueue(rows: Int, in queue: BatchQueueLabel) {}

    func didDequeue(after wait: Duration, from queue: BatchQueueLabel) {
        let children = children(of: queue)
        let seconds = wait.seconds
        children.waits.observe(seconds: seconds)
        children.queueing.observe(seconds * 1e6)
    }

    func didRefuse(bound: String, in queue: BatchQueueLabel) {
        let (model, signature) = queue.servable
        refusals.with(model, signature, bound).increment()
    }

    func didRun(_ batch: BatchMeasurement, in queue: BatchQueueLabel) {
        let children = children(of: queue)
        children.rows.observe(Double(batch.rows))
        children.padding.increment(by: batch.paddingRows)
        let (model, signature) = queue.servable
        runs.with(model, signature, batch.succeeded ? "ok" : "error").increment()
        servingMetrics.didRunBatch()
    }

    private func children(of queue: BatchQueueLabel) -> Children {
        children.withLock { known in
            if let children = known[queue] { return children }
            let (model, signature) = queue.servable
            let made = Children(
                rows: rows.with(model, signature), padding: padding.with(model, signature),
                waits: waits.with(model, signature),
                queueing: servingMetrics.queueing(threadPool: queue.threadPoolName))
            known[queue] = made
            return made
        }
    }
}

extension BatchQueueLabel {
    /// The model and the signature that the queue's name is made of.
    fileprivate var servable: (model: String, signature: String) {
        guard let slash = name.lastIndex(of: "/") else { return (name, "") }
        return (String(name[..<slash]), String(name[name.index(after: slash)...]))
    }
}
