import MartletEngines

/// An answer whose text is to be read: what was read of it, and what was told of that.
///
/// Reading takes the longer the more text there is, so it is not done here: a ``Passage`` is taken
/// out, read wherever there is time, and what it says given back.
struct ReadableAnswer: Sendable {
    /// A text to be read.
    struct Passage: Sendable {
        fileprivate let chat: any RenderedChat
        fileprivate let bytes: [UInt8]
        /// Whether nothing follows; else more may.
        let isWhole: Bool
        /// Whether it ends where it does since no more tokens were allowed.
        fileprivate let isCutOff: Bool

        /// What it says; `nil` for a text that is not of the form.
        func read() -> GeneratedMessage? {
            let text = String(decoding: bytes, as: UTF8.self)
            if let message = try? chat.read(text, isPartial: !isWhole) { return message }
            // What was cut off is of the form as far as it goes.
            guard isWhole, let message = try? chat.read(text, isPartial: true) else { return nil }
            return isCutOff && !message.calls.isEmpty || !message.thoughts.isEmpty ? message : nil
        }
    }

    /// Bytes of a beginning that may tell that the rest need not be read.
    private static let beginningBytesMax = 64

    private let chat: any RenderedChat
    private var raw: [UInt8] = []
    /// How much of it was taken out to be read.
    private var taken = 0
    /// Of tokens that were not told yet.
    private var logprobs: [AnswerToken] = []
    /// How many of them belong to what was taken out.
    private var takenLogprobs = 0
    private var calls: [GeneratedToolCall] = []
    private var callIDs: [String] = []
    /// What was told of the thoughts, of the content, and of each call's arguments.
    private var thoughts: [UInt8] = []
    private var content: [UInt8] = []
    private var arguments: [[UInt8]] = []

    /// Whether a reading is on its way.
    var isAwaited = false

    init(_ chat: any RenderedChat) { self.chat = chat }

    /// The tools that it calls.
    var toolCalls: [ToolCall] {
        zip(calls, callIDs).map { call, id in
            ToolCall(id: id, name: call.name, arguments: call.arguments)
        }
    }

    /// Whether there is text that was not taken out.
    var isUnread: Bool { taken < raw.count }

    /// Takes more of the text in.
    ///
    /// - Returns: all that was not told, if it is clear now that the text is the message as it is
    ///   and always will be; else `nil`.
    mutating func receive(_ delta: ChoiceText.Delta) -> GeneratedChoice.News? {
        raw += delta.text
        logprobs += delta.logprobs
        guard !delta.text.isEmpty, raw.count <= ReadableAnswer.beginningBytesMax,
            raw.starts(with: content),
            chat.staysPlain(after: String(decoding: raw, as: UTF8.self))
        else { return nil }
        return GeneratedChoice.News(text: Array(raw[content.count...]), logprobs: logprobs)
    }

    /// The text so far, to be read.
    ///
    /// - Parameter ending: why nothing follows; `nil` while more may.
    /// - Returns: the text, and how it is to be read.
    mutating func passage(ending: FinishReason?) -> Passage {
        taken = raw.count
        takenLogprobs = logprobs.count
        return Passage(
            chat: chat, bytes: raw, isWhole: ending != nil, isCutOff: ending == .length)
    }

    /// Notes what a passage says.
    ///
    /// - Returns: what is new of that.
    mutating func didRead(_ message: GeneratedMessage?, isWhole: Bool) -> GeneratedChoice.News {
        var news = GeneratedChoice.News(logprobs: Array(logprobs.prefix(takenLogprobs)))
        logprobs.removeFirst(takenLogprobs)
        takenLogprobs = 0
        if let message {
            news.thoughts = ReadableAnswer.fresh(message.thoughts, behind: thoughts)
            news.text = ReadableAnswer.fresh(message.content, behind: content)
            calls = ReadableAnswer.named(message.calls, isWhole: isWhole)
            news.calls = newCalls(calls)
        } else if isWhole, calls.isEmpty, thoughts.isEmpty {
            // What is not of the form is shown as it is, once it is clear that it will not be.
            news.text = Array(raw.dropFirst(content.count))
        }
        thoughts += news.thoughts
        content += news.text
        return news
    }

    /// A reader may think better of what it said; what was sent stays.
    private static func fresh(_ text: String, behind told: [UInt8]) -> [UInt8] {
        let text = Array(text.utf8)
        return text.count > told.count && text.starts(with: told) ? Array(text[told.count...]) : []
    }

    /// Those that have a name; of a text that goes on, those before the first without, as its name
    /// may still come.
    private static func named(
        _ calls: [GeneratedToolCall], isWhole: Bool
    ) -> [GeneratedToolCall] {
        isWhole ? calls.filter { !$0.name.isEmpty } : Array(calls.prefix { !$0.name.isEmpty })
    }

    private mutating func newCalls(
        _ calls: [GeneratedToolCall]
    ) -> [ChatChunkEncoder.ToolCallDelta] {
        var random = SystemRandomNumberGenerator()
        return calls.enumerated().compactMap { index, call in
            let isNew = index >= callIDs.count
            if isNew {
                callIDs.append(
                    call.id.isEmpty ? AnswerIdentity.toolCallID(using: &random) : call.id)
                arguments.append([])
            }
            let fresh = ReadableAnswer.fresh(call.arguments, behind: arguments[index])
            guard isNew || !fresh.isEmpty else { return nil }
            arguments[index] += fresh
            var delta = ChatChunkEncoder.ToolCallDelta(index: index, arguments: fresh)
            if isNew { delta.opening = .init(id: callIDs[index], name: call.name) }
            return delta
        }
    }
}
