public import MartletCore

/// The bounds of ``SamplingParameters``; the numbers are OpenAI's where it has any.
public struct SamplingLimits: Sendable, Equatable {
    /// Highest temperature.
    public var temperatureMax: Double = 2

    /// Largest size of a frequency or presence penalty.
    public var penaltyMax: Double = 2

    /// Highest repetition penalty.
    public var repetitionPenaltyMax: Double = 10

    /// Widest penalty window, in tokens.
    public var penaltyWindowMax = 131_072

    /// Most tokens with a bias.
    public var logitBiasesMax = 1024

    /// Largest size of a bias.
    public var logitBiasMax: Float = 100

    /// Most alternatives whose log-probability is told.
    public var logprobsMax = 20

    /// Longest grammar, in bytes.
    public var grammarBytesMax = 256 * 1024

    /// The defaults.
    public init() {}

    /// Checks what a client asked for.
    ///
    /// - Parameters:
    ///   - parameters: what it asked for.
    ///   - vocabulary: how many tokens the model has.
    /// - Throws: `ServingError`, `INVALID_ARGUMENT`, which names the field as OpenAI's API does,
    ///   its value and its bounds.
    public func check(
        _ parameters: SamplingParameters, vocabulary: Int
    ) throws(ServingError) {
        try Self.check("temperature", parameters.temperature, from: 0, to: temperatureMax)
        try Self.check("top_p", parameters.topP, from: 0, to: 1)
        try Self.check("top_k", parameters.topK, from: 0, to: Int(Int32.max))
        try Self.check("min_p", parameters.minP, from: 0, to: 1)
        try Self.check(
            "frequency_penalty", parameters.frequencyPenalty, from: -penaltyMax,
            to: penaltyMax)
        try Self.check(
            "presence_penalty", parameters.presencePenalty, from: -penaltyMax,
            to: penaltyMax)
        try Self.check(
            "repetition_penalty", parameters.repetitionPenalty, from: 0.01,
            to: repetitionPenaltyMax)
        try Self.check("penalty_window", parameters.penaltyWindow, from: -1, to: penaltyWindowMax)
        if let logprobs = parameters.logprobs {
            try Self.check("top_logprobs", logprobs, from: 0, to: logprobsMax)
        }
        try Self.check(
            "grammar's bytes", parameters.grammar?.utf8.count ?? 0, from: 0,
            to: grammarBytesMax)
        try check(parameters.logitBias, vocabulary: vocabulary)
    }

    private func check(_ biases: [TokenID: Float], vocabulary: Int) throws(ServingError) {
        try Self.check("logit_bias's entries", biases.count, from: 0, to: logitBiasesMax)
        for (token, bias) in biases {
            guard token >= 0, Int(token) < vocabulary else {
                throw .invalidArgument(
                    "logit_bias names token \(token); the model's tokens are 0 to "
                        + "\(vocabulary - 1)")
            }
            try Self.check(
                "logit_bias of token \(token)", bias, from: -logitBiasMax,
                to: logitBiasMax)
        }
    }

    /// What is not a number lies between none.
    private static func check<Number: Comparable>(
        _ name: String, _ value: Number, from lower: Number, to upper: Number
    ) throws(ServingError) {
        guard lower <= value, value <= upper else {
            throw .invalidArgument(
                "\(name) is \(value); it must be between \(lower) and \(upper)")
        }
    }
}
