import MartletCore

/// Makes vectors of texts, or numbers that say how well a document answers a query.
///
/// One batch is computed at a time: an encoder sees all tokens of a text at once. Texts of several
/// requests share batches; see ``VectorQueue`` for whose turn it is.
final class LlamaEmbedder: Sendable {
    private let model: LlamaModel
    private let template: LlamaRerankPrompt?
    private let batcher: VectorBatcher

    /// What the context has.
    let limits: LlamaContextLimits

    /// Texts that are computed together.
    private static let sequencesMax = 32

    /// Whether a model is made for that: an encoder, or one whose file says how its vectors are
    /// pooled.
    static func isMeant(for model: LlamaModel) -> Bool {
        !model.info.hasDecoder || pools(model)
    }

    /// Whether a model's file says how vectors of tokens become one of a text.
    private static func pools(_ model: LlamaModel) -> Bool {
        let architecture = model.metadata("general.architecture") ?? ""
        let pooling = model.metadata("\(architecture).pooling_type").flatMap { Int($0) }
        return (pooling ?? 0) > 0
    }

    /// Takes the memory.
    ///
    /// - Throws: `ServingError` if it is not to be had.
    init(model: LlamaModel, contextTokens: Int, threads: Int) throws {
        var options = LlamaContextOptions()
        let tokens = max(1, min(contextTokens, max(1, model.info.trainingContext)))
        options.sequences = min(LlamaEmbedder.sequencesMax, tokens)
        options.batch = max(tokens, options.sequences)
        options.microBatch = options.batch
        options.cells = options.batch
        options.threads = threads
        options.batchThreads = threads
        options.givesEmbeddings = true
        // Clients ask for one vector a text; the mean is what most encoders are trained for.
        options.pooling = LlamaEmbedder.pools(model) ? nil : .mean
        let context = try LlamaContext(model: model, options: options)
        self.model = model
        template = context.limits.pooling == .rank ? try LlamaRerankPrompt(of: model) : nil
        limits = context.limits
        let limits = limits
        batcher = VectorBatcher(
            bounds: .init(sequences: limits.sequences, tokens: limits.microBatch)
        ) { prompts in
            try LlamaEmbedder.compute(prompts, in: context, limits)
        }
    }

    /// What it is busy with, each text counted as a sequence.
    var load: GenerationLoad { batcher.load }

    /// Has one vector made for each prompt, or one number where the model ranks.
    ///
    /// - Parameters:
    ///   - prompts: the tokens of each.
    ///   - check: asked before each batch, and from time to time; ends the work by an error.
    ///   - completion: takes the vectors in the order of the prompts, or a `ServingError`:
    ///     `INVALID_ARGUMENT` for a prompt that is too long or empty, or has a token that the model
    ///     has not; `RESOURCE_EXHAUSTED` where too many wait; what `check` throws.
    func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping @Sendable (Result<[[Float]], any Error>) -> Void
    ) {
        do {
            for prompt in prompts { try self.check(prompt) }
        } catch {
            return completion(.failure(error))
        }
        batcher.submit(prompts, checking: check, completion: completion)
    }

    /// What the model reads to say how well a document answers a query.
    ///
    /// - Throws: `ServingError`; `UNIMPLEMENTED` for a model that ranks nothing.
    func rankingPrompt(query: String, document: String) throws -> [TokenID] {
        guard limits.pooling == .rank else {
            throw ServingError(.unimplemented, "The model makes embeddings; it ranks nothing")
        }
        guard let template else { return try pair(query, document) }
        return try template.tokens(query: query, document: document) { text in
            try model.tokenize(text, addsSpecial: false, readsSpecial: false)
        }
    }

    /// What cross-encoders read: the query and the document, each with its end.
    private func pair(_ query: String, _ document: String) throws -> [TokenID] {
        let special = model.info.tokens
        var tokens: [TokenID] = []
        if let beginning = special.beginning, special.addsBeginning { tokens.append(beginning) }
        tokens += try model.tokenize(query, addsSpecial: false, readsSpecial: false)
        if let end = special.end, special.addsEnd { tokens.append(end) }
        if let separator = special.separator ?? special.end { tokens.append(separator) }
        tokens += try model.tokenize(document, addsSpecial: false, readsSpecial: false)
        if let end = special.separator ?? special.end { tokens.append(end) }
        return tokens
    }

    private func check(_ prompt: [TokenID]) throws {
        guard !prompt.isEmpty else { throw ServingError.invalidArgument("A text has no tokens") }
        guard prompt.count <= limits.microBatch else {
            throw ServingError.invalidArgument(
                "A text has \(prompt.count) tokens; the model takes \(limits.microBatch)")
        }
        // The engine would refuse the whole group, and with it the texts of others.
        let vocabulary = model.info.vocabularySize
        if let wrong = prompt.first(where: { $0 < 0 || Int($0) >= vocabulary }) {
            throw ServingError.invalidArgument(
                "A text has token \(wrong); the model's tokens are 0 to \(vocabulary - 1)")
        }
    }

    private static func compute(
        _ prompts: [[TokenID]], in context: LlamaContext, _ limits: LlamaContextLimits
    ) throws -> [[Float]] {
        var batch = LlamaBatch(capacity: limits.batch)
        for (sequence, prompt) in prompts.enumerated() {
            for (position, token) in prompt.enumerated() {
                batch.append(
                    token, position: Int32(position), sequence: Int32(sequence),
                    wantsOutput: true)
            }
        }
        context.removeAllCells()
        guard case .computed = try context.decode(batch) else {
            throw ServingError(.internal, "llama.cpp computed no embeddings")
        }
        return try prompts.indices.map { index in
            guard let vector = context.embedding(ofSequence: Int32(index)) else {
                throw ServingError(.internal, "llama.cpp gave no embedding of a text")
            }
            return vector
        }
    }
}
