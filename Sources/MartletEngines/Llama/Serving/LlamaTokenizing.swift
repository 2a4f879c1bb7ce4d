/// A language model whose texts, tokens and chats are llama.cpp's: they are the same whichever engine
/// generates.
protocol LlamaTokenizing: GenerativeModel {
    /// The model, or its vocabulary alone.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) once it is unloaded.
    func vocabulary() throws -> LlamaModel
}

extension LlamaTokenizing {
    func tokenize(
        _ text: String, addsBeginning: Bool, parsesSpecial: Bool
    ) throws -> [TokenID] {
        try vocabulary().tokenize(text, addsSpecial: addsBeginning, readsSpecial: parsesSpecial)
    }

    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) throws -> [UInt8] {
        try vocabulary().detokenize(tokens, showsSpecial: showsSpecial)
    }

    func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        try LlamaChat(model: vocabulary(), chat)
    }
}
