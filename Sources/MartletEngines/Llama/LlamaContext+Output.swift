internal import CLlama
import MartletCore

// Outputs are named by their token's place in the last batch, which must have wanted them.
extension LlamaContext {
    /// Calls `body` with the scores of all tokens; `nil` without such an output.
    public func withScores<Result>(
        at index: Int, _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) rethrows -> Result? {
        guard index >= 0, let scores = model.library.api.logits(pointer, index) else { return nil }
        return try body(
            UnsafeBufferPointer(start: scores, count: model.info.vocabularySize))
    }

    /// The token of the highest score, the first of equals; `nil` without such an output.
    public func likeliest(at index: Int) -> Int32? {
        guard index >= 0 else { return nil }
        let token = model.library.api.likeliest(pointer, index)
        return token < 0 ? nil : token
    }

    /// How likely a token was, and which were likelier, before any sampling.
    ///
    /// - Parameters:
    ///   - token: the one chosen.
    ///   - index: the output.
    ///   - count: how many of the likeliest are told, at most 128.
    /// - Returns: natural logarithms of probabilities.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) without such an output, token or count.
    public func logProbabilities(
        of token: Int32, at index: Int, likeliest count: Int
    ) throws -> LlamaLogProbabilities {
        guard index >= 0, count >= 0, count <= 128 else {
            throw ServingError.invalidArgument(
                "\(count) log-probabilities at output \(index) cannot be told")
        }
        var own: Float = 0
        var tokens = [Int32](repeating: 0, count: count)
        var values = [Float](repeating: 0, count: count)
        try model.library.check("tell log-probabilities") {
            model.library.api.log_probabilities(
                pointer, index, token, &own, count, &tokens, &values, $0)
        }
        return LlamaLogProbabilities(
            ofToken: own, likeliest: zip(tokens, values).map { (token: $0, value: $1) })
    }

    /// The pooled embedding of a sequence of the last batch, or its ranks; `nil` without one.
    public func embedding(ofSequence sequence: Int32) -> [Float]? {
        guard let values = model.library.api.sequence_embedding(pointer, sequence) else {
            return nil
        }
        return [Float](UnsafeBufferPointer(start: values, count: limits.embeddingSize))
    }

    /// The embedding of one token, where the context does not pool; `nil` without one.
    public func embedding(at index: Int) -> [Float]? {
        guard index >= 0, let values = model.library.api.token_embedding(pointer, index) else {
            return nil
        }
        return [Float](UnsafeBufferPointer(start: values, count: limits.embeddingSize))
    }
}

/// How likely a token was, and which were the likeliest, as natural logarithms.
public struct LlamaLogProbabilities: Sendable {
    /// Of the token asked about.
    public let ofToken: Float

    /// The likeliest, the likeliest first.
    public let likeliest: [(token: Int32, value: Float)]
}
