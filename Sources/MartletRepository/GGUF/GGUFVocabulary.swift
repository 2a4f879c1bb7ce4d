/// What a GGUF file says of the tokens and of how a chat is written with them.
struct GGUFVocabulary {
    /// The key of the tokens' texts.
    static let tokens = "tokenizer.ggml.tokens"
    private static let template = "tokenizer.chat_template"

    /// The kind of tokenizer, such as `gpt2` or `llama`; `nil` without any.
    let model: String?
    let size: Int
    let beginning: Int32?
    let end: Int32?
    let chatTemplate: String?
    /// Further templates by name, such as `tool_use`.
    let namedTemplates: [String: String]

    /// Reads what belongs to tokens.
    ///
    /// - Throws: `GGUFFault` that names the key.
    init(_ metadata: GGUFMetadata, architecture: String) throws {
        model = try metadata.text("tokenizer.ggml.model")
        let list = try metadata.list(GGUFVocabulary.tokens)
        guard list?.type ?? .string == .string else {
            throw GGUFFault.unsound("key '\(GGUFVocabulary.tokens)' is not a list of texts")
        }
        size = try list?.count ?? metadata.count("\(architecture).vocab_size") ?? 0
        if let list {
            try GGUFVocabulary.checkBeside(
                list, "tokenizer.ggml.scores", [.float32, .int32], metadata)
            try GGUFVocabulary.checkBeside(list, "tokenizer.ggml.token_type", [.int32], metadata)
        }
        beginning = try GGUFVocabulary.token("bos", below: size, metadata)
        end = try GGUFVocabulary.token("eos", below: size, metadata)
        chatTemplate = try metadata.text(GGUFVocabulary.template)
        namedTemplates = try GGUFVocabulary.named(metadata)
    }

    /// Engines read as many of these as there are tokens, some without looking how many there are.
    private static func checkBeside(
        _ tokens: GGUFList, _ key: String, _ types: Set<GGUFValueType>, _ metadata: GGUFMetadata
    ) throws {
        guard let list = try metadata.list(key) else { return }
        guard types.contains(list.type), list.count >= tokens.count else {
            throw GGUFFault.unsound(
                "key '\(key)' does not hold a number for each of the \(tokens.count) tokens")
        }
    }

    /// A token with a part to play; one that is not in the vocabulary counts as none, as engines
    /// then take their own.
    private static func token(
        _ name: String, below size: Int, _ metadata: GGUFMetadata
    ) throws -> Int32? {
        guard case .integer(let number, _) = metadata.values["tokenizer.ggml.\(name)_token_id"],
            number >= 0, number < size
        else { return nil }
        return Int32(exactly: number)
    }

    private static func named(_ metadata: GGUFMetadata) throws -> [String: String] {
        let prefix = template + "."
        var found: [String: String] = [:]
        for key in metadata.values.keys where key.hasPrefix(prefix) {
            found[String(key.dropFirst(prefix.count))] = try metadata.text(key)
        }
        return found
    }
}
