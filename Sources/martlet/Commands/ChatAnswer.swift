import Foundation
import MartletCore

/// An answer as it comes, event by event.
struct ChatAnswer: Sendable, Equatable {
    /// How many tokens it took, as the server counts.
    struct Usage: Sendable, Equatable, Codable {
        struct Details: Sendable, Equatable, Codable {
            var cachedTokens: Int?
        }

        var promptTokens: Int
        var completionTokens: Int
        var promptTokensDetails: Details?
    }

    private(set) var text = ""
    /// What the model thought before it answered.
    private(set) var thoughts = ""
    private(set) var finishReason: String?
    private(set) var usage: Usage?
    /// Whether the server said that nothing follows.
    private(set) var isComplete = false
    /// When the first and the last piece of text or thoughts came, since the request was sent.
    private(set) var first: Duration?
    private(set) var last: Duration?

    private struct Chunk: Decodable {
        struct Choice: Decodable {
            struct Delta: Decodable {
                var content: String?
                var reasoningContent: String?
            }
            var delta: Delta?
            var finishReason: String?
        }
        struct Failure: Decodable {
            var message: String
        }
        var choices: [Choice]?
        var usage: Usage?
        var error: Failure?
    }

    /// Takes the data of an event.
    ///
    /// - Parameters:
    ///   - event: the data.
    ///   - now: when it came, since the request was sent.
    /// - Returns: the text that it adds.
    /// - Throws: `ServingError`: what the server says went wrong, or that it is no such event.
    mutating func take(_ event: [UInt8], now: Duration) throws -> String {
        guard !event.elementsEqual("[DONE]".utf8) else {
            isComplete = true
            return ""
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let chunk = try? decoder.decode(Chunk.self, from: Data(event)) else {
            throw ServingError(
                .unavailable,
                "The server's answer is none of OpenAI's API: "
                    + String(decoding: event.prefix(128), as: UTF8.self))
        }
        if let failure = chunk.error { throw ServingError(.failedPrecondition, failure.message) }
        usage = chunk.usage ?? usage
        let choice = chunk.choices?.first
        finishReason = choice?.finishReason ?? finishReason
        let added = choice?.delta?.content ?? ""
        let thought = choice?.delta?.reasoningContent ?? ""
        if !added.isEmpty || !thought.isEmpty {
            first = first ?? now
            last = now
            text += added
            thoughts += thought
        }
        return added
    }

    /// Tokens a second after the first; `nil` for fewer than two, or where the server counts none.
    var tokensPerSecond: Double? {
        guard let usage, usage.completionTokens > 1, let first, let last, last > first else {
            return nil
        }
        return Double(usage.completionTokens - 1) / (last - first).seconds
    }

    /// Milliseconds to the first token; `nil` without any.
    var firstTokenMilliseconds: Double? { first.map { ($0.seconds * 1e5).rounded() / 100 } }

    /// What it took, in a line.
    var statistics: String {
        var parts: [String] = []
        if let usage {
            let cached = usage.promptTokensDetails?.cachedTokens ?? 0
            parts.append(
                "\(usage.promptTokens) tokens read" + (cached > 0 ? " (\(cached) cached)" : ""))
            parts.append("\(usage.completionTokens) written")
        }
        if let firstTokenMilliseconds {
            parts.append(String(format: "first after %.1f ms", firstTokenMilliseconds))
        }
        if let tokensPerSecond {
            parts.append(String(format: "then %.1f tokens/s", tokensPerSecond))
        }
        return parts.joined(separator: ", ")
    }

    /// For programs, on one line.
    func json(model: String) throws -> Data {
        struct Shown: Encodable {
            let model: String
            let content: String
            let reasoningContent: String?
            let finishReason: String?
            let usage: Usage?
            let ttftMs: Double?
            let tokensPerSecond: Double?
        }
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let shown = Shown(
            model: model, content: text, reasoningContent: thoughts.isEmpty ? nil : thoughts,
            finishReason: finishReason, usage: usage, ttftMs: firstTokenMilliseconds,
            tokensPerSecond: tokensPerSecond.map { ($0 * 10).rounded() / 10 })
        return try encoder.encode(shown) + Data("\n".utf8)
    }
}

extension String {
    /// The text without what would steer a terminal: control characters other than new lines and
    /// tabulators.
    ///
    /// Models repeat what they read, and they read what others wrote.
    var withoutTerminalControls: String {
        var result = String.UnicodeScalarView()
        for scalar in unicodeScalars
        where scalar.properties.generalCategory != .control || scalar == "\n" || scalar == "\t" {
            result.append(scalar)
        }
        return String(result)
    }
}
