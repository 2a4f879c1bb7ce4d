internal import Foundation
import MartletCore
import MartletEngines
import MartletTransport

/// OpenAI's API, and its common extensions, over the node's language models.
struct OpenAIRESTService: RESTService {
    let targets: GenerationTargets
    let metrics: GenerationMetrics
    let limits: Limits
    let bounds: OpenAILimits
    /// Says which priorities count.
    let admission: RequestAdmission
    private let readers = AnswerReader.Source()

    init(
        manager: ModelManager, metrics: GenerationMetrics, limits: Limits, bounds: OpenAILimits,
        admission: RequestAdmission
    ) {
        targets = GenerationTargets(manager: manager)
        self.metrics = metrics
        self.limits = limits
        self.bounds = bounds
        self.admission = admission
    }

    func operation(
        method: String, path: String
    ) throws -> Operation<HTTPRequest, HTTPResponse>? {
        var operation: Operation<HTTPRequest, HTTPResponse>
        do {
            guard let route = try OpenAIRoute(method: method, path: path) else { return nil }
            operation = Operation(name: route.operation, lane: .engine) { request, subject in
                try answer(route, request, &subject)
            }
            // Templates run as long as they like.
            operation.mayTakeLong = true
        } catch {
            // The path is of this API, so that its clients are to understand the answer.
            operation = Operation(name: "", lane: .control) { _, _ in throw error }
        }
        operation.failure = HTTPResponse.openAI
        return operation
    }

    private func answer(
        _ route: OpenAIRoute, _ request: HTTPRequest, _ subject: inout RequestSubject
    ) throws -> Answer<HTTPResponse> {
        switch route {
        case .chatCompletions:
            let chat = try ChatRequest(decoding: request.body, limits: limits, bounds: bounds)
            let planner = try planner(of: chat.options.model, request, &subject)
            return try generate(try planner.plan(chat), request)
        case .completions:
            let wanted = try CompletionRequest(
                decoding: request.body, limits: limits, bounds: bounds)
            let planner = try planner(of: wanted.options.model, request, &subject)
            return try generate(try planner.plan(wanted), request)
        case .embeddings: return try embed(request, &subject)
        case .rerank: return try rank(request, &subject)
        case .tokenize: return .ready(try tokenize(request, &subject))
        case .detokenize: return .ready(try detokenize(request, &subject))
        }
    }

    // MARK: Generating

    func planner(
        of model: String, _ request: HTTPRequest, _ subject: inout RequestSubject,
        generates: Bool = true
    ) throws -> GenerationPlanner {
        let target = try targets.target(of: model, &subject)
        guard !generates || target.model.description.generates else {
            throw ServingError.unsuitableModel(model, "generates no text")
        }
        var standing = GenerationStanding(subject.standing)
        if let priority = try admission.priority(in: request.headers) {
            standing.priority = GenerationStanding(TaskStanding(priority: priority)).priority
        }
        return GenerationPlanner(target: target, context: request.context, standing: standing)
    }

    private func generate(
        _ plan: GenerationPlan, _ request: HTTPRequest
    ) throws -> Answer<HTTPResponse> {
        try plan.checkRoom()
        let observer = metrics.observer(of: plan.target.model.id.model)
        let bytesMax = limits.streamBufferBytes
        return .later { completion in
            GenerationSession(
                plan, streamBytesMax: bytesMax, observer: observer, reader: readers.reader,
                completion: completion
            ).start(request.context.cancellation)
        }
    }

    // MARK: Tokens

    private func tokenize(
        _ request: HTTPRequest, _ subject: inout RequestSubject
    ) throws -> HTTPResponse {
        let wanted = try TokenizeRequest(decoding: request.body, limits: limits, bounds: bounds)
        let target = try targets.target(ofOptional: wanted.model, &subject)
        defer { withExtendedLifetime(target.lease) {} }
        let model = target.model
        let tokens: [TokenID]
        switch wanted.subject {
        case .text(let text):
            tokens = try model.tokenize(
                text, addsBeginning: wanted.addsSpecialTokens, parsesSpecial: true)
        case .conversation(let messages, let tools):
            var prompt = ChatPrompt(messages: messages, tools: tools)
            prompt.opensAnswer = wanted.addsGenerationPrompt
            let text = try model.render(prompt).prompt
            let beginning = model.description.beginningText
            let hasBeginning = !beginning.isEmpty && text.hasPrefix(beginning)
            tokens = try model.tokenize(
                text, addsBeginning: wanted.addsSpecialTokens && !hasBeginning,
                parsesSpecial: true)
        }
        let most = model.description.contextTokensMax
        guard wanted.includesPieces else {
            return .json(TokenizeAnswer.encode(tokens, contextTokens: most))
        }
        let pieces = try tokens.map { try model.detokenize([$0], showsSpecial: true) }
        return .json(TokenizeAnswer.encode(tokens, pieces: pieces, contextTokens: most))
    }

    private func detokenize(
        _ request: HTTPRequest, _ subject: inout RequestSubject
    ) throws -> HTTPResponse {
        let wanted = try DetokenizeRequest(decoding: request.body, limits: limits, bounds: bounds)
        let target = try targets.target(ofOptional: wanted.model, &subject)
        defer { withExtendedLifetime(target.lease) {} }
        let model = target.model
        return .json(
            TokenizeAnswer.encode(text: try model.detokenize(wanted.tokens, showsSpecial: true)))
    }
}

extension HTTPResponse {
    /// An error in the form of OpenAI's API.
    static func openAI(_ error: ServingError) -> HTTPResponse {
        let answer = OpenAIErrorAnswer(error)
        var response = HTTPResponse(
            status: answer.status, contentType: "application/json", body: answer.body)
        if let seconds = answer.retryAfterSeconds {
            response.headers.add("retry-after", String(seconds))
        }
        return response
    }
}
