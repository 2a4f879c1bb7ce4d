/// Writes the events of a streamed chat completion.
///
/// A stream is, for each choice: ``appendRole(choice:to:)``, then thoughts, text and calls of tools
/// as they come, then ``appendFinish(_:choice:to:)``; then, when asked for,
/// ``appendUsage(_:to:)``; last `ServerSentEvents.done`. What does not change from chunk to chunk is
/// written once a request.
struct ChatChunkEncoder: Sendable {
    /// A piece of a call of a tool.
    struct ToolCallDelta: Sendable, Equatable {
        /// Which call of the answer, from 0 on.
        var index: Int

        /// Its identifier and the tool's name: in the first piece only.
        var opening: Opening?

        /// More of the arguments' text.
        var arguments: [UInt8]

        /// What the first piece says.
        struct Opening: Sendable, Equatable {
            /// The call's identifier.
            var id: String
            /// The tool's name.
            var name: String
        }
    }

    /// From `data: ` to the value of `choices`.
    private let head: [UInt8]

    /// From behind the one choice to the end of the event.
    private let tail: [UInt8]

    /// Prepares the chunks of an answer.
    ///
    /// - Parameters:
    ///   - identity: the answer.
    ///   - includesUsage: whether the stream ends with its usage; other chunks then say `null`.
    init(_ identity: AnswerIdentity, includesUsage: Bool) {
        var head = [UInt8](ServerSentEvents.opening.utf8)
        identity.appendHead(object: "chat.completion.chunk", to: &head)
        head.append(contentsOf: #","choices":"#.utf8)
        self.head = head
        let closing = includesUsage ? #"}],"usage":null}"# : "}]}"
        tail = [UInt8]((closing + ServerSentEvents.ending).utf8)
    }

    /// Appends the first chunk of a choice, which says whose message comes.
    func appendRole(choice: Int, to bytes: inout [UInt8]) {
        open(choice, to: &bytes)
        bytes.append(
            contentsOf:
                #"{"role":"assistant","content":""},"logprobs":null,"finish_reason":null"#.utf8)
        bytes.append(contentsOf: tail)
    }

    /// Appends a chunk with more text.
    ///
    /// - Parameters:
    ///   - text: the text, UTF-8.
    ///   - logprobs: of the tokens the text is made of; `nil` when the request asked for none.
    ///   - choice: the choice's index.
    ///   - bytes: where to write.
    func appendText(
        _ text: [UInt8], logprobs: [AnswerToken]? = nil, choice: Int, to bytes: inout [UInt8]
    ) {
        append("content", text, logprobs: logprobs, choice: choice, to: &bytes)
    }

    /// Appends a chunk with more of what the model thinks before it answers.
    ///
    /// OpenAI's API has no field for them; this is the one of DeepSeek's, which others have too.
    func appendThoughts(
        _ text: [UInt8], logprobs: [AnswerToken]? = nil, choice: Int, to bytes: inout [UInt8]
    ) {
        append("reasoning_content", text, logprobs: logprobs, choice: choice, to: &bytes)
    }

    private func append(
        _ field: StaticString, _ text: [UInt8], logprobs: [AnswerToken]?, choice: Int,
        to bytes: inout [UInt8]
    ) {
        open(choice, to: &bytes)
        bytes.append(contentsOf: #"{""#.utf8)
        field.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: #"":"#.utf8)
        bytes.appendJSON(utf8: text)
        if let logprobs {
            bytes.append(contentsOf: #"},"logprobs":"#.utf8)
            AnswerToken.appendChat(logprobs, to: &bytes)
            bytes.append(contentsOf: #","finish_reason":null"#.utf8)
        } else {
            bytes.append(contentsOf: #"},"logprobs":null,"finish_reason":null"#.utf8)
        }
        bytes.append(contentsOf: tail)
    }

    /// Appends a chunk with a piece of a call of a tool.
    func appendToolCall(_ delta: ToolCallDelta, choice: Int, to bytes: inout [UInt8]) {
        open(choice, to: &bytes)
        bytes.append(contentsOf: #"{"tool_calls":[{"index":"#.utf8)
        bytes.appendJSON(delta.index)
        if let opening = delta.opening {
            bytes.append(contentsOf: #","id":"#.utf8)
            bytes.appendJSON(opening.id)
            bytes.append(contentsOf: #","type":"function","function":{"name":"#.utf8)
            bytes.appendJSON(opening.name)
            bytes.append(UInt8(ascii: ","))
        } else {
            bytes.append(contentsOf: #","function":{"#.utf8)
        }
        bytes.append(contentsOf: #""arguments":"#.utf8)
        bytes.appendJSON(utf8: delta.arguments)
        bytes.append(contentsOf: #"}}]},"logprobs":null,"finish_reason":null"#.utf8)
        bytes.append(contentsOf: tail)
    }

    /// Appends the last chunk of a choice.
    func appendFinish(_ reason: OpenAIFinishReason, choice: Int, to bytes: inout [UInt8]) {
        open(choice, to: &bytes)
        bytes.append(contentsOf: #"{},"logprobs":null,"finish_reason":"#.utf8)
        bytes.appendJSON(reason.rawValue)
        bytes.append(contentsOf: tail)
    }

    /// Appends the chunk that has the usage and no choice.
    func appendUsage(_ usage: TokenUsage, to bytes: inout [UInt8]) {
        usage.appendChunk(head: head, to: &bytes)
    }

    /// Appends everything up to the value of `delta`.
    private func open(_ choice: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: head)
        bytes.append(contentsOf: #"[{"index":"#.utf8)
        bytes.appendJSON(choice)
        bytes.append(contentsOf: #","delta":"#.utf8)
    }
}
