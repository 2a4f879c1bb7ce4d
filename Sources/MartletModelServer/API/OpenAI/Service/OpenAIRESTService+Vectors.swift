internal import Foundation
import MartletCore
import MartletEngines
import MartletTransport

/// Requests to models that make vectors of texts.
extension OpenAIRESTService {
    func embed(
        _ request: HTTPRequest, _ subject: inout RequestSubject
    ) throws -> Answer<HTTPResponse> {
        let wanted = try EmbeddingRequest(decoding: request.body, limits: limits, bounds: bounds)
        let planner = try planner(of: wanted.model, request, &subject, generates: false)
        let model = planner.target.model
        guard model.description.embeds else {
            throw ServingError.unsuitableModel(wanted.model, "makes no embeddings")
        }
        let size = model.description.embeddingSize
        if let dimensions = wanted.dimensions, dimensions > size {
            throw ServingError.invalidField(
                "dimensions", .wrongValue,
                "'dimensions' is \(dimensions); the model's embeddings have \(size)")
        }
        let prompts = try wanted.inputs.enumerated().map { index, input in
            let param = wanted.inputs.count == 1 ? "input" : "input[\(index)]"
            return try planner.tokens(of: input).fitting(model, param: param)
        }
        return vectors(of: prompts, by: planner.target, request.context) { vectors in
            .json(
                EmbeddingAnswer.encode(
                    vectors.map { $0.prefix(wanted.dimensions ?? size).normalized },
                    as: wanted.encoding, model: wanted.model,
                    promptTokens: prompts.reduce(0) { $0 + $1.count }))
        }
    }

    func rank(
        _ request: HTTPRequest, _ subject: inout RequestSubject
    ) throws -> Answer<HTTPResponse> {
        let wanted = try RerankRequest(decoding: request.body, limits: limits, bounds: bounds)
        let target = try targets.target(of: wanted.model, &subject)
        let model = target.model
        guard model.description.ranks else {
            throw ServingError.unsuitableModel(wanted.model, "ranks no documents")
        }
        let prompts = try wanted.documents.enumerated().map { index, document in
            try model.rankingPrompt(query: wanted.query, document: document)
                .fitting(model, param: "documents[\(index)]", besides: " with the query")
        }
        var random = SystemRandomNumberGenerator()
        let identity = AnswerIdentity(
            .rerank, created: Int(Date().timeIntervalSince1970), model: wanted.model,
            using: &random)
        return vectors(of: prompts, by: target, request.context) { vectors in
            .json(
                RerankAnswer.encode(
                    identity, request: wanted, scores: vectors.map { $0.first ?? .nan },
                    promptTokens: prompts.reduce(0) { $0 + $1.count }))
        }
    }

    /// An answer of vectors, for which no thread waits.
    private func vectors(
        of prompts: [[TokenID]], by target: GenerationTarget, _ context: RequestContext,
        encode: @escaping @Sendable ([[Float]]) -> HTTPResponse
    ) -> Answer<HTTPResponse> {
        .later { completion in
            target.model.embed(
                prompts, checking: { try context.checkStillWanted() },
                completion: { result in
                    // The version is not unloaded before.
                    withExtendedLifetime(target.lease) { completion(result.map(encode)) }
                })
        }
    }
}

extension [TokenID] {
    /// The tokens, if they are the model's, and as many as it reads at once.
    ///
    /// - Parameters:
    ///   - model: which model.
    ///   - param: the field that brought the text.
    ///   - more: what else its tokens are counted of.
    /// - Returns: the tokens.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) that names the field.
    fileprivate func fitting(
        _ model: any GenerativeModel, param: String, besides more: String = ""
    ) throws -> [TokenID] {
        guard !isEmpty else {
            throw ServingError.invalidField(
                param, .wrongValue, "'\(param)' has no tokens; give at least one character")
        }
        let most = model.description.contextTokensMax
        guard count <= most else {
            throw ServingError(
                .invalidArgument,
                "'\(param)' has \(count) tokens\(more), but the model reads \(most) at once; "
                    + "shorten it",
                cause: OpenAIErrorDetail(param: param, code: "context_length_exceeded"))
        }
        let vocabulary = model.description.vocabularySize
        if let wrong = first(where: { $0 < 0 || Int($0) >= vocabulary }) {
            throw ServingError.invalidField(
                param, .wrongValue,
                "'\(param)' has token \(wrong); the model's tokens are 0 to \(vocabulary - 1)")
        }
        return self
    }
}

extension Sequence<Float> {
    /// The same direction with length 1, as OpenAI's embeddings have; nothing stays nothing.
    fileprivate var normalized: [Float] {
        let length = reduce(into: Double(0)) { $0 += Double($1) * Double($1) }.squareRoot()
        guard length > 0, length.isFinite else { return Array(self) }
        return map { Float(Double($0) / length) }
    }
}
