import Foundation
import MartletEngines
import MartletOperations

/// What `martlet model quantize` tells of a model before and after.
struct QuantizeReport: Encodable {
    /// One of the two.
    struct Form: Encodable {
        let path: String
        let type: String
        let bytes: Int
        /// `nil` where it was not measured, as are the others.
        var perplexity: Double?
        var prefillTokensPerSecond: Double?
        var decodeTokensPerSecond: Double?

        mutating func take(_ measured: LlamaMeasurement) {
            perplexity = measured.perplexity
            prefillTokensPerSecond = measured.prefillTokensPerSecond
            decodeTokensPerSecond = measured.decodeTokensPerSecond
        }
    }

    var before: Form
    var after: Form
    /// Threads that computed what was measured.
    var threads: Int?
    /// Tokens of the text that the models had to foresee.
    var textTokens: Int?
    /// At what share of its places both hold the same next token for the likeliest.
    var top1Agreement: Double?
    /// What is to be known of the type.
    var warning: String?

    /// Adds what was measured.
    mutating func take(_ comparison: LlamaComparison, threads: Int) {
        before.take(comparison.before)
        after.take(comparison.after)
        self.threads = threads
        textTokens = comparison.before.tokens.count
        top1Agreement = comparison.agreement
    }

    /// For programs.
    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// For people.
    func text(hasColor: Bool) -> String {
        var table = TextTable([
            .init(""), .init("TYPE"), .init("SIZE", .right), .init("PERPLEXITY", .right),
            .init("PREFILL/S", .right), .init("DECODE/S", .right), .init("FILE"),
        ])
        for (name, form) in [("before", before), ("after", after)] {
            table.append([
                .init(name), .init(form.type), .init(byteText(form.bytes)),
                .init(form.perplexity.map { String(format: "%.3f", $0) } ?? "-"),
                .init(form.prefillTokensPerSecond.map(QuantizeReport.rate) ?? "-"),
                .init(form.decodeTokensPerSecond.map(QuantizeReport.rate) ?? "-"),
                .init(form.path),
            ])
        }
        table.append([
            "change", "", .init(ratio(Double(before.bytes), Double(after.bytes))),
            .init(ratio(before.perplexity, after.perplexity, digits: 3)),
            .init(ratio(before.prefillTokensPerSecond, after.prefillTokensPerSecond)),
            .init(ratio(before.decodeTokensPerSecond, after.decodeTokensPerSecond)), "",
        ])
        return table.text(hasColor: hasColor) + closing
    }

    private var closing: String {
        guard let top1Agreement, let textTokens, let threads else { return "" }
        let percent = String(format: "%.1f", top1Agreement * 100)
        return "The same next token is likeliest in \(percent) % of \(textTokens - 1) places of an "
            + "English text. Tokens a second by \(threads) thread\(threads == 1 ? "" : "s").\n"
    }

    private func ratio(_ before: Double?, _ after: Double?, digits: Int = 2) -> String {
        guard let before, let after, before > 0 else { return "-" }
        return String(format: "%.\(digits)f x", after / before)
    }

    private static func rate(_ value: Double) -> String {
        String(format: value < 100 ? "%.1f" : "%.0f", value)
    }
}
