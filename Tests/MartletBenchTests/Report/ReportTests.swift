import Foundation
import MartletCore
import MartletTensors
import MartletTransport
import Testing

@testable import MartletBench

@Suite("Reports of a load")
struct ReportTests {
    private func snapshot(_ count: Int = 1000, failures: Int = 0) -> LoadCollector.Snapshot {
        var snapshot = LoadCollector.Snapshot()
        for index in 0..<count { snapshot.total.latency.record(UInt64(index + 1) * 10_000) }
        snapshot.total.answeredInTime = count
        for index in 0..<failures {
            snapshot.total.fail("HTTP 500", "<b>bad & broken</b>")
            snapshot.total.refusal.record(UInt64(index + 1) * 1_000_000)
        }
        for _ in 0..<10 {
            snapshot.points.append(
                LoadCollector.Point(
                    answered: 100, failed: 0, p50: 5_000_000, p99: 9_900_000, max: 10_000_000))
        }
        return snapshot
    }

    private func report(targets: Int = 1, failures: Int = 0) -> BenchReport {
        let arrivals = Arrivals.constant(rate: 100)
        let plan = BenchPlan(arrivals, duration: 10_000_000_000)
        var report = BenchReport(
            startedAt: 1_790_000_000,
            settings: .init(arrivals, connections: 2, threads: 1, durationSeconds: 10),
            targets: (0..<targets).map { index in
                TargetReport(
                    name: "127.0.0.1:850\(index)", api: .rest, model: "half_plus_two",
                    requests: BenchRequests(
                        [LoadRequest(path: "/", body: [1, 2])], wire: .http1,
                        description: "x float [1]"),
                    snapshot: snapshot(failures: failures), seconds: 10, plan: plan)
            })
        if targets > 1 {
            report.comparison = ComparisonReport(
                [snapshot(900), snapshot(950)], [snapshot(1000), snapshot(1000)], seconds: 10)
        }
        return report
    }

    @Test func figures_areThoseThatWereCounted() {
        let target = report(failures: 3).targets[0]
        #expect(target.requests == 1003)
        #expect(target.ok == 1000)
        #expect(target.rate == 100)
        #expect(abs(target.latencyMs.p50 - 5) < 0.01)
        #expect(abs(target.latencyMs.p99 - 9.9) < 0.01)
        #expect(
            target.errors == [
                ErrorReport(code: "HTTP 500", count: 3, sample: "<b>bad & broken</b>")
            ])
        #expect(abs((target.refusalLatencyMs?.p50 ?? 0) - 2) < 0.01)
        #expect(report().targets[0].refusalLatencyMs == nil)
        #expect(target.percentiles.map(\.ms) == target.percentiles.map(\.ms).sorted())
    }

    @Test func json_isReadBackAsItWas() throws {
        let report = report(targets: 2, failures: 1)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let read = try decoder.decode(BenchReport.self, from: Data(try report.json()))
        #expect(read == report)
        let text = String(decoding: try report.json(), as: UTF8.self)
        #expect(text.contains("\"latency_ms\""))
        #expect(text.contains("\"p999\""))
    }

    @Test func page_isWholeAndTakesNothingFromElsewhere() {
        let page = HTMLReport.page(report(targets: 2, failures: 1))
        #expect(page.contains("<svg"))
        #expect(page.contains("&lt;b&gt;bad &amp; broken"))
        #expect(!page.contains("<b>bad"))
        for outside in ["http://", "https://", "src=", "<link", "@import", "url("] {
            #expect(!page.contains(outside), "\(outside)")
        }
    }

    @Test func textOfAComparison_saysWhatIsSure() {
        let text = TextReport(report(targets: 2))
        #expect(text.tables[0].columns.last == "RATIO (95 %)")
        for row in text.tables[0].rows { #expect(row.count == text.tables[0].columns.count) }
        #expect(text.closing.contains { $0.contains("No difference is shown in requests") })
    }

    @Test func text_tellsHowLongRefusalsTookWhereThereWereAny() {
        func rows(_ report: BenchReport) -> [String] {
            TextReport(report).tables[0].rows.map { $0.joined(separator: " ") }
        }
        #expect(rows(report(failures: 3)).contains("refusal p50 2.00 ms"))
        #expect(!rows(report()).contains { $0.hasPrefix("refusal") })
    }

    @Test func busyClient_isWarnedOf() {
        var target = report().targets[0]
        #expect(target.warnings().isEmpty)
        target.client.busiestThread = 0.97
        target.client.lagP99Ms = 20
        target.client.waitedForConnection = 500
        #expect(target.warnings().count == 3)
    }

    @Test func sparkline_isAsHighAsItsFigures() {
        #expect(Sparkline.text([0, 1, 2, 4, 7]) == "▁▂▃▅█")
        #expect(Sparkline.text([0, 0]) == "▁▁")
        #expect(Sparkline.text([]) == "")
        #expect(Sparkline.text(Array(repeating: 1, count: 100)).count == 60)
    }

    @Test func frame_fitsItsTerminalAndHasColoursOnlyWhereAsked() {
        let frame = LiveFrame(
            title: "half_plus_two at 127.0.0.1:8500", elapsed: 3, whole: 11, warmUp: 1, interval: 1)
        let lines = frame.lines(snapshot(), width: 80)
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(lines[1].contains("█"))
        #expect(!lines.joined().contains("\u{1B}"))
        #expect(frame.lines(snapshot(), hasColor: true).joined().contains("\u{1B}[36m"))
        var painter = LivePainter()
        #expect(!painter.paint(lines).contains("\u{1B}"))
        #expect(painter.paint(lines).hasPrefix("\u{1B}[4A\u{1B}[J"))
        #expect(painter.clear() == "\u{1B}[4A\u{1B}[J")
        #expect(painter.clear() == "")
    }

    @Test(arguments: [
        (0, "0"), (0.04211, "0.0421"), (1.926, "1.93"), (41.26, "41.3"), (41_230.4, "41,230"),
    ])
    func figures_haveThreeDigits(value: Double, text: String) {
        #expect(value.short == text)
    }

    @Test func ticks_areRoundAndReachTheTop() {
        #expect(Plot.ticks(to: 9.3).map(\.text) == ["0", "2.5", "5", "7.5", "10"])
        #expect(Plot.ticks(to: 41_000).last?.text == "50,000" || Plot.ticks(to: 41_000).count <= 6)
    }
}
