/// The report for people at a terminal: rows of words, for whoever lays them out.
public struct TextReport: Sendable {
    /// A table: its head, and rows of as many cells.
    public struct Table: Sendable, Equatable {
        /// What stands above, if anything.
        public var title: String
        /// The names of the columns.
        public var columns: [String]
        /// The rows.
        public var rows: [[String]]
    }

    /// What was measured, a line each.
    public let heading: [String]

    /// The tables in their order.
    public let tables: [Table]

    /// What is said below them.
    public let closing: [String]

    /// Lays a report out.
    public init(_ report: BenchReport) {
        heading = TextReport.heading(report)
        var tables: [Table] = []
        if let saturation = report.saturation { tables.append(TextReport.trials(saturation)) }
        tables.append(TextReport.figures(report))
        let errors = TextReport.errors(report)
        if !errors.rows.isEmpty { tables.append(errors) }
        self.tables = tables
        closing = TextReport.closing(report)
    }

    private static func heading(_ report: BenchReport) -> [String] {
        let settings = report.settings
        let load =
            switch settings.loop {
            case "closed": "\(settings.concurrency ?? 0) in flight"
            case "constant": "\((settings.rate ?? 0).short) requests/s at equal distances"
            case "poisson": "\((settings.rate ?? 0).short) requests/s as from many clients"
            default: "a trace of \((settings.rate ?? 0).short) requests/s"
            }
        let clock =
            settings.latencyFrom == "send"
            ? "latency from sending (a closed loop: a server that stalls is asked less)"
            : "latency from when each request was due"
        return report.targets.map { "\($0.model) at \($0.name) by \($0.api): \($0.request)" } + [
            "\(load), \(settings.connections) connections, \(settings.threads) threads, "
                + "\(settings.durationSeconds.short) s; \(clock)"
        ]
    }

    // MARK: Figures

    private static func figures(_ report: BenchReport) -> Table {
        let targets = report.targets
        let comparison = report.comparison
        var rows: [[String]] = []
        func add(_ name: String, _ ratio: Estimate? = nil, _ value: (TargetReport) -> String) {
            let ratios = comparison == nil ? [] : [ratio.map(text) ?? ""]
            rows.append([name] + targets.map(value) + ratios)
        }
        add("requests") { $0.requests.grouped }
        add("answered well") { $0.ok.grouped }
        add("failed") { ($0.requests - $0.ok).grouped }
        add("rate", comparison?.rate) { "\($0.rate.short) /s" }
        add("sent") { "\($0.sentBytesPerSecond.byteText)/s" }
        add("received") { "\($0.receivedBytesPerSecond.byteText)/s" }
        add("latency min") { "\($0.latencyMs.min.short) ms" }
        add("mean", comparison?.mean) { "\($0.latencyMs.mean.short) ms" }
        add("p50", comparison?.p50) { "\($0.latencyMs.p50.short) ms" }
        add("p90") { "\($0.latencyMs.p90.short) ms" }
        add("p95") { "\($0.latencyMs.p95.short) ms" }
        add("p99", comparison?.p99) { "\($0.latencyMs.p99.short) ms" }
        add("p99.9") { "\($0.latencyMs.p999.short) ms" }
        add("max") { "\($0.latencyMs.max.short) ms" }
        if targets.contains(where: { $0.refusalLatencyMs != nil }) {
            add("refusal p50") { "\(($0.refusalLatencyMs?.p50 ?? 0).short) ms" }
            add("refusal p99") { "\(($0.refusalLatencyMs?.p99 ?? 0).short) ms" }
        }
        if targets.contains(where: { $0.stream != nil }) {
            add("first token p50") { "\(($0.stream?.firstTokenMs.p50 ?? 0).short) ms" }
            add("first token p99") { "\(($0.stream?.firstTokenMs.p99 ?? 0).short) ms" }
            add("between tokens p50") { "\(($0.stream?.betweenTokensMs.p50 ?? 0).short) ms" }
            add("between tokens p99") { "\(($0.stream?.betweenTokensMs.p99 ?? 0).short) ms" }
            add("tokens") { "\(($0.stream?.tokensPerSecond ?? 0).short) /s" }
        }
        if targets.contains(where: { $0.client.lagP99Ms != nil }) {
            add("client lag p99") { "\(($0.client.lagP99Ms ?? 0).short) ms" }
        }
        add("client processor time") {
            "\($0.client.processorSeconds.short) s, \(Int($0.client.busiestThread * 100)) %"
        }
        return Table(
            title: "",
            columns: [""] + targets.map(\.name) + (comparison == nil ? [] : ["RATIO (95 %)"]),
            rows: rows)
    }

    private static func text(_ estimate: Estimate) -> String {
        "\(estimate.value.ratioText) (\(estimate.low.ratioText)-\(estimate.high.ratioText))"
    }

    private static func errors(_ report: BenchReport) -> Table {
        let rows = report.targets.flatMap { target in
            target.errors.map { error in
                (report.targets.count > 1 ? [target.name] : [])
                    + [error.code, error.count.grouped, error.sample]
            }
        }
        return Table(
            title: "failures",
            columns: (report.targets.count > 1 ? ["TARGET"] : []) + ["FAILURE", "COUNT", "SAMPLE"],
            rows: rows)
    }

    private static func trials(_ saturation: SaturationReport) -> Table {
        Table(
            title: "trials", columns: ["OFFERED", "ANSWERED", "P99", "FAILED", "KEPT"],
            rows: saturation.trials.map { trial in
                [
                    "\(trial.offered.short) /s", "\(trial.answered.short) /s",
                    trial.p99Ms < 1e9 ? "\(trial.p99Ms.short) ms" : "-",
                    "\((trial.errorShare * 100).short) %", trial.isKept ? "yes" : "no",
                ]
            })
    }

    // MARK: Conclusions

    private static func closing(_ report: BenchReport) -> [String] {
        var lines: [String] = []
        if let comparison = report.comparison, let second = report.targets.last {
            lines.append(
                verdict("requests a second", of: second.name, comparison.rate))
            lines.append(verdict("99th percentile", of: second.name, comparison.p99))
        }
        if let saturation = report.saturation {
            lines.append(conclusion(saturation))
        } else if let slo = report.settings.sloP99Ms {
            for target in report.targets {
                let isKept = target.latencyMs.p99 <= slo && target.ok > 0
                lines.append(
                    "\(target.name) \(isKept ? "keeps" : "misses") the objective: p99 "
                        + "\(target.latencyMs.p99.short) ms, allowed \(slo.short) ms")
            }
        }
        return lines + report.warnings.map { "Warning: \($0)" }
    }

    private static func conclusion(_ saturation: SaturationReport) -> String {
        guard let rate = saturation.rate else {
            return "No rate keeps p99 within \(saturation.sloP99Ms.short) ms"
        }
        return "Saturates at \(rate.short) requests/s: the highest rate found with p99 within "
            + "\(saturation.sloP99Ms.short) ms"
    }

    private static func verdict(_ figure: String, of name: String, _ ratio: Estimate?) -> String {
        guard let ratio else { return "No answer to compare the \(figure) by" }
        if ratio.low <= 1, ratio.high >= 1 {
            return "No difference is shown in \(figure): \(text(ratio)) times"
        }
        return "\(figure.prefix(1).uppercased())\(figure.dropFirst()) of \(name): \(text(ratio)) "
            + "times those of the first"
    }
}

extension Double {
    /// A ratio to three digits.
    fileprivate var ratioText: String { short }
}
