import ArgumentParser
import MartletModelServer

/// Flags that set ``OpenAILimits``; each default is that of ``OpenAILimits``.
struct OpenAILimitFlags: ParsableArguments {
    @Option(help: "Most messages of a conversation.")
    var openaiMaxMessages = OpenAILimits().messages

    @Option(help: "Most tools that a chat may define.")
    var openaiMaxTools = OpenAILimits().tools

    @Option(help: "Most values (numbers, strings, lists, objects) of one JSON schema.")
    var openaiMaxSchemaValues = OpenAILimits().schemaValues

    @Option(help: "Most answers to one request: its prompts times n.")
    var openaiMaxChoices = OpenAILimits().choices

    @Option(help: "Most prompts of a completion.")
    var openaiMaxPrompts = OpenAILimits().prompts

    @Option(help: "Most stop sequences of a request.")
    var openaiMaxStopSequences = OpenAILimits().stopSequences

    @Option(help: "Most texts of a request for embeddings.")
    var openaiMaxEmbeddingInputs = OpenAILimits().embeddingInputs

    @Option(help: "Most documents of a request to rerank.")
    var openaiMaxDocuments = OpenAILimits().documents

    @Option(help: "Most token numbers in one list of a request.")
    var openaiMaxInputTokens = OpenAILimits().inputTokens

    func validate() throws {
        let ranges = [
            ("--openai-max-messages", openaiMaxMessages, 1...1_000_000),
            ("--openai-max-tools", openaiMaxTools, 1...65_536),
            ("--openai-max-schema-values", openaiMaxSchemaValues, 1...1_000_000),
            ("--openai-max-choices", openaiMaxChoices, 1...4096),
            ("--openai-max-prompts", openaiMaxPrompts, 1...4096),
            ("--openai-max-stop-sequences", openaiMaxStopSequences, 1...1024),
            ("--openai-max-embedding-inputs", openaiMaxEmbeddingInputs, 1...1_000_000),
            ("--openai-max-documents", openaiMaxDocuments, 1...1_000_000),
            ("--openai-max-input-tokens", openaiMaxInputTokens, 1...(1 << 24)),
        ]
        for (flag, value, range) in ranges where !range.contains(value) {
            throw ValidationError(
                "\(flag) is \(value); use \(range.lowerBound) to \(range.upperBound)")
        }
    }

    /// The limits that the flags say.
    var limits: OpenAILimits {
        var limits = OpenAILimits()
        limits.messages = openaiMaxMessages
        limits.tools = openaiMaxTools
        limits.schemaValues = openaiMaxSchemaValues
        limits.choices = openaiMaxChoices
        limits.prompts = openaiMaxPrompts
        limits.stopSequences = openaiMaxStopSequences
        limits.embeddingInputs = openaiMaxEmbeddingInputs
        limits.documents = openaiMaxDocuments
        limits.inputTokens = openaiMaxInputTokens
        return limits
    }
}
