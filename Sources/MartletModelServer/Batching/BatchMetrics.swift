import MartletCore
import MartletTelemetry

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
        let (model, signature) = queue.servable
        waits.with(model, signature).observe(seconds: wait.seconds)
        servingMetrics.didQueue(threadPool: queue.threadPoolName, seconds: wait.seconds)
    }

    func didRefuse(bound: String, in queue: BatchQueueLabel) {
        let (model, signature) = queue.servable
        refusals.with(model, signature, bound).increment()
    }

    func didRun(_ batch: BatchMeasurement, in queue: BatchQueueLabel) {
        let (model, signature) = queue.servable
        rows.with(model, signature).observe(Double(batch.rows))
        padding.with(model, signature).increment(by: batch.paddingRows)
        runs.with(model, signature, batch.succeeded ? "ok" : "error").increment()
        servingMetrics.didRunBatch()
    }
}

extension BatchQueueLabel {
    /// The model and the signature that the queue's name is made of.
    fileprivate var servable: (model: String, signature: String) {
        guard let slash = name.lastIndex(of: "/") else { return (name, "") }
        return (String(name[..<slash]), String(name[name.index(after: slash)...]))
    }
}
