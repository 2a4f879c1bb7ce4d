import MartletCore
import MartletEngines
import MartletTelemetry
import Synchronization

/// What is measured of the text that a node generates, in the terms of the field.
final class GenerationMetrics: Sendable {
    private let firstToken: HistogramFamily
    private let interToken: HistogramFamily
    private let queueTime: HistogramFamily
    private let observers = Mutex<[String: GenerationObserver]>([:])

    /// Registers the metrics.
    ///
    /// - Parameters:
    ///   - metrics: the node's.
    ///   - manager: knows the models whose load is shown.
    init(metrics: MetricsRegistry, manager: ModelManager) {
        firstToken = metrics.histogramFamily(
            "martlet_time_to_first_token_seconds",
            help: "Time from a request's arrival at its model to its first token.",
            labelNames: ["model"])
        interToken = metrics.histogramFamily(
            "martlet_inter_token_latency_seconds",
            help: "Time between two tokens of a sequence.", labelNames: ["model"])
        queueTime = metrics.histogramFamily(
            "martlet_generation_queue_seconds",
            help: "Time that a sequence waits before its prompt is begun.", labelNames: ["model"])
        GenerationMetrics.registerLoad(in: metrics, manager: manager)
        GenerationMetrics.registerCounts(in: metrics, manager: manager)
        GenerationMetrics.registerDrafts(in: metrics, manager: manager)
        GenerationMetrics.registerParts(in: metrics, manager: manager)
    }

    /// What takes the times of a model's sequences.
    func observer(of model: String) -> GenerationObserver {
        observers.withLock { observers in
            if let known = observers[model] { return known }
            let made = GenerationObserver(
                firstToken: firstToken.with(model), interToken: interToken.with(model),
                queueTime: queueTime.with(model))
            observers[model] = made
            return made
        }
    }

    private static let version = ["model", "version"]

    /// What is also known of models that make vectors of texts; each text is a sequence.
    private static let ofEncoders: Set<String> = [
        "martlet_sequences_running", "martlet_sequences_waiting", "martlet_prompt_tokens_total",
        "martlet_generation_steps_total",
    ]

    /// What versions that retire have too, until their last request ends.
    private static let ofRetiring: Set<String> = [
        "martlet_sequences_running", "martlet_sequences_waiting",
    ]

    /// The models that have a metric.
    private static func models(
        of metric: String, in manager: ModelManager
    ) -> [any GenerativeModel] {
        let all =
            ofRetiring.contains(metric) ? manager.languageModelsAtWork : manager.languageModels
        return all.filter { $0.description.generates || ofEncoders.contains(metric) }
    }

    private static func registerLoad(in metrics: MetricsRegistry, manager: ModelManager) {
        let gauges: [(String, String, @Sendable (GenerationLoad) -> Double)] = [
            (
                "martlet_sequences_running", "Sequences that are being generated or embedded.",
                { Double($0.running) }
            ),
            ("martlet_sequences_waiting", "Sequences that wait.", { Double($0.waiting) }),
            (
                "martlet_kv_cache_usage_ratio",
                "KV cells that hold a token, running or cached, of all.",
                { $0.cellsTotal > 0 ? Double($0.cellsUsed) / Double($0.cellsTotal) : 0 }
            ),
            (
                "martlet_kv_cache_needed_ratio",
                "KV cells that running sequences need, of all: what is left is prefix cache.",
                { $0.cellShareNeeded }
            ),
            (
                "martlet_generation_stalled_seconds",
                "Time that the decode loop has been at the step under way; 0 while it rests.",
                { $0.stepAge.seconds }
            ),
        ]
        for (name, help, value) in gauges {
            metrics.collector(name, help: help, labelNames: version) { samples in
                // A version that retires may be succeeded by itself, from another folder.
                var sums: [ServableID: Double] = [:]
                for model in models(of: name, in: manager) {
                    sums[model.id, default: 0] += value(model.load)
                }
                for (id, sum) in sums {
                    samples.add(sum, labels: id.model, String(id.version))
                }
            }
        }
    }

    private static func registerCounts(in metrics: MetricsRegistry, manager: ModelManager) {
        let counters: [(String, String, @Sendable (GenerationCounters) -> Int)] = [
            (
                "martlet_prompt_tokens_total", "Tokens of prompts, cached ones among them.",
                { $0.promptTokens }
            ),
            (
                "martlet_prefix_cache_hit_tokens_total",
                "Tokens of prompts that were found in the prefix cache.", { $0.prefixHitTokens }
            ),
            ("martlet_generated_tokens_total", "Tokens generated.", { $0.generatedTokens }),
            (
                "martlet_preemptions_total",
                "Sequences that had to give up their KV cells for others.", { $0.preemptions }
            ),
            (
                "martlet_recomputed_tokens_total",
                "Tokens decoded again after a preemption.", { $0.recomputedTokens }
            ),
            (
                "martlet_prefix_cache_evictions_total",
                "Cached sequences given up for want of room.", { $0.evictions }
            ),
            (
                "martlet_generation_steps_total",
                "Steps of the decode loop; batches of a model that embeds.", { $0.steps }
            ),
        ]
        for (name, help, value) in counters {
            metrics.collector(name, help: help, kind: .counter, labelNames: version) { samples in
                for model in models(of: name, in: manager) {
                    samples.add(
                        Double(value(model.load.counters)), labels: model.id.model,
                        String(model.id.version))
                }
            }
        }
    }

    /// What each engine does of a model that two have.
    private static func registerParts(in metrics: MetricsRegistry, manager: ModelManager) {
        let sums: [(String, String, MetricKind, @Sendable (GenerationLoad) -> Int)] = [
            (
                "martlet_engine_sequences",
                "Sequences that wait or run in each engine of a model that two engines have.",
                .gauge, { $0.waiting + $0.running }
            ),
            (
                "martlet_engine_generated_tokens_total",
                "Tokens generated by each engine of a model that two engines have.", .counter,
                { $0.counters.generatedTokens }
            ),
        ]
        for (name, help, kind, value) in sums {
            metrics.collector(
                name, help: help, kind: kind, labelNames: version + ["engine"]
            ) { samples in
                for model in manager.languageModels {
                    for part in model.parts {
                        samples.add(
                            Double(value(part.model.load)), labels: model.id.model,
                            String(model.id.version), part.engine)
                    }
                }
            }
        }
    }

    /// By what guessed: `lookup` for what a sequence said before, `model` for a draft model.
    private static func registerDrafts(in metrics: MetricsRegistry, manager: ModelManager) {
        typealias Counts = @Sendable (GenerationCounters) -> [(kind: String, count: Int)]
        let counters: [(String, String, Counts)] = [
            (
                "martlet_draft_tokens_total", "Tokens guessed ahead.",
                { [("lookup", $0.draftsProposed), ("model", $0.modelDraftsProposed)] }
            ),
            (
                "martlet_draft_tokens_accepted_total",
                "Tokens guessed ahead that the model agreed with.",
                { [("lookup", $0.draftsAccepted), ("model", $0.modelDraftsAccepted)] }
            ),
        ]
        for (name, help, counts) in counters {
            metrics.collector(
                name, help: help, kind: .counter, labelNames: version + ["kind"]
            ) { samples in
                for model in manager.languageModels where model.description.generates {
                    for (kind, count) in counts(model.load.counters) {
                        samples.add(
                            Double(count), labels: model.id.model, String(model.id.version), kind)
                    }
                }
            }
        }
    }
}

/// Takes the times of a model's sequences.
final class GenerationObserver: Sendable {
    private let firstToken: Histogram
    private let interToken: Histogram
    private let queueTime: Histogram

    init(firstToken: Histogram, interToken: Histogram, queueTime: Histogram) {
        self.firstToken = firstToken
        self.interToken = interToken
        self.queueTime = queueTime
    }

    /// Begins the time of one sequence.
    func timer() -> GenerationTimer { GenerationTimer(self) }

    func didStart(_ wait: Duration) { queueTime.observe(seconds: wait.seconds) }

    func didTell(first: Duration) { firstToken.observe(seconds: first.seconds) }

    func didTell(next: Duration) { interToken.observe(seconds: next.seconds) }
}

/// The times of one sequence.
final class GenerationTimer: Sendable {
    private let observer: GenerationObserver
    private let begun = ContinuousClock.now
    private let lastToken = Mutex<ContinuousClock.Instant?>(nil)

    init(_ observer: GenerationObserver) {
        self.observer = observer
    }

    /// Notes what happens to the sequence.
    func note(_ event: GenerationEvent) {
        switch event {
        case .started: observer.didStart(ContinuousClock.now - begun)
        case .token:
            let now = ContinuousClock.now
            let last = lastToken.withLock { last in
                defer { last = now }
                return last
            }
            if let last {
                observer.didTell(next: now - last)
            } else {
                observer.didTell(first: now - begun)
            }
        case .finished, .failed: break
        }
    }
}
