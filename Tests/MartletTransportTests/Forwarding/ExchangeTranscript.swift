import NIOCore

@testable import MartletTransport

/// Plays events into an ``ExchangeMachine`` and writes down the actions each asks for.
///
/// Events: `begin`, `opened`, `failed`, `retry`, `give up`, `client closed`, `stop keeping`, and
/// parts of the request and the response: `request <head>`, `request abc`, `request .` for its
/// end, `response <200>`, `response <200.>` for a head that is all, `response <200>abc.` for a message
/// in one piece.
struct ExchangeTranscript {
    private var machine: ExchangeMachine<TestWire>

    init(holdLimit: Int, replayLimit: Int) {
        machine = ExchangeMachine(holdLimit: holdLimit, replayLimit: replayLimit)
    }

    /// The transcript of the events that `text` has a line for each of; the rest is written anew.
    static func replay(_ text: String, holdLimit: Int, replayLimit: Int) -> String {
        var transcript = ExchangeTranscript(holdLimit: holdLimit, replayLimit: replayLimit)
        return text.split(separator: "\n").map { line in
            var event = line.prefix { $0 != "|" }
            while event.last == " " { event.removeLast() }
            return "\(event) | \(transcript.play(String(event)))"
        }.joined(separator: "\n")
    }

    private mutating func play(_ event: String) -> String {
        var actions: [ExchangeMachine<TestWire>.Action?] = []
        var delivered: [String] = []
        switch event {
        case "begin": actions = [machine.beginAttempt()].map { nil }
        case "opened": actions = [machine.opened()]
        case "failed": actions = [machine.failed(.connectionClosed)]
        case "retry": actions = [machine.retry()].map { nil }
        case "give up": actions = [machine.giveUp()].map { nil }
        case "client closed": actions = [machine.clientClosed()]
        case "stop keeping": actions = [machine.stopKeeping()].map { nil }
        case _ where event.hasPrefix("request "):
            actions = [machine.receive(requestPart(event.dropFirst("request ".count)))]
        case _ where event.hasPrefix("response "):
            let part = responsePart(event.dropFirst("response ".count))
            delivered = machine.receive(part).map(text) ?? []
        default: return "what is '\(event)'?"
        }
        let texts = delivered + actions.compactMap { $0.map(text) }
        return texts.isEmpty ? "-" : texts.joined(separator: ", ")
    }

    private func requestPart(_ text: Substring) -> TestRequestPart {
        if text == "." { return .end(nil) }
        guard text.hasPrefix("<") else { return .body(ByteBuffer(string: String(text))) }
        let name = String(text.dropFirst().prefix { $0 != "." && $0 != ">" })
        return content(of: text).map { .whole(name, $0) }
            ?? .head(name, isEnd: text.hasSuffix(".>"))
    }

    /// What stands between the head and the end of a part that is a whole message.
    private func content(of text: Substring) -> ByteBuffer? {
        guard let end = text.firstIndex(of: ">"), text.hasSuffix("."), text[end...].count > 1 else {
            return nil
        }
        return ByteBuffer(string: String(text[text.index(after: end)...].dropLast()))
    }

    private func responsePart(_ text: Substring) -> TestResponsePart {
        if text == "." { return .end(nil) }
        guard text.hasPrefix("<") else { return .body(ByteBuffer(string: String(text))) }
        let status = TestStatus(String(text.dropFirst().prefix { $0 != "." && $0 != ">" }))
        return content(of: text).map { .whole(status, $0) }
            ?? .head(status, isEnd: text.hasSuffix(".>"))
    }

    private func text(_ action: ExchangeMachine<TestWire>.Action) -> String {
        switch action {
        case .sendUpstream(let part): "upstream \(part.text)"
        case .beginUpstream(let parts): "upstream \(parts.map(\.text).joined())"
        case .decide(let failure, let isReplayable):
            "decide \(failure)\(isReplayable ? " replayable" : "")"
        case .abortClient: "abort client"
        case .cancelUpstream: "cancel upstream"
        }
    }

    private func text(_ delivery: ExchangeMachine<TestWire>.Delivery) -> [String] {
        let parts = delivery.held + [delivery.part]
        return ["client \(parts.map(\.text).joined())"]
            + (delivery.isReusable.map { [$0 ? "finish reusable" : "finish"] } ?? [])
    }
}
