import MartletCore
import MartletEngines
import MartletTelemetry

/// The node's metrics beside those of requests.
enum NodeMetrics {
    static func register(
        in metrics: MetricsRegistry, manager: ModelManager, threads: EngineThreads
    ) {
        ProcessMetrics.register(in: metrics)
        metrics.gaugeFamily(
            "martlet_build_info", help: "The version of this build; always 1.",
            labelNames: ["version"]
        ).with(martletVersion).set(1)
        metrics.collector(
            "martlet_queue_depth", help: "Predictions that wait for an engine thread."
        ) { $0.add(Double(threads.queueDepth), labels: []) }
        metrics.collector(
            "martlet_servables", help: "Versions of each model by state.",
            labelNames: ["model", "state"]
        ) { samples in
            for model in manager.modelNames {
                let statuses = (try? manager.status(model: model)) ?? []
                for state in ServableState.allCases {
                    let count = statuses.filter { $0.state == state }.count
                    samples.add(Double(count), labels: model, state.name)
                }
            }
        }
        registerEngines(in: metrics, manager: manager)
        metrics.collector(
            "martlet_servable_memory_bytes",
            help:
                "Memory that loading a version took, at least the size of its files; an estimate.",
            labelNames: ["model", "version"]
        ) { samples in
            for servable in manager.memory {
                samples.add(
                    Double(servable.bytes), labels: servable.id.model, String(servable.id.version))
            }
        }
    }

    private static func registerEngines(in metrics: MetricsRegistry, manager: ModelManager) {
        let version = ["model", "version"]
        metrics.collector(
            "martlet_engine_info",
            help: "The engine that runs a version, how exactly, and why it was chosen; always 1.",
            labelNames: version + ["engine", "precision", "reason"]
        ) { samples in
            for loaded in manager.servables() {
                let (id, choice) = (loaded.servable.id, loaded.choice)
                samples.add(
                    1, labels: id.model, String(id.version), choice.engine,
                    choice.precision.rawValue, choice.reason.rawValue)
            }
        }
        metrics.collector(
            "martlet_engine_speedup_ratio",
            help: "Runs a second of the engine that was tried, over those of the reference.",
            labelNames: version
        ) { samples in
            for loaded in manager.servables() {
                guard let speedup = loaded.choice.speedup else { continue }
                let id = loaded.servable.id
                samples.add(speedup, labels: id.model, String(id.version))
            }
        }
        metrics.collector(
            "martlet_engine_error_ratio",
            help: "How far the engine that was tried is off, over the range of the outputs.",
            labelNames: version
        ) { samples in
            for loaded in manager.servables() {
                guard let error = loaded.choice.error else { continue }
                let id = loaded.servable.id
                samples.add(error, labels: id.model, String(id.version))
            }
        }
    }
}
