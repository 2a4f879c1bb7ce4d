import MartletCore

/// What the decode loop knows of a request beyond what the scheduler does.
struct LlamaTask: Sendable {
    let onEvent: @Sendable (GenerationEvent) -> Void

    /// Chooses tokens; `nil` where the likeliest is taken, whatever came before.
    let sampler: LlamaSampler?

    /// How many of the likeliest tokens are told with each; `nil` for none.
    let logprobs: Int?

    /// Special tokens whose names are in the text.
    let shownTokens: Set<TokenID>

    /// Log-probabilities of tokens that were chosen and not told yet.
    var untold: [TokenLogprobs] = []

    /// Makes what chooses the tokens of a request.
    ///
    /// - Parameters:
    ///   - request: what is asked for.
    ///   - model: whose tokens they are.
    ///   - contextTokens: most tokens of a sequence.
    ///   - onEvent: told what happens.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a grammar that is wrong, and numbers out of
    ///   range.
    init(
        _ request: GenerationRequest, of model: LlamaModel, contextTokens: Int,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws {
        let sampling = request.sampling
        try SamplingLimits().check(sampling, vocabulary: model.info.vocabularySize)
        let chat = request.chat as? LlamaChat
        self.onEvent = onEvent
        logprobs = sampling.logprobs
        shownTokens = chat?.shownTokens ?? []
        let hasGrammar = sampling.grammar != nil || chat?.grammar != nil
        guard !sampling.isPlain || hasGrammar || !sampling.isDeterministic else {
            sampler = nil
            return
        }
        let options = LlamaSamplerOptions(sampling, contextTokens: contextTokens)
        let sampler = try LlamaSampler(model: model, options: options, chat: chat)
        if sampling.hasPenalties {
            for token in request.prompt.suffix(options.penaltyWindow) {
                try sampler.accept(token, isGenerated: false)
            }
        }
        self.sampler = sampler
    }
}

extension SamplingParameters {
    /// Whether tokens that occurred are less likely.
    var hasPenalties: Bool {
        frequencyPenalty != 0 || presencePenalty != 0 || repetitionPenalty != 1
    }

    /// Whether scores are as the model gave them.
    fileprivate var isPlain: Bool { !hasPenalties && logitBias.isEmpty }
}

extension LlamaSamplerOptions {
    /// The library takes no wider window.
    private static let penaltyWindowMax = 1 << 20

    /// llama.cpp's form of what a client asked for.
    ///
    /// - Parameters:
    ///   - sampling: what it asked for.
    ///   - contextTokens: most tokens of a sequence: the window that holds all of it.
    init(_ sampling: SamplingParameters, contextTokens: Int) {
        self.init()
        temperature = Float(sampling.temperature)
        topK = sampling.topK
        topP = Float(sampling.topP)
        minP = Float(sampling.minP)
        let seed = sampling.seed ?? .random(in: 0...UInt64.max)
        self.seed = UInt32(truncatingIfNeeded: seed ^ (seed >> 32))
        penaltyWindow =
            sampling.penaltyWindow < 0
            ? min(max(1, contextTokens), Self.penaltyWindowMax) : sampling.penaltyWindow
        repeatPenalty = Float(sampling.repetitionPenalty)
        frequencyPenalty = Float(sampling.frequencyPenalty)
        presencePenalty = Float(sampling.presencePenalty)
        biases = sampling.logitBias
        grammar = sampling.grammar
    }
}
