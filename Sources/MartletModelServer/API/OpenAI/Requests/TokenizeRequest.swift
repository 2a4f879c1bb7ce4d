import MartletCore

/// A request to cut a text into tokens (`POST /tokenize`), in the forms of llama.cpp's server
/// (`content`) and of vLLM (`prompt`, or `messages` for the chat template).
struct TokenizeRequest: Sendable, Equatable {
    /// What is cut.
    enum Subject: Sendable, Equatable {
        case text(String)
        case conversation([ChatMessage], tools: [ChatTool])
    }

    /// The model's name; `nil` when the client left it out, for it knows of one only.
    var model: String?

    /// What is cut.
    var subject: Subject

    /// Whether the tokens that open a text are added (`add_special`, `add_special_tokens`).
    ///
    /// Left out, `prompt` has them, as vLLM adds them; `content` has not, as llama.cpp's server
    /// does not; nor has a conversation, whose template writes them.
    var addsSpecialTokens: Bool

    /// Whether a conversation ends with the opening of the assistant's turn.
    var addsGenerationPrompt: Bool

    /// Whether the answer has each token's text too (`with_pieces`, `return_token_strs`).
    var includesPieces: Bool

    /// Decodes a request.
    ///
    /// - Parameters:
    ///   - bytes: the body.
    ///   - limits: bounds on JSON.
    ///   - bounds: bounds of this API.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and remedy.
    init(decoding bytes: [UInt8], limits: Limits, bounds: OpenAILimits = OpenAILimits()) throws {
        let fields = try RequestFields(parsing: bytes, limits: limits)
        model = try fields.text("model", bytesMaximum: bounds.nameBytes)
        let content = try fields.text("content")
        if let text = try content ?? fields.text("prompt") {
            subject = .text(text)
        } else if try fields.value("messages") != nil {
            let (tools, _) = try ChatTool.list(fields, bounds: bounds)
            subject = .conversation(try ChatMessage.list(fields, bounds: bounds), tools: tools)
        } else {
            throw ServingError.invalidField(
                "content", .missing, "one of 'content', 'prompt' and 'messages' must be given")
        }
        let isWholePrompt = if case .text = subject { content == nil } else { false }
        addsSpecialTokens =
            try fields.flag("add_special") ?? fields.flag("add_special_tokens") ?? isWholePrompt
        addsGenerationPrompt = try fields.flag("add_generation_prompt") ?? true
        includesPieces =
            try fields.flag("with_pieces") ?? fields.flag("return_token_strs") ?? false
    }
}

/// A request for the text of tokens (`POST /detokenize`).
struct DetokenizeRequest: Sendable, Equatable {
    /// The model's name; `nil` when the client left it out, for it knows of one only.
    var model: String?

    /// The tokens; none are no text.
    var tokens: [Int32]

    /// Decodes a request.
    ///
    /// - Parameters:
    ///   - bytes: the body.
    ///   - limits: bounds on JSON.
    ///   - bounds: bounds of this API.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and remedy.
    init(decoding bytes: [UInt8], limits: Limits, bounds: OpenAILimits = OpenAILimits()) throws {
        let fields = try RequestFields(parsing: bytes, limits: limits)
        model = try fields.text("model", bytesMaximum: bounds.nameBytes)
        let elements = try fields.required(
            "tokens", fields.list("tokens", countMaximum: bounds.inputTokens))
        tokens = try TextInput.tokens(elements, at: "tokens", bounds: bounds)
    }
}
