internal import CLlama

/// How the next token is chosen from a model's scores.
///
/// Steps run in llama.cpp's order: biases, penalties, DRY, top n sigma, top k, typical, top p,
/// min p, XTC, temperature.
public struct LlamaSamplerOptions: Sendable, Equatable {
    /// What scores are divided by; 0 always takes the likeliest token.
    public var temperature: Float = 1

    /// So many of the likeliest tokens are kept; 0 keeps all.
    public var topK = 0

    /// The likeliest tokens that together have this probability are kept; 1 keeps all.
    public var topP: Float = 1

    /// Tokens at least this part as likely as the likeliest are kept; 0 keeps all.
    public var minP: Float = 0

    /// The tokens that surprise as much as is to be expected, of this probability together, are
    /// kept (Meister et al., "Locally Typical Sampling", 2022); 1 keeps all.
    public var typicalP: Float = 1

    /// Tokens within so many standard deviations of the best score are kept; 0 keeps all.
    public var topNSigma: Float = 0

    /// How often the likeliest of several likely tokens are left out; 0 for never.
    public var xtcProbability: Float = 0

    /// How likely these have to be.
    public var xtcThreshold: Float = 0.1

    /// What chance starts from.
    public var seed: UInt32 = 0

    /// Over how many of the last tokens penalties look; 0 for none.
    public var penaltyWindow = 64

    /// What a positive score of a token that occurred is divided by; 1 does nothing.
    public var repeatPenalty: Float = 1

    /// Taken off a token's score for each time that it occurred.
    public var frequencyPenalty: Float = 0

    /// Taken off a token's score once if it occurred.
    public var presencePenalty: Float = 0

    /// How strongly tokens are held back that would go on with a repetition; 0 for not at all.
    public var dryMultiplier: Float = 0

    /// How much more strongly for each further token that repeats.
    public var dryBase: Float = 1.75

    /// Repetitions so long are let be.
    public var dryAllowedLength = 2

    /// Over how many of the last tokens it looks.
    public var dryWindow = 1024

    /// Added to the scores of single tokens; negative infinity forbids one.
    public var biases: [Int32: Float] = [:]

    /// A grammar in GBNF that the text must follow; `nil` for any text, or that of a chat.
    public var grammar: String?

    /// Chance over all tokens.
    public init() {}

    func withParameters<Result>(
        _ defaults: martlet_llama_sampler_parameters,
        _ body: (inout martlet_llama_sampler_parameters) throws -> Result
    ) rethrows -> Result {
        let texts = LlamaTexts()
        defer { withExtendedLifetime(texts) {} }
        var parameters = parameters(defaults)
        parameters.grammar = texts.text(grammar)
        // In the order of tokens, so that nothing depends on a dictionary's.
        let biases = biases.sorted { $0.key < $1.key }.map {
            martlet_llama_bias(token: $0.key, bias: $0.value)
        }
        return try biases.withUnsafeBufferPointer { biases in
            parameters.biases = biases.baseAddress
            parameters.bias_count = biases.count
            return try body(&parameters)
        }
    }

    private func parameters(
        _ defaults: martlet_llama_sampler_parameters
    ) -> martlet_llama_sampler_parameters {
        var parameters = defaults
        parameters.temperature = temperature
        parameters.top_k = Int32(clamping: topK)
        parameters.top_p = topP
        parameters.min_p = minP
        parameters.typical_p = typicalP
        parameters.top_n_sigma = topNSigma
        parameters.xtc_probability = xtcProbability
        parameters.xtc_threshold = xtcThreshold
        parameters.seed = seed
        parameters.penalty_window = Int32(clamping: penaltyWindow)
        parameters.repeat_penalty = repeatPenalty
        parameters.frequency_penalty = frequencyPenalty
        parameters.presence_penalty = presencePenalty
        parameters.dry_multiplier = dryMultiplier
        parameters.dry_base = dryBase
        parameters.dry_allowed_length = Int32(clamping: dryAllowedLength)
        parameters.dry_window = Int32(clamping: dryWindow)
        return parameters
    }
}
