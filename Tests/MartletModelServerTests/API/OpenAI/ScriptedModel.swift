import MartletCore
import MartletEngines
import MartletTensors
import Synchronization

@testable import MartletModelServer

/// A language model that says what a test tells it to, when it is told to.
final class ScriptedModel: GenerativeModel, Servable {
    let id: ServableID
    let signatures: [String: Signature] = [:]
    let memoryBytes = 1
    let description: GenerativeModelDescription

    private struct State {
        var requests: [GenerationRequest] = []
        var handlers: [@Sendable (GenerationEvent) -> Void] = []
        var cancelled: [GenerationID: FinishReason] = [:]
        var refusal: GenerationRefusal?
        var refusesFrom = 0
        var whenTaken: (@Sendable () -> Void)?
        var load = GenerationLoad()
    }

    private let state = Mutex(State())
    private let endsAtOnce: FinishReason?

    /// A model; with `endsAtOnce` each request ends so as soon as it is taken.
    init(
        id: ServableID = ServableID(model: "m", version: 1), adapters: [String] = [],
        sequencesMax: Int = .max, queuedTokensMax: Int = .max, generates: Bool = true,
        remembersPrompts: Bool = true, endsAtOnce: FinishReason? = nil
    ) {
        self.id = id
        self.endsAtOnce = endsAtOnce
        var description = GenerativeModelDescription(
            contextTokensMax: 100, vocabularySize: 1000, embeddingSize: 4, generates: generates,
            adapters: adapters)
        description.sequencesMax = sequencesMax
        description.queuedTokensMax = queuedTokensMax
        description.remembersPrompts = remembersPrompts
        self.description = description
    }

    var requests: [GenerationRequest] { state.withLock { $0.requests } }
    var cancelled: [GenerationID: FinishReason] { state.withLock { $0.cancelled } }
    var load: GenerationLoad { state.withLock { $0.load } }

    /// Has been at one step for so long.
    func stall(for time: Duration) { state.withLock { $0.load.stepAge = time } }

    /// Has sequences that run, and others that wait.
    func work(on running: Int, waiting: Int) {
        state.withLock {
            $0.load.running = running
            $0.load.waiting = waiting
        }
    }

    /// Refuses requests from one on.
    func refuse(from index: Int, _ refusal: GenerationRefusal) {
        state.withLock {
            $0.refusal = refusal
            $0.refusesFrom = index
        }
    }

    /// Does this with each request, before whoever asks goes on.
    func whenTaken(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.whenTaken = action }
    }

    // MARK: What tests make happen

    func say(_ text: String, to choice: Int = 0) { say(Array(text.utf8), to: choice) }

    func say(_ bytes: [UInt8], to choice: Int = 0) {
        tell(.token(GeneratedToken(id: 1, bytes: bytes)), to: choice)
    }

    func finish(_ choice: Int = 0, _ reason: FinishReason = .stop, tokens: Int = 2) {
        let usage = GenerationUsage(
            promptTokens: 5, cachedTokens: choice == 0 ? 3 : 5, generatedTokens: tokens)
        tell(.finished(reason, usage), to: choice)
    }

    func fail(_ choice: Int = 0, _ error: ServingError) {
        tell(.failed(error, GenerationUsage()), to: choice)
    }

    private func tell(_ event: GenerationEvent, to choice: Int) {
        state.withLock { $0.handlers[choice] }(event)
    }

    // MARK: The model

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        let result = state.withLock { state -> Result<GenerationID, GenerationRefusal> in
            if let refusal = state.refusal, state.handlers.count >= state.refusesFrom {
                return .failure(refusal)
            }
            state.requests.append(request)
            state.handlers.append(onEvent)
            return .success(GenerationID(number: UInt64(state.handlers.count)))
        }
        let id = try result.get()
        state.withLock { $0.whenTaken }?()
        if let endsAtOnce { onEvent(.finished(endsAtOnce, GenerationUsage())) }
        return id
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {
        state.withLock { $0.cancelled[id] = reason }
    }

    func tokenize(
        _ text: String, addsBeginning: Bool, parsesSpecial: Bool
    ) throws -> [TokenID] {
        text.utf8.map(TokenID.init)
    }

    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) throws -> [UInt8] {
        tokens.map { UInt8(clamping: $0) }
    }

    func render(_ chat: ChatPrompt) throws -> any RenderedChat { PlainChat() }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] { [] }

    func unload() {}
}

/// A chat whose answer is the message as it is, or begins a call of a tool with `!`.
struct PlainChat: RenderedChat {
    var prompt = "prompt"
    var stops: [String] = []
    var isPlain = true

    func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
        guard let mark = text.firstIndex(of: "!") else { return GeneratedMessage(content: text) }
        return GeneratedMessage(
            content: String(text[..<mark]),
            calls: [
                GeneratedToolCall(
                    name: "f", arguments: String(text[text.index(after: mark)...]))
            ])
    }
}
