import MartletCore

/// A request for legacy completions (`POST /v1/completions`).
struct CompletionRequest: Sendable, Equatable {
    /// What OpenAI generates when a legacy request does not say how much.
    static let outputTokensDefault = 16

    /// What it has in common with chat completions; `outputTokensMaximum` is never `nil`.
    ///
    /// It may be 0, for a request that only echoes its prompt.
    var options: GenerationOptions

    /// The prompts, at least one; choice `index` answers prompt `index / options.choices`.
    var prompts: [TextInput]

    /// Whether the answer begins with the prompt.
    var echoes: Bool

    /// Alternatives to give with each token's log probability; `nil` for no log probabilities.
    var logprobs: Int?

    /// Decodes a request.
    ///
    /// - Parameters:
    ///   - bytes: the body.
    ///   - limits: bounds on JSON.
    ///   - bounds: bounds of this API.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names field, value and remedy.
    init(decoding bytes: [UInt8], limits: Limits, bounds: OpenAILimits = OpenAILimits()) throws {
        let fields = try RequestFields(parsing: bytes, limits: limits)
        echoes = try fields.flag("echo") ?? false
        options = try GenerationOptions(
            fields, bounds: bounds, outputTokensLeast: echoes ? 0 : 1)
        options.outputTokensMaximum =
            options.outputTokensMaximum ?? CompletionRequest.outputTokensDefault
        prompts = try TextInput.list(
            "prompt", in: fields, countMaximum: bounds.prompts, bounds: bounds)
        logprobs = try fields.whole("logprobs", in: 0...Int64(max(0, bounds.topLogprobs)))
            .map(Int.init)
        try checkCounts(bounds)
        try refuseUnsupported(fields)
    }

    private func checkCounts(_ bounds: OpenAILimits) throws {
        guard prompts.count * options.choices <= bounds.choices else {
            throw ServingError.invalidField(
                "n", .wrongValue,
                "\(prompts.count) prompts with 'n' \(options.choices) ask for "
                    + "\(prompts.count * options.choices) answers; at most \(bounds.choices) are "
                    + "given, so send fewer prompts at once")
        }
    }

    private func refuseUnsupported(_ fields: RequestFields) throws {
        if let suffix = try fields.text("suffix"), !suffix.isEmpty {
            throw ServingError.invalidField(
                "suffix", .unsupported, "'suffix' is not supported; leave it out")
        }
        let best = try fields.whole("best_of", in: 1...Int64(Int32.max))
        if let best, best != Int64(options.choices) {
            throw ServingError.invalidField(
                "best_of", .unsupported,
                "'best_of' is \(best) and 'n' is \(options.choices); other than 'n' is not "
                    + "supported, so leave it out")
        }
        if echoes, logprobs != nil {
            throw ServingError.invalidField(
                "logprobs", .unsupported,
                "'logprobs' of an echoed prompt is not supported; leave out 'echo' or 'logprobs'")
        }
    }
}
