internal import CLlama

extension ChatPrompt {
    /// Calls `body` with the library's form of these.
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
