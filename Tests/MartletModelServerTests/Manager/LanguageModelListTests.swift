import Foundation
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
            guard artifact.id.model != "broken" else { throw ServingError(.internal, "no") }
            return artifact.id.model == "m" ? ScriptedModel() : FakeServable(id: artifact.id)
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

    /// A manager that loads nothing before somebody asks: language models `m`, `n` with an adapter,
    /// and `broken`, and `other`, which is none.
    private func makeManagerOnDemand(_ storage: ModelStorage) throws -> ModelManager {
        for model in ["m", "n", "broken"] {
            try storage.write(model, 1, "model.gguf", TinyGGUF.bytes)
        }
        try storage.write("n", 1, "adapters/kind.gguf", Data("not looked at".utf8))
        try storage.write("other", 1)
        var options = ModelManager.Options()
        options.loadsOnDemand = true
        let manager = ModelManager(
            loader: VersionLoader(
                engines: EngineRegistry([
                    .gguf: { MixedEngine() }, .savedModel: { MixedEngine() },
                ])),
            options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let models = ["m", "n", "broken", "other"]
        manager.configure(models.map(storage.configuration))
        manager.update(models.map(storage.directory))
        return manager
    }

    private func demand(_ model: String, of manager: ModelManager) async -> ServingError? {
        await withCheckedContinuation { continuation in
            manager.demand(model: model) { continuation.resume(returning: $0) }
        }
    }

    private func listed(_ manager: ModelManager) -> [String] {
        manager.listedLanguageModels(created: 0).map(\.id)
    }

    @Test func thoseThatAreLoadedOnDemand_areListedBefore() async throws {
        let storage = try ModelStorage()
        let manager = try makeManagerOnDemand(storage)
        #expect(
            manager.listedLanguageModels(created: 7) == [
                ListedModel(id: "broken", created: 7), ListedModel(id: "m", created: 7),
                ListedModel(id: "n", created: 7),
                ListedModel(id: "kind", created: 7, parent: "n"),
            ])
        #expect(manager.memory.isEmpty)
        #expect(await demand("m", of: manager) == nil)
        #expect(listed(manager) == ["broken", "m", "n", "kind"])
        let loaded = manager.listedLanguageModels(created: 7).first { $0.id == "m" }
        #expect(loaded?.contextTokens == 100)
    }

    @Test func whatCannotBeAskedFor_isListedNoMore() async throws {
        let storage = try ModelStorage()
        let manager = try makeManagerOnDemand(storage)
        #expect(await demand("broken", of: manager) != nil)
        #expect(listed(manager) == ["m", "n", "kind"])
        manager.withdraw(model: "n")
        #expect(listed(manager) == ["m"])
    }

    @Test func nameThatIsLeftOut_standsForTheOneThatWouldBeLoaded() throws {
        let storage = try ModelStorage()
        let manager = try makeManagerOnDemand(storage)
        for model in ["n", "broken"] { manager.withdraw(model: model) }
        var subject = RequestSubject()
        let absent = #expect(throws: ServableNotLoaded.self) {
            try GenerationTargets(manager: manager).target(ofOptional: nil, &subject)
        }
        #expect(absent?.model == "m")
    }
}
