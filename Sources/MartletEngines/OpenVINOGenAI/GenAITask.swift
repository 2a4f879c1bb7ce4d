import MartletCore

/// What the loop knows of a request beyond what the scheduler does.
struct GenAITask: Sendable {
    let onEvent: @Sendable (GenerationEvent) -> Void

    /// Whether the log-probabilities of its tokens are told.
    let tellsLogprobs: Bool

    /// Special tokens whose names are in the text.
    let shownTokens: Set<TokenID>

    /// Checks what a request asks for.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for numbers out of range, and for what the
    ///   engine does not do.
    init(
        _ request: GenerationRequest, vocabulary: Int,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(ServingError) {
        let sampling = request.sampling
        try SamplingLimits().check(sampling, vocabulary: vocabulary)
        let chat = request.chat as? LlamaChat
        if let adapter = request.adapter {
            throw ServingError.notFound("The model has no adapter '\(adapter.prefix(64))'")
        }
        if sampling.grammar != nil {
            throw GenAITask.unsupported("a grammar")
        }
        // One that holds from a call of a tool on is not needed: what is no call is shown as text.
        if let chat, chat.grammar != nil, !chat.hasLazyGrammar {
            throw GenAITask.unsupported(
                "'response_format' with a JSON form, or a 'tool_choice' that requires a call")
        }
        if !sampling.logitBias.isEmpty { throw GenAITask.unsupported("'logit_bias'") }
        if let count = sampling.logprobs, count > 0 {
            throw GenAITask.unsupported("'top_logprobs' above 0 ('logprobs' of a completion)")
        }
        if sampling.hasPenalties,
            ![-1, SamplingParameters().penaltyWindow].contains(
                sampling.penaltyWindow)
        {
            throw GenAITask.unsupported("'repeat_last_n' of \(sampling.penaltyWindow)")
        }
        self.onEvent = onEvent
        tellsLogprobs = sampling.logprobs != nil
        shownTokens = chat?.shownTokens ?? []
    }

    /// The error about what the engine does not do.
    static func unsupported(_ what: String) -> ServingError {
        .invalidArgument(
            "The engine of this model, openvino, does not know \(what); leave it out, or serve "
                + "the model with --engine llama")
    }
}
