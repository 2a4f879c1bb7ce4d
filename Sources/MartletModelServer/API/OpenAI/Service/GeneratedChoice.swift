import MartletCore
import MartletEngines

/// What has become of one choice of an answer: its thoughts, its text, its calls of tools, its end.
struct GeneratedChoice: Sendable {
    /// What is new since the last time.
    struct News: Sendable {
        /// More of what the model thinks before it answers, UTF-8.
        var thoughts: [UInt8] = []
        /// More text, UTF-8.
        var text: [UInt8] = []
        /// Tokens of it.
        var logprobs: [AnswerToken] = []
        /// Pieces of calls of tools.
        var calls: [ChatChunkEncoder.ToolCallDelta] = []

        var isEmpty: Bool {
            thoughts.isEmpty && text.isEmpty && logprobs.isEmpty && calls.isEmpty
        }
    }

    private let isTold: Bool
    private var assembler: ChoiceText
    /// How the text is read; `nil` for one that is the message as it is.
    private var readable: ReadableAnswer?
    /// How it ended, if what it says is still to be read.
    private var ending: FinishReason?

    /// What the model thought so far before it answers, UTF-8.
    private(set) var thoughts: [UInt8] = []
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
    var toolCalls: [ToolCall] { readable?.toolCalls ?? [] }

    /// Begins with no text.
    ///
    /// - Parameters:
    ///   - stop: what ends it.
    ///   - chat: how the text is read.
    ///   - isTold: whether anything of it is told but its end.
    init(stop: StopAutomaton, chat: (any RenderedChat)?, isTold: Bool = true) {
        assembler = ChoiceText(stop: stop)
        self.isTold = isTold
        if let chat, !chat.isPlain { readable = ReadableAnswer(chat) }
    }

    // MARK: What the model tells

    /// Takes a token in.
    ///
    /// - Returns: what can be told at once; see ``awaitReading()`` for the rest.
    mutating func receive(_ token: GeneratedToken) -> News {
        guard isTold else { return News() }
        var delta = ChoiceText.Delta()
        assembler.receive(token.bytes, logprob: AnswerToken(token), into: &delta)
        return take(delta)
    }

    /// Takes the end in.
    ///
    /// - Returns: what can be told at once; then ``finish`` says whether that was all, or there is
    ///   a text to be read first.
    mutating func end(_ reason: FinishReason, _ usage: GenerationUsage) -> News {
        self.usage = usage
        guard isTold else {
            self.usage.generatedTokens = 0
            finish = .length
            return News()
        }
        var delta = ChoiceText.Delta()
        assembler.finish(into: &delta)
        let news = take(delta)
        // The last token that was allowed may have ended the text itself.
        let reason = isStopped ? .stop : reason
        if readable == nil { finish = reason == .length ? .length : .stop } else { ending = reason }
        return news
    }

    private mutating func take(_ delta: ChoiceText.Delta) -> News {
        guard readable != nil else { return note(News(text: delta.text, logprobs: delta.logprobs)) }
        guard let news = readable?.receive(delta) else { return News() }
        readable = nil
        return note(news)
    }

    private mutating func note(_ news: News) -> News {
        thoughts += news.thoughts
        text += news.text
        logprobs += news.logprobs
        return news
    }

    // MARK: Reading

    /// Whether there is text to be read, and no reading is on its way; then one is.
    mutating func awaitReading() -> Bool {
        guard ending == nil, let readable, !readable.isAwaited, readable.isUnread else {
            return false
        }
        self.readable?.isAwaited = true
        return true
    }

    /// What is to be read; `nil` if there is nothing.
    mutating func passage() -> ReadableAnswer.Passage? {
        guard finish == nil, ending != nil || readable?.isUnread == true else {
            readable?.isAwaited = false
            return nil
        }
        return readable?.passage(ending: ending)
    }

    /// Notes what a passage says.
    ///
    /// - Returns: what is new of that.
    mutating func didRead(_ message: GeneratedMessage?, isWhole: Bool) -> News {
        guard let news = readable?.didRead(message, isWhole: isWhole) else { return News() }
        readable?.isAwaited = false
        if isWhole, let ending {
            finish = ending == .length ? .length : toolCalls.isEmpty ? .stop : .toolCalls
        }
        return note(news)
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
