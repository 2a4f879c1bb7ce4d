internal import Foundation
import MartletCore
import MartletEngines
import MartletTransport

/// All that is needed to answer a request for text: one sequence for each choice, and how they
/// become an answer.
struct GenerationPlan: Sendable {
    /// Which of OpenAI's two forms the answer has.
    enum Form: Sendable {
        case chat
        case completion
    }

    let target: GenerationTarget
    let form: Form
    let identity: AnswerIdentity
    let streams: Bool
    let includesUsage: Bool
    let wantsLogprobs: Bool
    /// What ends a choice, beside the model.
    let stop: StopAutomaton
    /// The chat whose answer it is; `nil` for a completion.
    var chat: (any RenderedChat)?
    /// One for each choice; those of one prompt stand together.
    var requests: [GenerationRequest] = []
    /// Whether what is generated is not told: an echo alone needs a token all the same.
    var isEchoOnly = false
    /// What stands before the text of each choice; empty unless the request asked for an echo.
    var echoes: [[UInt8]] = []
    /// Choices of each prompt.
    var choicesPerPrompt = 1
}

/// Makes plans of requests.
struct GenerationPlanner: Sendable {
    let target: GenerationTarget
    let context: RequestContext
    let standing: GenerationStanding

    /// The plan of a chat completion.
    ///
    /// - Throws: `ServingError`, as when the prompt is longer than the model's context.
    func plan(_ request: ChatRequest) throws -> GenerationPlan {
        let form = ToolCallForm(
            request, templateTakesTools: target.model.description.templateTakesTools)
        let chat = try target.model.render(form?.prompt(request) ?? ChatPrompt(request))
        let prompt = try target.model.tokenize(
            chat.prompt, addsBeginning: false, parsesSpecial: true)
        var plan = self.plan(
            .chat, request.options, stops: chat.stops, logprobs: request.logprobs != nil)
        plan.chat = form.map { ToolCallChat(rendered: chat, form: $0) } ?? chat
        var sequence = try sequence(
            prompt, request.options, logprobs: request.logprobs, param: "messages")
        sequence.chat = chat
        plan.requests = choices(of: sequence, request.options)
        plan.choicesPerPrompt = request.options.choices
        return plan
    }

    /// The plan of a legacy completion.
    ///
    /// - Throws: `ServingError`, as when a prompt is longer than the model's context.
    func plan(_ request: CompletionRequest) throws -> GenerationPlan {
        var plan = self.plan(
            .completion, request.options, stops: [], logprobs: request.logprobs != nil)
        plan.choicesPerPrompt = request.options.choices
        plan.isEchoOnly = request.options.outputTokensMaximum == 0
        for (index, input) in request.prompts.enumerated() {
            let tokens = try self.tokens(of: input)
            let param = request.prompts.count == 1 ? "prompt" : "prompt[\(index)]"
            let sequence = try sequence(
                tokens, request.options, logprobs: request.logprobs, param: param)
            plan.requests += choices(of: sequence, request.options)
            let echo = request.echoes ? try text(of: input) : []
            plan.echoes += Array(repeating: echo, count: request.options.choices)
        }
        return plan
    }

    // MARK: Prompts

    /// The tokens of a text that is a prompt as it stands, such as a client's own template.
    func tokens(of input: TextInput) throws -> [TokenID] {
        switch input {
        case .text(let text):
            try target.model.tokenize(text, addsBeginning: true, parsesSpecial: true)
        case .tokens(let tokens): tokens
        }
    }

    private func text(of input: TextInput) throws -> [UInt8] {
        switch input {
        case .text(let text): Array(text.utf8)
        case .tokens(let tokens): try target.model.detokenize(tokens, showsSpecial: true)
        }
    }

    // MARK: Sequences

    private func plan(
        _ form: GenerationPlan.Form, _ options: GenerationOptions, stops: [String], logprobs: Bool
    ) -> GenerationPlan {
        var random = SystemRandomNumberGenerator()
        let identity = AnswerIdentity(
            form == .chat ? .chat : .completion, created: Int(Date().timeIntervalSince1970),
            model: options.model, fingerprint: target.fingerprint, using: &random)
        return GenerationPlan(
            target: target, form: form, identity: identity, streams: options.streams,
            includesUsage: options.includesUsage, wantsLogprobs: logprobs,
            stop: StopAutomaton(options.stop + stops))
    }

    private func sequence(
        _ prompt: [TokenID], _ options: GenerationOptions, logprobs: Int?, param: String
    ) throws -> GenerationRequest {
        let most = target.model.description.contextTokensMax
        guard prompt.count < most else {
            throw ServingError.contextLengthExceeded(
                promptTokens: prompt.count, outputTokens: nil, contextTokens: most, param: param)
        }
        guard !prompt.isEmpty else {
            throw ServingError.invalidField(
                param, .wrongValue, "'\(param)' has no tokens; give at least one character")
        }
        var request = GenerationRequest(prompt: prompt)
        request.newTokensMax = options.outputTokensMaximum.map { max(1, $0) }
        request.ignoresEndTokens = options.ignoresEndOfText
        request.sampling = SamplingParameters(options.sampling, logprobs: logprobs)
        request.tenant = standing.tenant
        request.cacheScope = options.cacheSalt.map(standing.cacheScope(of:))
        request.priority = standing.priority
        request.deadline = context.deadline
        request.adapter = target.adapter
        return request
    }

    /// Each choice has a seed of its own, or all would be the same.
    private func choices(
        of sequence: GenerationRequest, _ options: GenerationOptions
    ) -> [GenerationRequest] {
        (0..<max(1, options.choices)).map { index in
            var choice = sequence
            choice.sampling.seed = sequence.sampling.seed.map { $0 &+ UInt64(index) }
            return choice
        }
    }
}

/// Whose request it is, and which it goes before.
struct GenerationStanding: Sendable, Equatable {
    var tenant = ""
    var priority = GenerationPriority.normal

    init() {}

    init(_ standing: TaskStanding) {
        tenant = standing.tenant
        priority =
            switch standing.priority {
            case .high: .high
            case .normal: .normal
            case .low: .low
            }
    }

    /// Whom a salt divides from all others: those of the same tenant, and of it alone.
    func cacheScope(of salt: String) -> String { "\(tenant.utf8.count):\(tenant):\(salt)" }
}

extension SamplingParameters {
    /// What a request asked for, and OpenAI's defaults for the rest.
    init(_ options: SamplingOptions, logprobs: Int?) {
        self.init()
        temperature = options.temperature ?? temperature
        topP = options.topP ?? topP
        topK = options.topK ?? topK
        minP = options.minP ?? minP
        frequencyPenalty = options.frequencyPenalty ?? frequencyPenalty
        presencePenalty = options.presencePenalty ?? presencePenalty
        repetitionPenalty = options.repeatPenalty ?? repetitionPenalty
        penaltyWindow = options.penaltyWindow ?? penaltyWindow
        seed = options.seed
        logitBias = Dictionary(
            options.logitBiases.map { ($0.token, $0.bias) }, uniquingKeysWith: { $1 })
        self.logprobs = logprobs
    }
}
