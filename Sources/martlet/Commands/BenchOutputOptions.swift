import ArgumentParser
import Foundation
import MartletBench
import MartletCore
import MartletOperations

/// Where `martlet bench` writes what it found.
struct BenchOutputOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Write the report as JSON to this file, or in place of the table with -.",
            valueName: "file"))
    var json: String?

    @Option(help: ArgumentHelp("Write the report as a page with charts.", valueName: "file"))
    var html: String?

    @Flag(help: "Show nothing while the load runs.")
    var quiet = false

    /// Shows what comes on standard error while `body` runs, if that is a terminal.
    func withLiveView<Value>(
        _ body: (BenchLiveView) async throws -> Value
    ) async throws -> Value {
        let isShown = !quiet && isatty(STDERR_FILENO) == 1
        let view = BenchLiveView(hasColor: allowsColor(fileDescriptor: STDERR_FILENO))
        guard isShown else { return try await body(view) }
        async let painting: Void = view.paint()
        do {
            let result = try await body(view)
            view.stop()
            await painting
            return result
        } catch {
            view.stop()
            await painting
            throw error
        }
    }

    /// Writes the report.
    ///
    /// - Throws: `ServingError` that names a file that cannot be written.
    func write(_ report: BenchReport) throws {
        if let html { try write(Array(HTMLReport.page(report).utf8), to: html, flag: "--html") }
        if let json, json != "-" { try write(try report.json(), to: json, flag: "--json") }
        let shown = json == "-" ? try report.json() : Array(text(report).utf8)
        try FileHandle.standardOutput.write(contentsOf: Data(shown))
    }

    private func write(_ bytes: [UInt8], to file: String, flag: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: file))
        } catch {
            throw ServingError(
                .failedPrecondition, "'\(file)' (\(flag)) cannot be written", cause: error)
        }
    }

    private func text(_ report: BenchReport) -> String {
        let text = TextReport(report)
        let hasColor = allowsColor(fileDescriptor: STDOUT_FILENO)
        let tables = text.tables.map { table in
            let isOfFailures = table.title == "failures"
            var laid = TextTable(
                table.columns.enumerated().map { index, name in
                    .init(name, index == 0 || isOfFailures ? .left : .right)
                })
            for row in table.rows {
                laid.append(row.map { TextTable.Cell($0, isOfFailures ? .bad : .plain) })
            }
            return laid.text(hasColor: hasColor)
        }
        let parts = [text.heading.joined(separator: "\n") + "\n"] + tables
        let closing = text.closing.isEmpty ? "" : "\n" + text.closing.joined(separator: "\n") + "\n"
        return parts.joined(separator: "\n") + closing
    }
}
