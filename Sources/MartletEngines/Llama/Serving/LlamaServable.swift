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
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for a draft model that does not suit the model;
    ///   others, as when the memory is not to be had.
    init(
        id: ServableID, model: LlamaModel, adapters: [String: LlamaAdapter], layout: LlamaLayout,
        options: LlamaEngine.Options, fileBytes: Int, draft: Draft? = nil
    ) throws {
        self.id = id
        let threads = max(1, options.threads ?? ProcessInfo.processInfo.activeProcessorCount)
        let embeds = LlamaEmbedder.isMeant(for: model)
        var bytes = 0
        var contextTokens = layout.contextTokens
        var ranks = false
        if embeds {
            let embedder = try LlamaEmbedder(
                model: model, contextTokens: layout.contextTokens, threads: threads)
            bytes = embedder.limits.byteCount
            contextTokens = embedder.limits.microBatch
            ranks = embedder.limits.pooling == .rank
            parts = Mutex(Parts(model: model, loop: nil, embedder: embedder))
        } else {
            let context = try LlamaContext(
                model: model,
                options: layout.context(options, threads: threads, embeds: false))
            let drafter = try draft.map {
                try LlamaDrafter($0, guessesFor: model, layout, options, threads: threads)
            }
            bytes = context.limits.byteCount + (drafter?.context.limits.byteCount ?? 0)
            let settings = LlamaLoop.settings(layout, options, context)
            contextTokens = settings.contextTokensMax
            let loop = try LlamaLoop(
                context: context, drafter: drafter, adapters: adapters, settings: settings,
                threads: threads, name: id.model)
            parts = Mutex(Parts(model: model, loop: loop, embedder: nil))
        }
        memoryBytes = max(bytes, fileBytes)
        description = GenerativeModelDescription(
            model, contextTokens: contextTokens, embeds: embeds, ranks: ranks,
            adapters: adapters.keys.sorted())
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

    var load: GenerationLoad { parts.withLock { $0?.loop }?.load ?? GenerationLoad() }

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

    func embed(_ prompts: [[TokenID]]) throws -> [[Float]] {
        try embedding().embed(prompts)
    }

    func rank(
        _ documents: [String], for query: String
    ) throws -> (scores: [Float], tokens: Int) {
        try embedding().rank(documents, for: query)
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
