/// How the next token is chosen from a model's logits.
///
/// The defaults are those of OpenAI's API, which change nothing about what the model says. Filters
/// apply in this order: penalties and biases, `topK`, `topP`, `minP`, temperature.
public struct SamplingParameters: Sendable, Equatable {
    /// What logits are divided by; 0 always takes the likeliest token.
    public var temperature: Double = 1

    /// The likeliest tokens that together have this probability are kept; 1 keeps all (nucleus
    /// sampling: Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020).
    public var topP: Double = 1

    /// So many of the likeliest tokens are kept; 0 keeps all.
    public var topK = 0

    /// Tokens at least this part as likely as the likeliest are kept; 0 keeps all.
    public var minP: Double = 0

    /// Taken off a token's logit for each time that it occurred.
    public var frequencyPenalty: Double = 0

    /// Taken off a token's logit once if it occurred.
    public var presencePenalty: Double = 0

    /// What a positive logit of a token that occurred is divided by, and a negative one multiplied
    /// with; 1 does nothing.
    public var repetitionPenalty: Double = 1

    /// Over how many of the last tokens the penalties look; -1 for the whole sequence.
    public var penaltyWindow = 64

    /// Makes the choice repeatable; `nil` draws a seed.
    public var seed: UInt64?

    /// Added to the logits of single tokens.
    public var logitBias: [TokenID: Float] = [:]

    /// With each token, its log-probability and those of so many of the likeliest; `nil` for none.
    public var logprobs: Int?

    /// A grammar in GBNF that the text must follow; `nil` for any text.
    public var grammar: String?

    /// The defaults.
    public init() {}

    /// Whether the same prompt always gives the same text.
    public var isDeterministic: Bool { temperature == 0 || topK == 1 }
}
