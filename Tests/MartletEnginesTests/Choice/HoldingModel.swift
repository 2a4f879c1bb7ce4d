import MartletCore
import MartletTensors
import Synchronization

@testable import MartletEngines

/// Keeps requests until it is told that they end.
final class HoldingModel: GenerativeModel, Servable {
    private struct State {
        var open: [GenerationID: @Sendable (GenerationEvent) -> Void] = [:]
        var count: UInt64 = 0
        var refusal: ServingError?
        var unloads = 0
        /// The requests taken, in order, and how they were cancelled.
        var requests: [GenerationRequest] = []
        var cancelled: [FinishReason] = []
        var isDeaf = false
    }

    let id = ServableID(model: "m", version: 1)
    let description: GenerativeModelDescription
    let memoryBytes = 100
    let signatures: [String: Signature] = [:]
    private let state = Mutex(State())

    init(context: Int) {
        description = GenerativeModelDescription(
            contextTokensMax: context, vocabularySize: 10, embeddingSize: 0)
    }

    var open: Int { state.withLock { $0.open.count } }
    var unloads: Int { state.withLock { $0.unloads } }

    var load: GenerationLoad {
        var load = GenerationLoad()
        load.running = open
        load.cellsTotal = 40
        load.cellsNeeded = open * 10
        load.cellsUsed = load.cellsNeeded
        load.counters.submitted = Int(state.withLock { $0.count })
        return load
    }

    func refuse(_ error: ServingError?) { state.withLock { $0.refusal = error } }

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        try state.withLock { state throws(GenerationRefusal) in
            if let refusal = state.refusal { throw GenerationRefusal(refusal) }
            state.count += 1
            state.requests.append(request)
            let id = GenerationID(number: state.count)
            state.open[id] = onEvent
            return id
        }
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {
        let onEvent = state.withLock { state -> (@Sendable (GenerationEvent) -> Void)? in
            state.cancelled.append(reason)
            return state.isDeaf ? nil : state.open.removeValue(forKey: id)
        }
        onEvent?(.finished(reason, GenerationUsage()))
    }

    /// The requests that were taken.
    var requests: [GenerationRequest] { state.withLock { $0.requests } }

    /// How requests were cancelled.
    var cancelled: [FinishReason] { state.withLock { $0.cancelled } }

    /// Makes it slow to end what is cancelled.
    func goDeaf() { state.withLock { $0.isDeaf = true } }

    /// Tells its newest request something.
    func tell(_ event: GenerationEvent) {
        let newest = state.withLock { state in state.open.max { $0.key < $1.key }?.value }
        newest?(event)
    }

    /// Ends all requests by an error, and takes no more.
    func die(_ error: ServingError = ServingError(.unavailable, "gone")) {
        let open = state.withLock { state in
            defer { state.open.removeAll() }
            state.refusal = error
            return state.open.sorted { $0.key < $1.key }.map(\.value)
        }
        for onEvent in open { onEvent(.failed(error, GenerationUsage())) }
    }

    func tokenize(_ text: String, addsBeginning: Bool, parsesSpecial: Bool) -> [TokenID] { [] }
    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) -> [UInt8] { [] }
    func unload() { state.withLock { $0.unloads += 1 } }

    func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        throw ServingError(.unimplemented, "no chats")
    }

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] { [] }
}
