import Foundation

/// The report as one page that needs nothing from elsewhere: style and charts are in it.
public enum HTMLReport {
    /// The page.
    public static func page(_ report: BenchReport) -> String {
        let text = TextReport(report)
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <title>\(HTML.escaped(title(report)))</title>
            <style>
            \(HTMLStyle.text)
            </style>
            </head>
            <body>
            <main>
            <h1>\(HTML.escaped(title(report)))</h1>
            <p class="settings">\(text.heading.map(HTML.escaped).joined(separator: "<br>"))</p>
            \(conclusions(report, text))
            \(cards(report))
            \(charts(report))
            \(text.tables.map(table).joined(separator: "\n"))
            <footer>martlet bench \(HTML.escaped(report.martletVersion)), \(date(report))</footer>
            </main>
            </body>
            </html>

            """
    }

    private static func title(_ report: BenchReport) -> String {
        let models = report.targets.map(\.model)
        let names = report.targets.map(\.name).joined(separator: " and ")
        return "\(models.first ?? "") at \(names)"
    }

    private static func date(_ report: BenchReport) -> String {
        let format = ISO8601DateFormatter()
        return format.string(from: Date(timeIntervalSince1970: report.startedAt.rounded()))
    }

    private static func conclusions(_ report: BenchReport, _ text: TextReport) -> String {
        text.closing.map { line in
            let isWarning = line.hasPrefix("Warning: ")
            return "<p class=\"\(isWarning ? "warning" : "conclusion")\">"
                + "\(HTML.escaped(line))</p>"
        }.joined(separator: "\n")
    }

    // MARK: Cards

    private static func cards(_ report: BenchReport) -> String {
        report.targets.enumerated().map { index, target in
            let failed = target.requests - target.ok
            let cards = [
                card("\(target.rate.short)", "requests/s"),
                card("\(target.latencyMs.p50.short)", "ms, median"),
                card("\(target.latencyMs.p99.short)", "ms, p99"),
                card("\(target.latencyMs.max.short)", "ms, longest"),
                card(failed.grouped, "failed", isBad: failed > 0),
            ]
            let name =
                report.targets.count > 1
                ? "<h2><span class=\"key line\(index)\"></span>\(HTML.escaped(target.name))</h2>"
                : ""
            return name + "<div class=\"cards\">\(cards.joined())</div>"
        }.joined(separator: "\n")
    }

    private static func card(_ figure: String, _ unit: String, isBad: Bool = false) -> String {
        "<div class=\"card\(isBad ? " bad" : "")\"><b>\(figure)</b><span>\(unit)</span></div>"
    }

    // MARK: Charts

    private static func charts(_ report: BenchReport) -> String {
        let targets = report.targets
        let slo = report.settings.sloP99Ms.map { (value: $0, name: "objective \($0.short) ms") }
        let plots = [
            saturation(report),
            Plot(
                title: "Latency by percentile", xName: "percentile", yName: "ms",
                lines: targets.enumerated().map { index, target in
                    Plot.Line(name: target.name, color: index, points: curve(target))
                }, xTicks: percentileTicks, level: nil),
            Plot(
                title: "Rate over time", xName: "seconds", yName: "requests/s",
                lines: targets.enumerated().map { index, target in
                    Plot.Line(
                        name: target.name, color: index,
                        points: target.series.map { ($0.at, $0.rate) })
                } + errors(targets), xTicks: nil, level: nil),
            Plot(
                title: "Latency over time", xName: "seconds", yName: "ms",
                lines: targets.enumerated().flatMap { index, target in
                    [
                        Plot.Line(
                            name: prefix(target, in: targets) + "p99", color: index,
                            points: target.series.map { ($0.at, $0.p99Ms) }),
                        Plot.Line(
                            name: prefix(target, in: targets) + "p50", color: index,
                            points: target.series.map { ($0.at, $0.p50Ms) }, isDashed: true),
                    ]
                }, xTicks: nil, level: report.saturation == nil ? slo : nil),
        ]
        return plots.compactMap { $0?.svg() }.joined(separator: "\n")
    }

    private static func prefix(_ target: TargetReport, in targets: [TargetReport]) -> String {
        targets.count > 1 ? target.name + " " : ""
    }

    private static func errors(_ targets: [TargetReport]) -> [Plot.Line] {
        targets.enumerated().compactMap { index, target in
            guard target.requests > target.ok else { return nil }
            return Plot.Line(
                name: prefix(target, in: targets) + "failed", color: 2,
                points: target.series.map { ($0.at, $0.errors) })
        }
    }

    private static func saturation(_ report: BenchReport) -> Plot? {
        guard let saturation = report.saturation else { return nil }
        let trials = saturation.trials.filter { $0.p99Ms < 1e9 }.sorted { $0.offered < $1.offered }
        // Far above the objective one cannot see it any more.
        let points: [(x: Double, y: Double)] = trials.map {
            ($0.offered, min($0.p99Ms, 4 * saturation.sloP99Ms))
        }
        return Plot(
            title: "99th percentile by rate", xName: "requests/s offered", yName: "ms",
            lines: [Plot.Line(name: "p99", color: 0, points: points, hasDots: true)], xTicks: nil,
            level: (saturation.sloP99Ms, "objective \(saturation.sloP99Ms.short) ms"))
    }

    /// Each further nine takes the same room.
    private static func curve(_ target: TargetReport) -> [(x: Double, y: Double)] {
        target.percentiles.filter { $0.percent < 100 }.map { (place($0.percent), $0.ms) }
    }

    private static func place(_ percent: Double) -> Double { -log10(1 - percent / 100) }

    private static let percentileTicks: [Plot.Tick] =
        [0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999].map {
            Plot.Tick(value: place($0), text: String(format: "%g %%", $0))
        }

    // MARK: Tables

    private static func table(_ table: TextReport.Table) -> String {
        let head = table.columns.map { "<th>\(HTML.escaped($0))</th>" }.joined()
        let rows = table.rows.map { row in
            let cells = row.enumerated().map { index, cell in
                index == 0
                    ? "<th scope=\"row\">\(HTML.escaped(cell))</th>"
                    : "<td>\(HTML.escaped(cell))</td>"
            }
            return "<tr>\(cells.joined())</tr>"
        }
        let title = table.title.isEmpty ? "" : "<h2>\(HTML.escaped(table.title.capitalized))</h2>"
        return """
            \(title)
            <div class="scroll"><table>
            <thead><tr>\(head)</tr></thead>
            <tbody>
            \(rows.joined(separator: "\n"))
            </tbody>
            </table></div>
            """
    }
}
