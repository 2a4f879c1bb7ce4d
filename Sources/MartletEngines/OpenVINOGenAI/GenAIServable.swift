import MartletCore
import MartletTensors
internal import Synchronization

/// A GGUF model whose text a worker of OpenVINO GenAI generates; llama.cpp knows its vocabulary
/// alone.
final class GenAIServable: Servable, LlamaTokenizing {
    let id: ServableID
    let description: GenerativeModelDescription
    let memoryBytes: Int
    let signatures: [String: Signature] = [:]

    private struct Parts {
        let vocabulary: LlamaModel
        let loop: GenAILoop
    }

    /// Gone once it is unloaded, and the worker with it.
    private let parts: Mutex<Parts?>

    /// Starts a worker, and waits until it has loaded the model.
    ///
    /// - Throws: `ServingError` with the worker's reason.
    init(
        id: ServableID, vocabulary: LlamaModel, scheduling: SchedulerSettings,
        worker: GenAILoop.Settings, memoryBytes: Int
    ) throws {
        self.id = id
        self.memoryBytes = memoryBytes
        let loop = try GenAILoop(worker, scheduling: scheduling, name: id.model) { token, isShown in
            vocabulary.bytes(of: token, showsSpecial: isShown)
        }
        var description = GenerativeModelDescription(
            vocabulary, contextTokens: scheduling.contextTokensMax, embeds: false, ranks: false,
            adapters: [])
        description.embeddingSize = vocabulary.count(of: "embedding_length") ?? 0
        description.sequencesMax = max(1, scheduling.waitingMax)
        description.remembersPrompts = scheduling.sharing != .none
        self.description = description
        parts = Mutex(Parts(vocabulary: vocabulary, loop: loop))
    }

    func vocabulary() throws -> LlamaModel { try live().vocabulary }

    private func live() throws(ServingError) -> Parts {
        guard let parts = parts.withLock({ $0 }) else {
            throw ServingError(.unavailable, "Model \(id) is being unloaded")
        }
        return parts
    }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        throw ServingError(
            .unimplemented,
            "Model \(id) is a language model; use /v1/chat/completions or /v1/completions")
    }

    func unload() {
        let last = parts.withLock { parts in
            defer { parts = nil }
            return parts
        }
        last?.loop.end()
    }

    var load: GenerationLoad { parts.withLock { $0?.loop }?.load ?? GenerationLoad() }

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        let loop: GenAILoop
        do { loop = try live().loop } catch { throw GenerationRefusal(error) }
        return try loop.submit(request, onEvent: onEvent)
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {
        parts.withLock { $0?.loop }?.cancel(id, reason: reason)
    }
}

extension LlamaModel {
    /// A number of the model's own architecture, such as `context_length`.
    func count(of key: String) -> Int? {
        guard let architecture = metadata("general.architecture") else { return nil }
        return metadata("\(architecture).\(key)").flatMap { Int($0) }
    }
}
