public import MartletCore

/// The metrics of a node's thread budget.
public enum ThreadMetrics {
    /// Registers the metrics.
    public static func register(_ budget: ThreadBudget, in registry: MetricsRegistry) {
        registry.gauge(
            "martlet_cores", help: "Threads that can compute at once, which the budget is made of."
        ).set(Double(budget.cores))
        let threads = registry.gaugeFamily(
            "martlet_threads", help: "Threads that the node's budget has, by kind.",
            labelNames: ["kind"])
        for kind in ThreadBudget.Kind.allCases {
            threads.with(kind.rawValue).set(Double(budget.count(of: kind)))
        }
        registry.gauge(
            "martlet_process_id", help: "The number of the process, as the node itself sees it."
        ).set(Double(ProcessMetrics.processID))
    }
}
