import MartletCore
import MartletTensors

/// How a request wants tokens to be drawn; `nil` leaves the choice to the model's defaults.
struct SamplingOptions: Sendable, Equatable {
    /// What is added to the logit of one token before sampling.
    struct LogitBias: Sendable, Equatable {
        /// The token's number; whether the vocabulary has it is for the engine to check.
        let token: Int32

        /// From -100, which forbids it, to 100, which leaves no other.
        let bias: Float
    }

    /// 0 for the most likely token always, up to 2.
    var temperature: Double?

    /// Probability mass the candidates must reach, from 0 to 1 (nucleus sampling).
    var topP: Double?

    /// Number of candidates; 0 for all.
    var topK: Int?

    /// Least probability of a candidate, relative to that of the most likely one.
    var minP: Double?

    /// Taken off a token's logit for each time it occurred, from -2 to 2.
    var frequencyPenalty: Double?

    /// Taken off a token's logit once it occurred, from -2 to 2.
    var presencePenalty: Double?

    /// Divides the logits of tokens that occurred; 1 for no effect.
    var repeatPenalty: Double?

    /// Over how many of the last tokens the penalties look; -1 for all.
    var penaltyWindow: Int?

    /// The seed; `nil` for one that differs each time.
    var seed: UInt64?

    /// Biases in the order of their tokens, each token once.
    var logitBiases: [LogitBias] = []

    /// The model's defaults.
    init() {}

    /// Reads the members of a request.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the field, its value and its range.
    init(_ fields: RequestFields, bounds: OpenAILimits) throws {
        temperature = try fields.number("temperature", in: 0...2)
        topP = try fields.number("top_p", in: 0...1)
        // vLLM's clients switch it off by -1, llama.cpp's by 0.
        topK = try fields.whole("top_k", in: -1...Int64(Int32.max)).map { Int(max(0, $0)) }
        minP = try fields.number("min_p", in: 0...1)
        frequencyPenalty = try fields.number("frequency_penalty", in: -2...2)
        presencePenalty = try fields.number("presence_penalty", in: -2...2)
        // The same penalty under llama.cpp's name and under that of Hugging Face and vLLM.
        repeatPenalty =
            try fields.number("repeat_penalty", in: 0.01...10)
            ?? fields.number("repetition_penalty", in: 0.01...10)
        penaltyWindow = try fields.whole(
            "repeat_last_n", in: -1...Int64(bounds.penaltyWindow)
        ).map(Int.init)
        seed = try SamplingOptions.seed(fields)
        logitBiases = try SamplingOptions.logitBiases(fields, bounds: bounds)
    }

    /// Clients of llama.cpp ask by -1 for a seed that differs each time.
    private static func seed(_ fields: RequestFields) throws -> UInt64? {
        guard let seed = try fields.whole("seed", in: Int64.min...Int64.max), seed != -1 else {
            return nil
        }
        return UInt64(bitPattern: seed)
    }

    private static func logitBiases(
        _ fields: RequestFields, bounds: OpenAILimits
    ) throws -> [LogitBias] {
        guard let value = try fields.value("logit_bias") else { return [] }
        guard case .object(let members) = value else {
            throw RequestFields.wrong(
                fields.path(of: "logit_bias"), value, .wrongType,
                "an object from numbers of tokens to biases")
        }
        let path = fields.path(of: "logit_bias")
        try RequestFields.check(members.count, of: path, countMaximum: bounds.logitBiases)
        var seen: Set<Int32> = []
        return try members.map { member in
            guard let token = Int32(member.name), token >= 0, seen.insert(token).inserted else {
                throw ServingError.invalidField(
                    path, .wrongValue,
                    "'\(path)' names '\(member.name.prefix(64))'; its names must be numbers of "
                        + "tokens, each once")
            }
            guard let bias = member.value.double, (-100...100).contains(bias) else {
                throw RequestFields.wrong(
                    "\(path).\(token)", member.value,
                    member.value.double == nil ? .wrongType : .wrongValue,
                    "a number from -100 to 100")
            }
            return LogitBias(token: token, bias: Float(bias))
        }.sorted { $0.token < $1.token }
    }
}
