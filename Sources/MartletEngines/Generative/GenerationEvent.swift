public import MartletCore

/// What happens to a request.
///
/// Events come in this order: `started` once (again after nothing), tokens, and exactly one of
/// `finished` and `failed`, which is the last. A request may end without having started.
public enum GenerationEvent: Sendable {
    /// It left the queue; so many of its prompt's tokens were in the prefix cache.
    case started(cachedTokens: Int)
    /// The next token.
    case token(GeneratedToken)
    /// It is done.
    case finished(FinishReason, GenerationUsage)
    /// It could not be done.
    case failed(ServingError, GenerationUsage)
}

/// A token that a model chose.
public struct GeneratedToken: Sendable, Equatable {
    /// Which one.
    public var id: TokenID

    /// Its bytes of text: a character of several bytes may be spread over several tokens.
    public var bytes: [UInt8]

    /// Its log-probability and the likeliest alternatives, if the request asked for them.
    public var logprobs: TokenLogprobs?

    /// Creates a token.
    public init(id: TokenID, bytes: [UInt8], logprobs: TokenLogprobs? = nil) {
        self.id = id
        self.bytes = bytes
        self.logprobs = logprobs
    }
}

/// How likely a token was, and what else might have been.
public struct TokenLogprobs: Sendable, Equatable {
    /// One of the likeliest tokens.
    public struct Alternative: Sendable, Equatable {
        /// Which one.
        public var id: TokenID
        /// Its bytes of text.
        public var bytes: [UInt8]
        /// The natural logarithm of its probability.
        public var logprob: Float

        /// Creates an alternative.
        public init(id: TokenID, bytes: [UInt8], logprob: Float) {
            self.id = id
            self.bytes = bytes
            self.logprob = logprob
        }
    }

    /// The natural logarithm of the chosen token's probability.
    public var logprob: Float

    /// The likeliest, the likeliest first; it may hold the chosen one.
    public var top: [Alternative]

    /// Creates log-probabilities.
    public init(logprob: Float, top: [Alternative]) {
        self.logprob = logprob
        self.top = top
    }
}

/// Why a sequence ended.
public enum FinishReason: String, Sendable, Hashable, CaseIterable {
    /// The model said an end token, or the client's stop string was found.
    case stop
    /// It has as many tokens as it may have.
    case length
    /// Its client went away.
    case cancelled
    /// Its deadline passed.
    case deadline
}

/// What a request took.
public struct GenerationUsage: Sendable, Equatable {
    /// Tokens of the prompt.
    public var promptTokens = 0

    /// Of these, such as were in the prefix cache.
    public var cachedTokens = 0

    /// Tokens generated; the one that ended the text is not counted.
    public var generatedTokens = 0

    /// Nothing.
    public init() {}

    /// Creates a usage.
    public init(promptTokens: Int, cachedTokens: Int, generatedTokens: Int) {
        self.promptTokens = promptTokens
        self.cachedTokens = cachedTokens
        self.generatedTokens = generatedTokens
    }
}
