import Logging
import MartletCore
import MartletEngines
import MartletTestKit
import Synchronization
import Testing

@testable import MartletModelServer

/// Loads language models that take so long for a text, and as much again for each that runs.
private final class SlowEngine: Engine {
    let name: String
    private let pause: Duration
    private let pauseEach: Duration
    private let models = Mutex<[SlowLanguageModel]>([])

    var loaded: [SlowLanguageModel] { models.withLock { $0 } }

    init(_ name: String, pause: Duration, pauseEach: Duration) {
        self.name = name
        self.pause = pause
        self.pauseEach = pauseEach
    }

    func load(_ artifact: ModelArtifact) throws -> any Servable {
        let model = SlowLanguageModel(artifact.id, pause: pause, pauseEach: pauseEach)
        models.withLock { $0.append(model) }
        return model
    }
}

struct EngineSelectionLanguageTests {
    /// One sequence takes 5 ms; eight take 320.
    private let alone = SlowEngine("llama", pause: .milliseconds(-40), pauseEach: .milliseconds(45))
    /// Any number takes 80 ms.
    private let many = SlowEngine("openvino", pause: .milliseconds(80), pauseEach: .zero)

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
