import MartletCore

/// Whether a draft model speaks of tokens as the model does for which it guesses.
enum LlamaVocabularyMatch {
    /// Makers fill vocabularies up to round sizes: sizes may differ by so many tokens.
    static let paddingMax = 128

    /// Compares two vocabularies token by token.
    ///
    /// - Parameters:
    ///   - draft: the model that guesses.
    ///   - model: the model that checks.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that says in what they differ.
    static func check(_ draft: LlamaModel, guessesFor model: LlamaModel) throws {
        let (own, other) = (draft.info.vocabularySize, model.info.vocabularySize)
        let remedy = "Use a draft model with the same tokenizer, as smaller ones of a family have"
        guard abs(own - other) <= paddingMax else {
            throw ServingError.invalidArgument(
                "The draft model's vocabulary has \(own) tokens, and the model's has \(other). "
                    + remedy)
        }
        var (left, right): ([UInt8], [UInt8]) = ([], [])
        for token in 0..<TokenID(clamping: min(own, other)) {
            left.removeAll(keepingCapacity: true)
            right.removeAll(keepingCapacity: true)
            draft.append(bytesOf: token, to: &left, showsSpecial: true)
            model.append(bytesOf: token, to: &right, showsSpecial: true)
            guard left == right else {
                throw ServingError.invalidArgument(
                    "Token \(token) is \(shown(left)) in the draft model's vocabulary of \(own) "
                        + "tokens, and \(shown(right)) in the model's of \(other). " + remedy)
            }
        }
    }

    private static func shown(_ bytes: [UInt8]) -> String {
        "'" + String(decoding: bytes.prefix(32), as: UTF8.self) + "'"
    }
}
