import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer

/// Loads language models that take so long for a text, and as much again for each that runs.
private final class LanguageStandInEngine: Engine {
    let name: String
    private let pause: Duration
    private let pauseEach: Duration
    private let models = Mutex<[LanguageStandIn]>([])

    var loaded: [LanguageStandIn] { models.withLock { $0 } }

    init(_ name: String, pause: Duration, pauseEach: Duration) {
        self.name = name
        self.pause = pause
        self.pauseEach = pauseEach
    }

    func load(_ artifact: ModelArtifact) throws -> any Servable {
        let model = LanguageStandIn(artifact.id, pause: pause, pauseEach: pauseEach)
        models.withLock { $0.append(model) }
        return model
    }
}

private final class LanguageStandIn: GenerativeModel, Servable {
    let id: ServableID
    let description = GenerativeModelDescription(
        contextTokensMax: 64, vocabularySize: 1000, embeddingSize: 0)
    let memoryBytes = 1
    let signatures: [String: Signature] = [:]
    let load = GenerationLoad()
    private let pause: Duration
    private let pauseEach: Duration
    private let running = Atomic<Int>(0)
    private let unloads = Atomic<Int>(0)

    var unloadCount: Int { unloads.load(ordering: .relaxed) }

    init(_ id: ServableID, pause: Duration, pauseEach: Duration) {
        self.id = id
        self.pause = pause
        self.pauseEach = pauseEach
    }

    func tokenize(_ text: String, addsBeginning: Bool, parsesSpecial: Bool) -> [TokenID] {
        text.utf8.map { TokenID($0) }
    }

    func detokenize(_ tokens: [TokenID], showsSpecial: Bool) -> [UInt8] { [] }

    func render(_ chat: ChatPrompt) throws -> any RenderedChat {
        throw ServingError(.unimplemented, "no chats")
    }

    func submit(
        _ request: GenerationRequest, onEvent: @escaping @Sendable (GenerationEvent) -> Void
    ) throws(GenerationRefusal) -> GenerationID {
        let place = running.wrappingAdd(1, ordering: .relaxed).newValue
        Thread.detachNewThread { [self] in
            Thread.sleep(forTimeInterval: (pause + pauseEach * place).seconds)
            running.wrappingSubtract(1, ordering: .relaxed)
            onEvent(.token(GeneratedToken(id: 7, bytes: [])))
            onEvent(.finished(.length, GenerationUsage()))
        }
        return GenerationID(number: 1)
    }

    func cancel(_ id: GenerationID, reason: FinishReason) {}

    func run(
        _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
    ) throws -> [NamedTensor] { [] }

    func unload() { unloads.wrappingAdd(1, ordering: .relaxed) }
}

struct EngineSelectionLanguageTests {
    /// One sequence takes 5 ms; eight take 320.
    private let alone = LanguageStandInEngine(
        "llama", pause: .milliseconds(-40), pauseEach: .milliseconds(45))
    /// Any number takes 80 ms.
    private let many = LanguageStandInEngine("openvino", pause: .milliseconds(80), pauseEach: .zero)

    private func load(
        _ change: (inout EngineSettings) -> Void
    ) throws -> (any Servable, EngineChoice) {
        let artifact = ModelArtifact(
            id: ServableID(model: "m", version: 1), path: "/", format: .gguf, tags: [],
            signatures: [], fileBytes: 0)
        let registry = EngineRegistry(
            [.gguf: { [alone] in alone }], language: [.openvino: { [many] in many }])
        var settings = EngineSettings()
        change(&settings)
        let selection = EngineSelection(
            engines: registry, settings: settings, trial: EngineTrial.Options(),
            logger: Logger(label: "test"))
        return try selection.load(artifact)
    }

    private var unloads: [Int] { (alone.loaded + many.loaded).map(\.unloadCount) }

    @Test func manyClients_areExpectedWhereNothingIsSaid() throws {
        let (_, choice) = try load { _ in }
        #expect(choice.engine == "openvino")
        #expect(choice.reason == .faster)
        #expect(unloads == [1, 0])
    }

    @Test func oneClient_isBestServedByTheReference() throws {
        let (_, choice) = try load { $0.concurrencies["m"] = 1 }
        #expect(choice.engine == "llama")
        #expect(choice.reason == .slower)
        #expect(unloads == [0, 1])
    }

    @Test func both_areKeptWhereThatIsWanted() throws {
        let (servable, choice) = try load { $0.preferences["m"] = .both }
        #expect(choice.engine == "llama+openvino")
        #expect(choice.reason == .both)
        #expect(servable is PairedLanguageModel)
        #expect(unloads == [0, 0])
        servable.unload()
        #expect(unloads == [1, 1])
    }
}
