internal import CLlama
import MartletCore

extension LlamaModel {
    /// The tokens of a text.
    ///
    /// - Parameters:
    ///   - text: any text.
    ///   - addsSpecial: whether to add what the model's texts begin and end with.
    ///   - readsSpecial: whether names of special tokens become these tokens; `false` for what
    ///     users write.
    /// - Returns: the tokens, in order.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a text that is too long, or that the
    ///   engine cannot divide into words.
    public func tokenize(
        _ text: String, addsSpecial: Bool, readsSpecial: Bool
    ) throws -> [Int32] {
        guard !CharacterRuns.areLong(in: text) || !recursesAlongWords else {
            throw ServingError.invalidArgument(
                "The text has more than \(CharacterRuns.most) letters, spaces or other characters "
                    + "of one kind in a row, which the engine cannot read for this model; shorten "
                    + "them")
        }
        var text = text
        return try text.withUTF8 { utf8 in
            // A token is at least a byte, but for those added.
            try tokens(utf8, capacity: utf8.count + 4, addsSpecial, readsSpecial)
        }
    }

    /// See ``CharacterRuns``.
    private var recursesAlongWords: Bool {
        guard metadata("tokenizer.ggml.model") == "gpt2" else { return false }
        return !CharacterRuns.safeVocabularies.contains(metadata("tokenizer.ggml.pre") ?? "")
    }

    private func tokens(
        _ utf8: UnsafeBufferPointer<UInt8>, capacity: Int, _ addsSpecial: Bool,
        _ readsSpecial: Bool
    ) throws -> [Int32] {
        var error = martlet_llama_error()
        var needed = 0
        let tokens = utf8.withMemoryRebound(to: CChar.self) { bytes in
            let text = martlet_llama_text(bytes: bytes.baseAddress, count: bytes.count)
            return [Int32](unsafeUninitializedCapacity: capacity) { buffer, count in
                needed = Int(
                    library.api.tokenize(
                        pointer, text, buffer.baseAddress, capacity, addsSpecial, readsSpecial,
                        &error))
                count = needed > capacity ? 0 : max(0, needed)
            }
        }
        guard needed >= 0 else {
            throw LlamaLibrary.failure(
                Int32(MARTLET_LLAMA_INVALID), error, "tokenize a text of \(utf8.count) bytes")
        }
        guard needed > capacity else { return tokens }
        return try self.tokens(utf8, capacity: needed, addsSpecial, readsSpecial)
    }

    /// Adds the bytes of a token's text, which need not be whole characters.
    ///
    /// - Parameters:
    ///   - token: which one; nothing is added for one that the model has not.
    ///   - bytes: what they are added to.
    ///   - showsSpecial: whether a special token has its name for a text, or none.
    public func append(bytesOf token: Int32, to bytes: inout [UInt8], showsSpecial: Bool = false) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            let count = Int(
                library.api.token_bytes(
                    pointer, token, buffer.baseAddress, buffer.count, showsSpecial))
            if count <= buffer.count {
                bytes.append(contentsOf: UnsafeRawBufferPointer(buffer).prefix(max(0, count)))
            } else {
                appendLong(token, count: count, to: &bytes, showsSpecial)
            }
        }
    }

    /// The bytes of a token's text; see ``append(bytesOf:to:showsSpecial:)``.
    func bytes(of token: Int32, showsSpecial: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        append(bytesOf: token, to: &bytes, showsSpecial: showsSpecial)
        return bytes
    }

    private func appendLong(
        _ token: Int32, count: Int, to bytes: inout [UInt8], _ showsSpecial: Bool
    ) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: count) { buffer in
            let count = library.api.token_bytes(
                pointer, token, buffer.baseAddress, buffer.count, showsSpecial)
            bytes.append(contentsOf: UnsafeRawBufferPointer(buffer).prefix(max(0, Int(count))))
        }
    }

    /// The bytes of tokens' text.
    ///
    /// - Parameters:
    ///   - tokens: which ones.
    ///   - removesSpecial: whether to leave out what ``tokenize(_:addsSpecial:readsSpecial:)``
    ///     adds.
    ///   - showsSpecial: whether special tokens have their names for a text, or none.
    /// - Returns: the bytes, which need not be whole characters.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a token that the model has not.
    public func detokenize(
        _ tokens: [Int32], removesSpecial: Bool = false, showsSpecial: Bool = false
    ) throws -> [UInt8] {
        var capacity = tokens.count * 8 + 64
        while true {
            var needed: Int64 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
                buffer.withMemoryRebound(to: CChar.self) { chars in
                    needed = library.api.detokenize(
                        pointer, tokens, tokens.count, chars.baseAddress, chars.count,
                        removesSpecial, showsSpecial)
                }
                count = Int(needed) > capacity ? 0 : max(0, Int(needed))
            }
            guard needed >= 0 else {
                throw ServingError.invalidArgument("A token is none of the model's")
            }
            if Int(needed) <= capacity { return bytes }
            capacity = Int(needed)
        }
    }

    /// Whether a token ends the text.
    public func ends(_ token: Int32) -> Bool {
        library.api.token_ends(pointer, token)
    }

    /// All tokens that end the text; each token is looked at.
    var endTokens: [TokenID] {
        (0..<TokenID(clamping: info.vocabularySize)).filter { ends($0) }
    }

    /// Whether a token has a meaning in place of a text.
    public func isControl(_ token: Int32) -> Bool {
        library.api.token_is_control(pointer, token)
    }
}
