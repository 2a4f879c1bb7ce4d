internal import CLlama

/// A chat to be made a prompt of.
public struct LlamaChatRequest: Sendable, Equatable {
    /// Whether the model may, must or must not call tools.
    public enum ToolChoice: String, Sendable {
        /// As it likes.
        case auto
        /// It is shown none.
        case none
        /// It answers by a call.
        case required
    }

    /// The messages: a JSON array in the form of OpenAI's API.
    public var messages: String

    /// The tools, likewise; `nil` for none.
    public var tools: String?

    /// Whether they are called.
    public var toolChoice = ToolChoice.auto

    /// A JSON schema that the answer must follow; `nil` for any text.
    public var schema: String?

    /// A Jinja template in place of the model's own.
    public var template: String?

    /// A JSON object of further variables for the template.
    public var variables: String?

    /// Seconds since 1970, for templates that tell the model the date.
    public var now: Int64

    /// Whether the prompt ends where the assistant's answer begins.
    public var opensAnswer = true

    /// Whether the answer goes on with the last message, which is the assistant's.
    public var continuesAnswer = false

    /// Whether one answer may call several tools.
    public var allowsParallelCalls = true

    /// Whether a model thinks first that can be told not to.
    public var allowsThinking = true

    /// Whether thoughts are told apart from the answer.
    public var splitsThoughts = true

    /// A chat.
    public init(messages: String, now: Int64) {
        self.messages = messages
        self.now = now
    }

    func withParameters<Result>(
        _ body: (UnsafePointer<martlet_llama_chat_request>) throws -> Result
    ) rethrows -> Result {
        let texts = LlamaTexts()
        defer { withExtendedLifetime(texts) {} }
        let request = martlet_llama_chat_request(
            messages: texts.text(messages), tools: texts.text(tools),
            tool_choice: texts.text(toolChoice.rawValue), schema: texts.text(schema),
            template_source: texts.text(template), variables: texts.text(variables), now: now,
            opens_answer: opensAnswer, continues_answer: continuesAnswer,
            allows_parallel_calls: allowsParallelCalls, allows_thinking: allowsThinking,
            splits_thoughts: splitsThoughts)
        return try withUnsafePointer(to: request, body)
    }
}

/// What a model's chat template can do.
public struct LlamaChatAbilities: OptionSet, Sendable {
    /// The library's bits.
    public let rawValue: UInt32

    /// Creates a set.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Tells the model of tools.
    public static let tools = LlamaChatAbilities(rawValue: 1)
    /// Writes down calls of tools that were made.
    public static let toolCalls = LlamaChatAbilities(rawValue: 2)
    /// Takes messages of the system.
    public static let systemMessages = LlamaChatAbilities(rawValue: 4)
    /// Writes down several calls of one message.
    public static let parallelCalls = LlamaChatAbilities(rawValue: 8)
    /// Marks thoughts off.
    public static let thinking = LlamaChatAbilities(rawValue: 16)
    /// Is the model's own, and not the usual one for models without.
    public static let isOwn = LlamaChatAbilities(rawValue: 32)
}
