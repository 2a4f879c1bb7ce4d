internal import Foundation
public import MartletCore
public import MartletEngines
public import MartletTensors
internal import Synchronization

/// A stand-in of a language model that takes its time for a text: the more, the more run at once.
///
/// Each token is the one before it and `offset`. Each request has a thread of its own, as a trial
/// waits on a thread of the concurrency pool, which may have no other.
public final class SlowLanguageModel: GenerativeModel, Servable {
    /// Which version it is.
    public let id: ServableID
    /// 64 tokens of 1,000.
    public let description = GenerativeModelDescription(
        contextTokensMax: 64, vocabularySize: 1000, embeddingSize: 0)
    /// Next to none.
    public let memoryBytes = 1
    /// None.
    public let signatures: [String: Signature] = [:]
    /// Nothing, whatever runs.
    public let load = GenerationLoad()
    private let offset: TokenID
    private let pause: Duration
    private let pauseEach: Duration
    private let fault: ServingError?
    private let takes: @Sendable (_ request: GenerationRequest, _ running: Int) -> Bool
    private let running = Atomic<Int>(0)
    private let unloads = Atomic<Int>(0)

    /// Creates a model.
    ///
    /// - Parameters:
    ///   - id: which version it is.
    ///   - offset: from one token to the next.
    ///   - pause: what a text takes.
    ///   - pauseEach: what it takes besides, as many times as requests run, itself among them.
    ///   - fault: what each request fails with, in place of a text.
    ///   - takes: whether a request is taken while so many run, as one of a full queue is not.
    public init(
        _ id: ServableID = ServableID(model: "m", version: 1), offset: TokenID = 1,
        pause: Duration = .zero, pauseEach: Duration = .zero, fault: ServingError? = nil,
        takes: @escaping @Sendable (_ request: GenerationRequest, _ running: Int) -> Bool = {
            _, _ in true
        }
    ) {
        self.id = id
        self.offset = offset
        self.pause = pause
        self.pauseEach = pauseEach
        self.fault = fault
        self.takes = takes
    }

    /// How often it was unloaded.
    public var unloadCount: Int { unloads.load(ordering: .relaxed) }

    /// A token for each byte.
    public func tokenize(_ text: String, addsBeginning: Bool, parsesSpecial: Bool) -> [TokenID] {
        text.utf8.map { TokenID($0) }
    }

    /// Nothing.
    public func detokenize(_ tokens: [TokenID], showsSpecial: Bool) -> [UInt8] { [] }

    /// Fails: it has no template.
    public func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        throw ServingError(.unimplemented, "no chats")
    }

    /// Says as many tokens as are asked for, all at once, when its time is over.
    public func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        guard takes(request, running.load(ordering: .relaxed)) else {
            throw GenerationRefusal(ServingError(.resourceExhausted, "The queue is full"))
        }
        let (last, most) = (request.prompt.last ?? 0, request.newTokensMax ?? 1)
        let place = running.wrappingAdd(1, ordering: .relaxed).newValue
        Thread.detachNewThread { [self] in
            Thread.sleep(forTimeInterval: (pause + pauseEach * place).seconds)
            running.wrappingSubtract(1, ordering: .relaxed)
            if let fault {
                onEvent(.failed(fault, GenerationUsage()))
                return
            }
            for step in 0..<most {
                let token = last + offset * TokenID(step + 1)
                onEvent(.token(GeneratedToken(id: token, bytes: [])))
            }
            onEvent(.finished(.length, GenerationUsage()))
        }
        return GenerationID(number: 1)
    }

    /// Does nothing: its time passes, and the text comes.
    public func cancel(_ id: GenerationID, reason: FinishReason) {}

    /// No outputs.
    public func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] { [] }

    /// Is counted.
    public func unload() { unloads.wrappingAdd(1, ordering: .relaxed) }
}
