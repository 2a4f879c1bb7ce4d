internal import Foundation
import MartletCore
import MartletTelemetry

/// The metrics of a node under TensorFlow Serving's names, with its labels, units and buckets.
///
/// They have a registry of their own: the original's names break today's conventions, and the
/// node's own page keeps to them.
public final class ServingMetrics: Sendable {
    /// What the original counts as requests to models.
    enum API: String, Sendable {
        case predict = "Predict"
        case classify = "Classify"
        case regress = "Regress"
        case multiInference = "MultiInference"

        /// The API of an operation; `nil` for operations that the original does not count.
        init?(operation: String) {
            switch operation {
            case "predict": self = .predict
            case "classify": self = .classify
            case "regress": self = .regress
            case "multi_inference": self = .multiInference
            default: return nil
            }
        }
    }

    let registry = MetricsRegistry()
    private let requestCount: CounterFamily
    private let requestLatency: HistogramFamily
    private let runtimeLatency: HistogramFamily
    private let exampleCounts: HistogramFamily
    private let exampleCountTotal: CounterFamily
    private let requestLogCount: CounterFamily
    private let warmUpLatency: HistogramFamily
    private let loadAttemptCount: CounterFamily
    private let loadLatency: CounterFamily
    private let queuingLatency: HistogramFamily
    private let wrappedRunCount: CounterFamily

    /// Creates metrics that have counted nothing.
    public init() {
        let names = Names(registry: registry)
        requestCount = names.counter(
            "serving:request_count", "Requests to models.", ["model_name", "status"])
        requestLatency = names.latency(
            "serving:request_latency", "Time of requests that succeeded, in microseconds.",
            ["model_name", "API", "entrypoint"])
        runtimeLatency = names.latency(
            "serving:runtime_latency", "Time of runs in the engine, in microseconds.",
            ["model_name", "API", "runtime"])
        exampleCounts = names.histogram(
            "serving:request_example_counts", "Examples in each request.", ["model"],
            bounds: ServingMetrics.exponential(scale: 1, factor: 2, count: 15))
        exampleCountTotal = names.counter(
            "serving:request_example_count_total", "Examples in all requests.", ["model"])
        requestLogCount = names.counter(
            "serving:request_log_count", "Requests that were logged.",
            ["model_name", "status_code"])
        warmUpLatency = names.latency(
            "serving:model_warmup_latency", "Time of warming a version up, in microseconds.",
            ["model_path", "status"])
        loadAttemptCount = names.counter(
            "cc:saved_model:load_attempt_count", "Versions that were loaded, or failed to.",
            ["model_path", "status"])
        loadLatency = names.counter(
            "cc:saved_model:load_latency", "Time of loads that succeeded, in microseconds.",
            ["model_path"])
        queuingLatency = names.histogram(
            "serving:batching_session:queuing_latency",
            "Time that requests waited to be run in a batch, in microseconds.",
            ["thread_pool_name"],
            bounds: ServingMetrics.exponential(scale: 100, factor: 1.2, count: 52))
        wrappedRunCount = names.counter(
            "serving:batching_session:wrapped_run_count", "Batches that were run.", [])
    }

    /// The page for a scraper.
    func prometheusText() -> [UInt8] { registry.prometheusText() }

    /// Programming errors seen so far; see ``MetricsRegistry/misuses``.
    var misuses: [String] { registry.misuses }

    // MARK: Requests

    /// The counter of requests to a model that end with a code.
    func requests(model: String, code: StatusCode) -> Counter {
        requestCount.with(model, code.name)
    }

    /// The latencies of a model's requests: the original spells an API differently by entry point.
    func latencies(model: String, api: API, isREST: Bool) -> Histogram {
        isREST
            ? requestLatency.with(model, api.rawValue.lowercased(), "REST")
            : requestLatency.with(model, api.rawValue, "GRPC")
    }

    /// Counts a run of a model in the engine.
    func didRun(model: String, api: API, seconds: Double) {
        runtimeLatency.with(model, api.rawValue, "TF1").observe(seconds * 1e6)
    }

    /// Counts the examples of a request to classify or regress.
    func didReceive(examples: Int, model: String) {
        exampleCounts.with(model).observe(Double(examples))
        exampleCountTotal.with(model).increment(by: examples)
    }

    /// Counts a request that was logged, or failed to be.
    func didLog(model: String, code: StatusCode) {
        requestLogCount.with(model, code.name).increment()
    }

    // MARK: Batches

    /// How long requests waited to be run in a batch, in microseconds.
    func queueing(threadPool: String) -> Histogram { queuingLatency.with(threadPool) }

    /// Counts a batch that was run.
    func didRunBatch() { wrappedRunCount.with([]).increment() }

    // MARK: Loading

    /// Counts a version that was loaded.
    func didLoad(path: String, seconds: Double) {
        loadAttemptCount.with(path, "success").increment()
        loadLatency.with(path).increment(by: Int(max(0, min(seconds, 1e9)) * 1e6))
    }

    /// Counts a version that failed to load.
    func didFailToLoad(path: String) { loadAttemptCount.with(path, "fail").increment() }

    /// Counts a warm-up; `error` is why it failed, if it did.
    func didWarmUp(path: String, error: ServingError?, seconds: Double) {
        warmUpLatency.with(path, error?.description ?? "OK").observe(seconds * 1e6)
    }

    // MARK: Buckets

    /// Upper bounds that grow by a factor, rounded to the six digits that the original prints.
    static func exponential(scale: Double, factor: Double, count: Int) -> [Double] {
        var bound = scale
        return (0..<count).map { _ in
            defer { bound *= factor }
            return Double(String(format: "%.6g", bound)) ?? bound
        }
    }
}

/// Registers families under mangled names: the original's `/tensorflow/serving/x` is shown as
/// `:tensorflow:serving:x`.
private struct Names {
    let registry: MetricsRegistry

    func counter(_ name: String, _ help: String, _ labels: [String]) -> CounterFamily {
        registry.counterFamily(":tensorflow:\(name)", help: help, labelNames: labels)
    }

    func histogram(
        _ name: String, _ help: String, _ labels: [String], bounds: [Double]
    ) -> HistogramFamily {
        registry.histogramFamily(
            ":tensorflow:\(name)", help: help, labelNames: labels, buckets: bounds)
    }

    /// Ten microseconds to about twenty minutes.
    func latency(_ name: String, _ help: String, _ labels: [String]) -> HistogramFamily {
        histogram(
            name, help, labels,
            bounds: ServingMetrics.exponential(scale: 10, factor: 1.8, count: 33))
    }
}
