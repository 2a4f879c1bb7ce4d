/// One answer to a conversation, whole.
struct ChatChoice: Sendable, Equatable {
    /// Its text, UTF-8; `nil` when the model called tools without a word.
    var text: [UInt8]?

    /// What the model thought before it answered, UTF-8; empty for one that does not.
    var thoughts: [UInt8] = []

    /// The tools the model called.
    var toolCalls: [ToolCall] = []

    /// The log probabilities of its tokens; `nil` when the request did not ask for them.
    var logprobs: [AnswerToken]?

    /// Why it ended.
    var finishReason: OpenAIFinishReason
}

/// The answer to a request for chat completions that does not stream.
enum ChatAnswer {
    /// The object `chat.completion`, its choices in the order of their indices.
    static func encode(
        _ identity: AnswerIdentity, choices: [ChatChoice], usage: TokenUsage
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(
            choices.reduce(512) { $0 + 256 + ($1.text?.count ?? 0) + $1.thoughts.count })
        identity.appendHead(object: "chat.completion", to: &bytes)
        bytes.append(contentsOf: #","choices":"#.utf8)
        bytes.appendJSON(list: choices.enumerated()) { bytes, choice in
            append(choice.element, index: choice.offset, to: &bytes)
        }
        bytes.append(contentsOf: #","usage":"#.utf8)
        usage.append(to: &bytes)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func append(_ choice: ChatChoice, index: Int, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"index":"#.utf8)
        bytes.appendJSON(index)
        bytes.append(contentsOf: #","message":{"role":"assistant","content":"#.utf8)
        if let text = choice.text {
            bytes.appendJSON(utf8: text)
        } else {
            bytes.append(contentsOf: "null".utf8)
        }
        if !choice.thoughts.isEmpty {
            bytes.append(contentsOf: #","reasoning_content":"#.utf8)
            bytes.appendJSON(utf8: choice.thoughts)
        }
        bytes.append(contentsOf: #","refusal":null"#.utf8)
        if !choice.toolCalls.isEmpty {
            bytes.append(contentsOf: #","tool_calls":"#.utf8)
            bytes.appendJSON(list: choice.toolCalls) { append($1, to: &$0) }
        }
        bytes.append(contentsOf: #"},"logprobs":"#.utf8)
        if let logprobs = choice.logprobs {
            AnswerToken.appendChat(logprobs, to: &bytes)
        } else {
            bytes.append(contentsOf: "null".utf8)
        }
        bytes.append(contentsOf: #","finish_reason":"#.utf8)
        bytes.appendJSON(choice.finishReason.rawValue)
        bytes.append(UInt8(ascii: "}"))
    }

    /// Appends a call of a tool, as both sides write it.
    static func append(_ call: ToolCall, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: #"{"id":"#.utf8)
        bytes.appendJSON(call.id)
        bytes.append(contentsOf: #","type":"function","function":{"name":"#.utf8)
        bytes.appendJSON(call.name)
        bytes.append(contentsOf: #","arguments":"#.utf8)
        bytes.appendJSON(call.arguments)
        bytes.append(contentsOf: "}}".utf8)
    }
}
