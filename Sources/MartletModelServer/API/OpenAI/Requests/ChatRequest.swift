import MartletCore
import MartletTensors

/// A request for chat completions (`POST /v1/chat/completions`).
struct ChatRequest: Sendable, Equatable {
    /// What it has in common with legacy completions.
    var options: GenerationOptions

    /// The conversation, at least one message.
    var messages: [ChatMessage]

    /// Alternatives to give with each token's log probability; `nil` for no log probabilities.
    var logprobs: Int?

    /// The form that the answer must have.
    var responseFormat: ResponseFormat

    /// Functions the model may call, by unique names.
    var tools: [ChatTool]

    /// Which of them it may or must call.
    var toolChoice: ChatTool.Choice

    /// Whether one answer may call several.
    var allowsParallelToolCalls: Bool

    /// More variables of the chat template, such as `enable_thinking`, as an object.
    var templateArguments: JSONValue?

    /// Decodes a request.
    ///
    /// - Parameters:
    ///   - bytes: the body.
    ///   - limits: bounds on JSON.
    ///   - bounds: bounds of this API.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and remedy.
    init(decoding bytes: [UInt8], limits: Limits, bounds: OpenAILimits = OpenAILimits()) throws {
        let fields = try RequestFields(parsing: bytes, limits: limits)
        options = try GenerationOptions(fields, bounds: bounds)
        messages = try ChatMessage.list(fields, bounds: bounds)
        logprobs = try ChatRequest.logprobs(fields, bounds: bounds)
        responseFormat = try ResponseFormat(fields, bounds: bounds)
        (tools, toolChoice) = try ChatTool.list(fields, bounds: bounds)
        allowsParallelToolCalls = try fields.flag("parallel_tool_calls") ?? true
        templateArguments = try fields.schema("chat_template_kwargs", bounds: bounds)
    }

    private static func logprobs(_ fields: RequestFields, bounds: OpenAILimits) throws -> Int? {
        let isWanted = try fields.flag("logprobs") ?? false
        let top = try fields.whole("top_logprobs", in: 0...Int64(max(0, bounds.topLogprobs)))
        guard isWanted || (top ?? 0) == 0 else {
            throw ServingError.invalidField(
                "top_logprobs", .wrongValue,
                "'top_logprobs' is \(top ?? 0), but 'logprobs' is not true; set it, or leave both "
                    + "out")
        }
        return isWanted ? Int(top ?? 0) : nil
    }
}
