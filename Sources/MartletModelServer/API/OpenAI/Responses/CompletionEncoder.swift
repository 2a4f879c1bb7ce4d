/// One answer to a prompt of a legacy completion, whole.
struct CompletionChoice: Sendable, Equatable {
    /// Its text, UTF-8, the prompt before it where the request asked for an echo.
    var text: [UInt8]

    /// The log probabilities of its tokens; `nil` when the request did not ask for them.
    var logprobs: [AnswerToken]?

    /// Why it ended.
    var finishReason: OpenAIFinishReason
}

/// The answers to requests for legacy completions: whole, and event by event.
///
/// Both have the object `text_completion`. Each choice of a stream is: text as it comes, then
/// ``appendFinish(_:choice:to:)``; then, when asked for, ``appendUsage(_:to:)``; last
/// `ServerSentEvents.done`.
struct CompletionEncoder: Sendable {
    /// From `data: ` to the value of `choices`.
    private let head: [UInt8]

    /// From behind the one choice to the end of the event.
    private let tail: [UInt8]

    /// Prepares an answer.
    ///
    /// - Parameters:
    ///   - identity: the answer.
    ///   - includesUsage: whether a stream ends with its usage; other chunks then say `null`.
    init(_ identity: AnswerIdentity, includesUsage: Bool = false) {
        var head = [UInt8](ServerSentEvents.opening.utf8)
        identity.appendHead(object: "text_completion", to: &head)
        head.append(contentsOf: #","choices":"#.utf8)
        self.head = head
        let closing = includesUsage ? #"],"usage":null}"# : "]}"
        tail = [UInt8]((closing + ServerSentEvents.ending).utf8)
    }

    /// The whole answer, its choices in the order of their indices.
    func whole(_ choices: [CompletionChoice], usage: TokenUsage) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(choices.reduce(512) { $0 + 128 + $1.text.count })
        bytes.append(contentsOf: head.dropFirst(ServerSentEvents.opening.utf8.count))
        bytes.appendJSON(list: choices.enumerated()) { bytes, choice in
            append(
                choice.element.text, choice.element.logprobs, offset: 0,
                choice.element.finishReason, choice: choice.offset, to: &bytes)
        }
        bytes.append(contentsOf: #","usage":"#.utf8)
        usage.append(to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Appends a chunk with more text.
    ///
    /// - Parameters:
    ///   - text: the text, UTF-8.
    ///   - logprobs: of the tokens the text is made of; `nil` when the request asked for none.
    ///   - offset: Unicode scalars of the choice's text so far, for `text_offset`.
    ///   - choice: the choice's index.
    ///   - bytes: where to write.
    /// - Returns: the offset behind the tokens.
    @discardableResult
    func appendText(
        _ text: [UInt8], logprobs: [AnswerToken]? = nil, offset: Int = 0, choice: Int,
        to bytes: inout [UInt8]
    ) -> Int {
        bytes.append(contentsOf: head)
        bytes.append(UInt8(ascii: "["))
        let next = append(text, logprobs, offset: offset, nil, choice: choice, to: &bytes)
        bytes.append(contentsOf: tail)
        return next
    }

    /// Appends the last chunk of a choice.
    func appendFinish(_ reason: OpenAIFinishReason, choice: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: head)
        bytes.append(UInt8(ascii: "["))
        append([], nil, offset: 0, reason, choice: choice, to: &bytes)
        bytes.append(contentsOf: tail)
    }

    /// Appends the chunk that has the usage and no choice.
    func appendUsage(_ usage: TokenUsage, to bytes: inout [UInt8]) {
        usage.appendChunk(head: head, to: &bytes)
    }

    @discardableResult
    private func append(
        _ text: [UInt8], _ logprobs: [AnswerToken]?, offset: Int, _ reason: OpenAIFinishReason?,
        choice: Int, to bytes: inout [UInt8]
    ) -> Int {
        bytes.append(contentsOf: #"{"text":"#.utf8)
        bytes.appendJSON(utf8: text)
        bytes.append(contentsOf: #","index":"#.utf8)
        bytes.appendJSON(choice)
        bytes.append(contentsOf: #","logprobs":"#.utf8)
        var next = offset
        if let logprobs {
            next = AnswerToken.appendLegacy(logprobs, from: offset, to: &bytes)
        } else {
            bytes.append(contentsOf: "null".utf8)
        }
        bytes.append(contentsOf: #","finish_reason":"#.utf8)
        bytes.appendJSON(reason?.rawValue)
        bytes.append(UInt8(ascii: "}"))
        return next
    }
}
