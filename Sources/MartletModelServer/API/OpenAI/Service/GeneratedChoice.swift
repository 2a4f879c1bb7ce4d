import MartletCore
import MartletEngines

/// What has become of one choice of an answer: its text, its calls of tools, its end.
struct GeneratedChoice: Sendable {
    /// What is new since the last time.
    struct News: Sendable {
        /// More text, UTF-8.
        var text: [UInt8] = []
        /// Tokens of it.
        var logprobs: [AnswerToken] = []
        /// Pieces of calls of tools.
        var calls: [ChatChunkEncoder.ToolCallDelta] = []

        var isEmpty: Bool { text.isEmpty && logprobs.isEmpty && calls.isEmpty }
    }

    /// How the text is read; `nil` for one that is the message as it is.
    private let chat: (any RenderedChat)?
    private let isTold: Bool
    private var assembler: ChoiceText
    /// All that was generated, where it is read.
    private var raw: [UInt8] = []
    private var read = GeneratedMessage(content: "")
    private var callIDs: [String] = []

    /// Its text so far, UTF-8.
    private(set) var text: [UInt8] = []
    /// Its tokens so far.
    private(set) var logprobs: [AnswerToken] = []
    /// Why it ended; `nil` while it goes on.
    private(set) var finish: OpenAIFinishReason?
    /// What it took.
    private(set) var usage = GenerationUsage()

    /// Whether a stop sequence has ended it, so that nothing more need be generated.
    var isStopped: Bool { assembler.matchedStop != nil }

    /// The tools that it calls.
    var toolCalls: [ToolCall] {
        zip(read.calls, callIDs).map { call, id in
            ToolCall(id: id, name: call.name, arguments: call.arguments)
        }
    }

    /// Begins with no text.
    ///
    /// - Parameters:
    ///   - stop: what ends it.
    ///   - chat: how the text is read.
    ///   - isTold: whether anything of it is told but its end.
    init(stop: StopAutomaton, chat: (any RenderedChat)?, isTold: Bool = true) {
        assembler = ChoiceText(stop: stop)
        self.isTold = isTold
        self.chat = chat?.isPlain == false ? chat : nil
    }

    /// Takes a token in.
    mutating func receive(_ token: GeneratedToken) -> News {
        guard isTold else { return News() }
        var delta = ChoiceText.Delta()
        assembler.receive(token.bytes, logprob: AnswerToken(token), into: &delta)
        return take(delta, isPartial: true)
    }

    /// Takes the end in.
    mutating func end(_ reason: FinishReason, _ usage: GenerationUsage) -> News {
        self.usage = usage
        guard isTold else {
            self.usage.generatedTokens = 0
            finish = .length
            return News()
        }
        var delta = ChoiceText.Delta()
        assembler.finish(into: &delta)
        let news = take(delta, isPartial: false)
        finish = reason == .length ? .length : read.calls.isEmpty ? .stop : .toolCalls
        return news
    }

    private mutating func take(_ delta: ChoiceText.Delta, isPartial: Bool) -> News {
        var news = News(text: delta.text, logprobs: delta.logprobs)
        if let chat { news = self.news(chat, delta, isPartial: isPartial) }
        text += news.text
        logprobs += news.logprobs
        return news
    }

    // MARK: Reading

    private mutating func news(
        _ chat: any RenderedChat, _ delta: ChoiceText.Delta, isPartial: Bool
    ) -> News {
        var news = News(logprobs: delta.logprobs)
        raw += delta.text
        guard !delta.text.isEmpty || !isPartial else { return news }
        let all = String(decoding: raw, as: UTF8.self)
        guard let message = try? chat.read(all, isPartial: isPartial) else {
            // What is not of the form is shown as it is, once it is clear that it will not be.
            if !isPartial, read.calls.isEmpty { news.text = Array(raw.dropFirst(text.count)) }
            return news
        }
        // A reader may think better of what it said; what was sent stays.
        let content = Array(message.content.utf8)
        if content.count > text.count, content.starts(with: text) {
            news.text = Array(content[text.count...])
        }
        news.calls = newCalls(message.calls)
        read = message
        return news
    }

    private mutating func newCalls(
        _ calls: [GeneratedToolCall]
    ) -> [ChatChunkEncoder.ToolCallDelta] {
        var random = SystemRandomNumberGenerator()
        return calls.enumerated().compactMap { index, call in
            guard !call.name.isEmpty else { return nil }
            let known = index < read.calls.count ? Array(read.calls[index].arguments.utf8) : []
            let arguments = Array(call.arguments.utf8)
            let isNew = index >= callIDs.count
            if isNew {
                callIDs.append(
                    call.id.isEmpty ? AnswerIdentity.toolCallID(using: &random) : call.id)
            }
            guard isNew || arguments.count > known.count else { return nil }
            var delta = ChatChunkEncoder.ToolCallDelta(
                index: index,
                arguments: arguments.starts(with: known)
                    ? Array(arguments[known.count...]) : [])
            if isNew { delta.opening = .init(id: callIDs[index], name: call.name) }
            return delta
        }
    }
}

extension AnswerToken {
    /// A token with its log-probabilities; `nil` where nobody asked for them.
    init?(_ token: GeneratedToken) {
        guard let logprobs = token.logprobs else { return nil }
        self.init(
            bytes: token.bytes, logprob: logprobs.logprob,
            alternatives: logprobs.top.map {
                Alternative(bytes: $0.bytes, logprob: $0.logprob)
            })
    }
}
