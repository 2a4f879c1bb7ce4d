import Logging
import MartletCore
import MartletEngines
import Testing

@testable import MartletModelServer

@Suite("Language models among those that are loaded")
struct LanguageModelListTests {
    /// An engine whose model `m` is a language model, and no other.
    private struct MixedEngine: Engine {
        let name = "mixed"

        func load(_ artifact: ModelArtifact) throws -> any Servable {
            artifact.id.model == "m" ? ScriptedModel() : FakeServable(id: artifact.id)
        }
    }

    @Test func theyAreListed_fromTheirLoadToTheirUnload() async throws {
        let storage = try ModelStorage()
        try storage.write("a", 1)
        let manager = ModelManager(
            loader: VersionLoader(engines: EngineRegistry([.savedModel: { MixedEngine() }])),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        manager.configure([storage.configuration("a")])
        manager.update([storage.directory("a")])
        await manager.settle()
        #expect(manager.languageModels.isEmpty)

        try storage.write("m", 1)
        manager.configure(["a", "m"].map(storage.configuration))
        manager.update(["a", "m"].map(storage.directory))
        await manager.settle()
        for _ in 0..<2 { #expect(manager.languageModels.map(\.id.model) == ["m"]) }

        // What is in use still answers nobody new.
        let lease = try manager.lease(model: "m", version: .latest)
        manager.withdraw(model: "m")
        try await eventually("the unload") { manager.languageModels.isEmpty }
        withExtendedLifetime(lease) {}
    }
}
