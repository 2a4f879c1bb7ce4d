public import MartletCore
public import MartletTensors
internal import Synchronization

/// One language model that two engines have loaded, of which one is faster with one sequence and
/// the other with several.
///
/// A request that finds the model at rest goes to the first, one that finds it busy to the second,
/// and so do those whose client asks for several at once: so once clients come together, all go to
/// the second until nobody is left. What the second refuses at the door goes to the first, which
/// may know more, and so does what it fails before the first token, as when its worker ends. The
/// engines' answers may differ over close choices, and each has prompts cached that the other has
/// not.
public final class PairedLanguageModel: Servable, GenerativeModel {
    /// Which version it is, as both say.
    public let id: ServableID

    /// What both can do.
    public let description: GenerativeModelDescription

    /// Language models have none.
    public let signatures: [String: Signature] = [:]

    /// Bytes that both take together.
    public let memoryBytes: Int

    private let engines: [any GenerativeModel & Servable]
    private let names: [String]
    private let routing = Mutex(EngineRouting())

    /// Pairs two engines' loads of one version; they are unloaded with the pair.
    ///
    /// - Parameters:
    ///   - alone: is faster with one sequence; its texts, tokens and vectors are the pair's.
    ///   - many: is faster with several.
    ///   - names: the names of their engines.
    public init(
        alone: any GenerativeModel & Servable, many: any GenerativeModel & Servable,
        names: (alone: String, many: String)
    ) {
        id = (alone as any Servable).id
        engines = [alone, many]
        self.names = [names.alone, names.many]
        let bytes: [any Servable] = [alone, many]
        memoryBytes = bytes.map(\.memoryBytes).saturatingSum
        var description = alone.description
        let other = many.description
        description.contextTokensMax = min(
            description.contextTokensMax, other.contextTokensMax)
        description.sequencesMax = min(description.sequencesMax, other.sequencesMax)
        description.queuedTokensMax = min(description.queuedTokensMax, other.queuedTokensMax)
        self.description = description
    }

    /// What each engine has loaded, from the one that is faster with one sequence.
    public var parts: [GenerativeModelPart] {
        zip(names, engines).map { GenerativeModelPart(engine: $0, model: $1) }
    }

    private var alone: any GenerativeModel { engines[EngineRouting.Place.alone.rawValue] }

    /// What both are busy with.
    ///
    /// The KV memory is that of the engine whose is fuller: a request that goes there finds no room
    /// in the other's.
    public var load: GenerationLoad {
        let loads = engines.map(\.load)
        var load = loads.reduce(into: GenerationLoad()) { $0.add($1) }
        if let fuller = loads.max(by: { $0.cellShareNeeded < $1.cellShareNeeded }) {
            load.cellsUsed = fuller.cellsUsed
            load.cellsNeeded = fuller.cellsNeeded
            load.cellsTotal = fuller.cellsTotal
        }
        return load
    }

    /// Queues a request with the engine whose turn it is.
    public func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        let (id, place) = routing.withLock { $0.begin(of: request.sequences) }
        try submit(request, as: id, to: place, onEvent: onEvent)
        return id
    }

    /// Gives a request to an engine, or to the other one.
    private func submit(
        _ request: GenerationRequest, as id: GenerationID, to place: EngineRouting.Place,
        onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) {
        var asked = request
        asked.hasOtherEngine = place == .many
        let own: GenerationID
        do {
            own = try engines[place.rawValue].submit(asked) { [self] event in
                take(event, of: id, request, onEvent)
            }
        } catch {
            guard routing.withLock({ $0.didRefuse(id, error) }) else { throw error }
            return try submit(request, as: id, to: .alone, onEvent: onEvent)
        }
        let unwanted = routing.withLock { $0.didSubmit(id, as: own, to: place) }
        if let unwanted { engines[place.rawValue].cancel(own, reason: unwanted) }
    }

    /// Tells a client what an engine has told, or lets the other engine go on.
    private func take(
        _ event: GenerationEvent, of id: GenerationID, _ request: GenerationRequest,
        _ onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) {
        switch event {
        case .started:
            guard routing.withLock({ $0.didStart(id) }) else { return }
        case .token: routing.withLock { $0.didMakeToken(id) }
        // Before the client hears of it, who may come with the next one at once.
        case .finished: routing.withLock { $0.end(id) }
        case .failed(let error, let usage):
            switch routing.withLock({ $0.didFail(id, error) }) {
            case .told: break
            case .unwanted(let reason): return onEvent(.finished(reason, usage))
            case .moved: return goOn(with: request, as: id, usage, onEvent)
            }
        }
        onEvent(event)
    }

    /// Gives a request that the second engine could not do to the first.
    private func goOn(
        with request: GenerationRequest, as id: GenerationID, _ usage: GenerationUsage,
        _ onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) {
        do {
            try submit(request, as: id, to: .alone, onEvent: onEvent)
        } catch {
            onEvent(.failed(error.servingError, usage))
        }
    }

    /// Ends a request, unless it has ended.
    public func cancel(_ id: GenerationID, reason: FinishReason) {
        guard let (place, own) = routing.withLock({ $0.cancel(id, reason: reason) }) else { return }
        engines[place.rawValue].cancel(own, reason: reason)
    }

    /// Takes no more requests, ends those there are, and gives the memory of both back.
    public func unload() {
        let servables: [any Servable] = engines
        for servable in servables { servable.unload() }
    }
}

// MARK: What the first engine does for both

extension PairedLanguageModel {
    /// The tokens of a text.
    public func tokenize(
        _ text: String, addsBeginning: Bool, parsesSpecial: Bool
    ) throws -> [TokenID] {
        try alone.tokenize(text, addsBeginning: addsBeginning, parsesSpecial: parsesSpecial)
    }

    /// The bytes of tokens' text.
    public func detokenize(_ tokens: [TokenID], showsSpecial: Bool) throws -> [UInt8] {
        try alone.detokenize(tokens, showsSpecial: showsSpecial)
    }

    /// Writes a chat as a prompt.
    public func render(_ chat: ChatPrompt) throws -> any RenderedChat { try alone.render(chat) }

    /// What a model that ranks reads.
    public func rankingPrompt(query: String, document: String) throws -> [TokenID] {
        try alone.rankingPrompt(query: query, document: document)
    }

    /// One vector for each prompt.
    public func embed(
        _ prompts: [[TokenID]], checking check: @escaping @Sendable () throws -> Void,
        completion: @escaping @Sendable (Result<[[Float]], any Error>) -> Void
    ) {
        alone.embed(prompts, checking: check, completion: completion)
    }

    /// Language models run no signatures.
    public func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] {
        let servable: any Servable = engines[EngineRouting.Place.alone.rawValue]
        return try servable.run(signature, inputs: inputs, outputs: outputs)
    }
}

extension GenerationLoad {
    /// Adds what another engine is busy with, but for its KV memory.
    mutating func add(_ other: GenerationLoad) {
        waiting += other.waiting
        waitingTokens += other.waitingTokens
        running += other.running
        prefilling += other.prefilling
        slotsUsed += other.slotsUsed
        stepAge = max(stepAge, other.stepAge)
        for sum in GenerationCounters.sums {
            counters[keyPath: sum] += other.counters[keyPath: sum]
        }
    }
}

extension GenerationCounters {
    /// All that is counted.
    static var sums: [WritableKeyPath<GenerationCounters, Int>] {
        [
            \.submitted, \.refused, \.completed, \.cancelled, \.expired, \.failed,
            \.promptTokens, \.prefixHitTokens, \.generatedTokens, \.preemptions,
            \.recomputedTokens, \.evictions, \.draftsProposed, \.draftsAccepted,
            \.modelDraftsProposed, \.modelDraftsAccepted, \.steps, \.failedSteps,
            \.decodedTokens,
        ]
    }
}
