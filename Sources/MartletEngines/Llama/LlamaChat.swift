internal import CLlama
import MartletCore

/// A chat as the model reads it, and how its answer is held to a form and read.
///
/// All of it may be used by several threads at once.
public final class LlamaChat: RenderedChat {
    /// The text for the model.
    ///
    /// Its special tokens are to be read as such, and none added.
    public let prompt: String

    /// The end of the prompt that already belongs to the answer.
    public let opening: String

    /// The grammar that the answer follows; `nil` for any text.
    public let grammar: String?

    /// Whether the grammar holds only from where the text begins a tool call.
    public let hasLazyGrammar: Bool

    /// Texts that end the answer, beside the model's own tokens.
    public let stops: [String]

    /// Special tokens whose names must be in the text for ``read(_:isPartial:)``.
    public let shownTokens: Set<Int32>

    /// llama.cpp's name for the form of the answer.
    public let format: String

    /// Whether the text is the message as it is.
    public let isPlain: Bool

    private let model: LlamaModel
    // Never changes; freed in deinit.
    nonisolated(unsafe) let pointer: OpaquePointer

    /// Renders a chat by the model's template.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for messages, tools or a schema that are
    ///   wrong, or that the template refuses.
    public init(model: LlamaModel, _ request: ChatPrompt) throws {
        let api = model.library.api
        let pointer = try request.withParameters { request in
            try model.library.object("render the chat") {
                api.chat_render(model.pointer, request, $0, $1)
            }
        }
        func text(_ which: Int) -> String { api.chat_text(pointer, Int32(which)).string }
        func list(_ which: Int) -> [String] {
            (0..<api.chat_count(pointer, Int32(which))).map {
                api.chat_item(pointer, Int32(which), $0).string
            }
        }
        self.model = model
        self.pointer = pointer
        prompt = text(MARTLET_LLAMA_CHAT_PROMPT)
        opening = text(MARTLET_LLAMA_CHAT_OPENING)
        format = text(MARTLET_LLAMA_CHAT_FORMAT)
        let grammar = text(MARTLET_LLAMA_CHAT_GRAMMAR)
        self.grammar = grammar.isEmpty ? nil : grammar
        hasLazyGrammar = api.chat_grammar_is_lazy(pointer)
        isPlain = api.chat_is_plain(pointer)
        stops = list(MARTLET_LLAMA_CHAT_STOPS)
        shownTokens = LlamaChat.tokens(list(MARTLET_LLAMA_CHAT_KEPT_TOKENS), of: model)
    }

    deinit { model.library.api.chat_free(pointer) }

    /// Those of the names that are single tokens: others are text anyway.
    private static func tokens(_ names: [String], of model: LlamaModel) -> Set<Int32> {
        Set(
            names.compactMap { name in
                let tokens = try? model.tokenize(name, addsSpecial: false, readsSpecial: true)
                return tokens?.count == 1 ? tokens?.first : nil
            })
    }

    /// What the generated text says.
    ///
    /// - Parameters:
    ///   - text: all of it so far, without ``opening``.
    ///   - isPartial: whether more may follow.
    /// - Returns: the message so far: what a call with more text gives begins with it, mostly.
    /// - Throws: `ServingError` (`INTERNAL`) for a text that is not of the form.
    public func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
        let api = model.library.api
        let texts = LlamaTexts()
        defer { withExtendedLifetime(texts) {} }
        let given = texts.text(text)
        let message = try model.library.object("read the answer") {
            api.chat_parse(pointer, given, isPartial, $0, $1)
        }
        defer { api.message_free(message) }
        return GeneratedMessage(
            content: api.message_content(message).string,
            thoughts: api.message_thoughts(message).string,
            calls: (0..<api.message_call_count(message)).map { index in
                let call = api.message_call(message, index)
                return GeneratedToolCall(
                    name: call.name.string, arguments: call.arguments.string, id: call.id.string)
            })
    }
}

extension LlamaModel {
    /// What its chat template can do.
    public var chatAbilities: LlamaChatAbilities {
        LlamaChatAbilities(rawValue: library.api.chat_capabilities(pointer))
    }

    /// Its chat template in Jinja; `nil` if the file has none.
    public var chatTemplate: String? {
        let source = library.api.chat_template(pointer).string
        return source.isEmpty ? nil : source
    }
}

extension LlamaLibrary {
    /// A grammar in GBNF for texts that a JSON schema describes.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a schema that is wrong, too large or deep.
    public func grammar(ofSchema schema: String) throws -> String {
        let texts = LlamaTexts()
        defer { withExtendedLifetime(texts) {} }
        let given = texts.text(schema)
        var grammar: UnsafeMutablePointer<CChar>?
        try check("make a grammar of the schema") { api.schema_grammar(given, &grammar, $0) }
        guard let grammar else { return "" }
        defer { api.text_free(grammar) }
        return String(cString: grammar)
    }
}
