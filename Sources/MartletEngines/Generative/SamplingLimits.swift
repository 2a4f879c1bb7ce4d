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
        try Self.check("temperature", parameters.temperature, 0...temperatureMax)
        try Self.check("top_p", parameters.topP, 0...1)
        try Self.check("top_k", parameters.topK, 0...Int(Int32.max))
        try Self.check("min_p", parameters.minP, 0...1)
        let penalties = -penaltyMax...penaltyMax
        try Self.check("frequency_penalty", parameters.frequencyPenalty, penalties)
        try Self.check("presence_penalty", parameters.presencePenalty, penalties)
        try Self.check(
            "repetition_penalty", parameters.repetitionPenalty, 0.01...repetitionPenaltyMax)
        try Self.check("penalty_window", parameters.penaltyWindow, -1...penaltyWindowMax)
        if let logprobs = parameters.logprobs {
            try Self.check("top_logprobs", logprobs, 0...logprobsMax)
        }
        try Self.check("grammar's bytes", parameters.grammar?.utf8.count ?? 0, 0...grammarBytesMax)
        try check(parameters.logitBias, vocabulary: vocabulary)
    }

    private func check(_ biases: [TokenID: Float], vocabulary: Int) throws(ServingError) {
        try Self.check("logit_bias's entries", biases.count, 0...logitBiasesMax)
        for (token, bias) in biases {
            guard token >= 0, Int(token) < vocabulary else {
                throw .invalidArgument(
                    "logit_bias names token \(token); the model's tokens are 0 to "
                        + "\(vocabulary - 1)")
            }
            try Self.check("logit_bias of token \(token)", bias, -logitBiasMax...logitBiasMax)
        }
    }

    /// Not a number lies in no range.
    private static func check<Number: Comparable>(
        _ name: String, _ value: Number, _ bounds: ClosedRange<Number>
    ) throws(ServingError) {
        guard bounds.contains(value) else {
            throw .invalidArgument(
                "\(name) is \(value); it must be between \(bounds.lowerBound) and "
                    + "\(bounds.upperBound)")
        }
    }
}
