internal import Foundation
import MartletCore
import MartletTensors
internal import Synchronization

/// A GGUF model that is loaded and generates, embeds or ranks.
///
/// It is a ``Servable`` without signatures, so that it has the life of any other version.
final class LlamaServable: Servable, LlamaTokenizing {
    let id: ServableID
    let description: GenerativeModelDescription
    let memoryBytes: Int
    let signatures: [String: Signature] = [:]

    /// A draft model that is loaded.
    struct Draft: Sendable {
        let model: LlamaModel
        let files: DraftModelFiles
    }

    private struct Parts {
        let model: LlamaModel
        let loop: LlamaLoop?
        let embedder: LlamaEmbedder?
    }

    /// Gone once it is unloaded, and the memory with it.
    private let parts: Mutex<Parts?>

    /// Takes the memory, tries how many threads are best, and begins to generate.
    ///
    /// - Parameters:
    ///   - id: which version it is.
    ///   - model: its weights.
    ///   - adapters: its LoRA adapters, by name.
    ///   - layout: how its sequences lie in memory.
    ///   - options: what the operator wants.
    ///   - embeds: whether its file says that it makes vectors of texts; that it does not is no
    ///     proof that it can generate.
    ///   - fileBytes: bytes of its files.
    ///   - draft: guesses for it; `nil` without one.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a draft model that does not suit the model;
    ///   others, as when the memory is not to be had.
    init(
        id: ServableID, model: LlamaModel, adapters: [String: LlamaAdapter], layout: LlamaLayout,
        options: LlamaEngine.Options, embeds: Bool = false, fileBytes: Int, draft: Draft? = nil
    ) throws {
        // Such a model's first text goes to the encoder; without it the engine ends the process.
        guard !(model.info.hasEncoder && model.info.hasDecoder) else {
            throw ServingError(
                .unimplemented,
                "Model \(id) has an encoder and a decoder (\(model.info.summary)); the engine "
                    + "generates with decoders alone, and embeds with encoders alone")
        }
        self.id = id
        let threads = max(1, options.threads ?? ProcessInfo.processInfo.activeProcessorCount)
        let context: LlamaContext? =
            embeds || LlamaEmbedder.isMeant(for: model)
            ? nil
            : try LlamaServable.generatingContext(model, layout, options, threads: threads)
        let bytes: Int
        var described: GenerativeModelDescription
        if let context {
            let drafter = try draft.map {
                try LlamaDrafter($0, guessesFor: model, layout, options, threads: threads)
            }
            let settings = LlamaLoop.settings(layout, options, context)
            let loop = try LlamaLoop(
                context: context, drafter: drafter, adapters: adapters, settings: settings,
                threads: threads, name: id.model)
            bytes = context.limits.byteCount + (drafter?.context.limits.byteCount ?? 0)
            parts = Mutex(Parts(model: model, loop: loop, embedder: nil))
            described = GenerativeModelDescription(
                model, contextTokens: settings.contextTokensMax, embeds: false, ranks: false,
                adapters: adapters.keys.sorted())
        } else {
            let embedder = try LlamaEmbedder(
                model: model, contextTokens: layout.contextTokens, threads: threads)
            bytes = embedder.limits.byteCount
            parts = Mutex(Parts(model: model, loop: nil, embedder: embedder))
            // None is applied to vectors: a name that does nothing would mislead.
            described = GenerativeModelDescription(
                model, contextTokens: embedder.limits.microBatch, embeds: true,
                ranks: embedder.limits.pooling == .rank, adapters: [])
        }
        memoryBytes = max(bytes, fileBytes)
        described.sequencesMax = max(1, options.waitingMax)
        described.queuedTokensMax = SchedulerSettings.usualWaitingTokensMax
        description = described
    }

    /// The memory of a model that generates; `nil` for one that turns out to keep none of the
    /// tokens before, so that it cannot go on with a text.
    private static func generatingContext(
        _ model: LlamaModel, _ layout: LlamaLayout, _ options: LlamaEngine.Options, threads: Int
    ) throws -> LlamaContext? {
        let context = try LlamaContext(
            model: model, options: layout.context(options, threads: threads, embeds: false))
        return context.limits.memoryBytes > 0 ? context : nil
    }

    private func live() throws -> Parts {
        guard let parts = parts.withLock({ $0 }) else {
            throw ServingError(.unavailable, "Model \(id) is being unloaded")
        }
        return parts
    }

    // MARK: As any servable

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        throw ServingError(
            .unimplemented,
            "Model \(id) is a language model; use /v1/chat/completions, /v1/completions or "
                + "/v1/embeddings")
    }

    func unload() {
        let last = parts.withLock { parts in
            defer { parts = nil }
            return parts
        }
        last?.loop?.end()
    }

    // MARK: Text

    func vocabulary() throws -> LlamaModel { try live().model }

    /// Chats are for those that generate.
    func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        try LlamaChat(model: generating().model, chat)
    }

    // MARK: Generating

    var load: GenerationLoad {
        let parts = parts.withLock { $0 }
        return parts?.loop?.load ?? parts?.embedder?.load ?? GenerationLoad()
    }

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        do {
            let (model, loop) = try generating()
            return try loop.submit(request, of: model, onEvent: onEvent)
        } catch let refusal as GenerationRefusal {
            throw refusal
        } catch {
            throw GenerationRefusal(
                error as? ServingError ?? ServingError(.internal, "\(error)", cause: error))
        }
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {
        parts.withLock { $0?.loop }?.cancel(id, reason: reason)
    }

    private func generating() throws -> (model: LlamaModel, loop: LlamaLoop) {
        let parts = try live()
        guard let loop = parts.loop else {
            throw ServingError(
                .unimplemented, "Model \(id) makes embeddings; it does not generate text")
        }
        return (parts.model, loop)
    }

    // MARK: Embedding

    func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping @Sendable (Result<[[Float]], any Error>) -> Void
    ) {
        do {
            try embedding().embed(prompts, checking: check, completion: completion)
        } catch {
            completion(.failure(error))
        }
    }

    func rankingPrompt(query: String, document: String) throws -> [TokenID] {
        try embedding().rankingPrompt(query: query, document: document)
    }

    private func embedding() throws -> LlamaEmbedder {
        guard let embedder = try live().embedder else {
            throw ServingError(
                .unimplemented,
                "Model \(id) generates text; it makes no embeddings and ranks nothing")
        }
        return embedder
    }
}

extension LlamaContextLimits {
    /// Bytes of all that the context needs, weights included.
    var byteCount: Int { Int(clamping: modelBytes &+ memoryBytes &+ computeBytes) }
}

extension GenerativeModelDescription {
    /// What the engine says of a model.
    init(
        _ model: LlamaModel, contextTokens: Int, embeds: Bool, ranks: Bool, adapters: [String]
    ) {
        let info = model.info
        func text(_ token: Int32?) -> String {
            let bytes = token.map { model.bytes(of: $0, showsSpecial: true) } ?? []
            return String(decoding: bytes, as: UTF8.self)
        }
        self.init(
            contextTokensMax: contextTokens, vocabularySize: info.vocabularySize,
            embeddingSize: info.embeddingSize, parameterCount: Int(clamping: info.parameterCount),
            summary: info.summary, chatTemplate: model.chatTemplate,
            templateTakesTools: model.chatAbilities.contains(.tools),
            beginningText: text(info.tokens.beginning), endText: text(info.tokens.end),
            generates: !embeds, embeds: embeds && !ranks, ranks: ranks, adapters: adapters)
    }
}
