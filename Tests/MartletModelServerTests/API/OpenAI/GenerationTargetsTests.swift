import Foundation
import Logging
import MartletCore
import MartletEngines
import Testing

@testable import MartletModelServer

@Suite("The models and adapters that requests name")
struct GenerationTargetsTests {
    /// An engine whose models have adapters: by model and version.
    private struct AdapterEngine: Engine {
        let name = "adapters"
        let adapters: [String: [Int64: [String]]]

        func load(_ artifact: ModelArtifact) throws -> any Servable {
            let id = artifact.id
            return ScriptedModel(id: id, adapters: adapters[id.model]?[id.version] ?? [])
        }
    }

    private let storage: ModelStorage

    init() throws {
        storage = try ModelStorage()
    }

    private func manager(
        _ adapters: [String: [Int64: [String]]], onDemand: Bool = false
    ) async throws -> ModelManager {
        var options = ModelManager.Options()
        options.loadsOnDemand = onDemand
        let engine = AdapterEngine(adapters: adapters)
        let manager = ModelManager(
            loader: VersionLoader(engines: EngineRegistry([.savedModel: { engine }])),
            options: options, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var configurations: [ModelConfiguration] = []
        for (model, versions) in adapters {
            for version in versions.keys { try storage.write(model, version) }
            var configuration = storage.configuration(model)
            configuration.versionPolicy = .all
            configuration.labels = ["stable": 1]
            configurations.append(configuration)
        }
        manager.configure(configurations)
        manager.update(adapters.keys.map(storage.directory))
        await manager.settle()
        return manager
    }

    private func target(
        _ name: String, of manager: ModelManager
    ) throws -> (id: ServableID, adapter: String?) {
        var subject = RequestSubject()
        let target = try GenerationTargets(manager: manager).target(of: name, &subject)
        return (target.model.id, target.adapter)
    }

    @Test func adapter_isAskedForAloneOrBehindItsModel() async throws {
        let manager = try await manager(["a": [1: ["kind"], 2: ["kind", "terse"]], "b": [1: []]])
        for (name, version, adapter) in [
            ("a", 2, nil), ("a:1", 1, nil), ("a:stable", 1, nil), ("kind", 2, "kind"),
            ("a:kind", 2, "kind"), ("a:1:kind", 1, "kind"), ("a:stable:kind", 1, "kind"),
            ("terse", 2, "terse"), ("a:2:terse", 2, "terse"),
        ] as [(String, Int64, String?)] {
            let found = try target(name, of: manager)
            #expect(found.id == ServableID(model: "a", version: version), "\(name)")
            #expect(found.adapter == adapter, "\(name)")
        }
    }

    @Test func adapterThatOnlyAnOlderVersionHas_isFoundThere() async throws {
        let manager = try await manager(["a": [1: ["old"], 2: []]])
        for name in ["old", "a:old", "a:1:old"] {
            #expect(try target(name, of: manager).id.version == 1, "\(name)")
        }
    }

    @Test(arguments: ["none", "a:none", "a:1:terse", "a:3:kind", "b:kind", "a:", ":kind", "a:1:"])
    func whatThereIsNot_isUnknown(name: String) async throws {
        let manager = try await manager(["a": [1: ["kind"], 2: ["kind", "terse"]], "b": [1: []]])
        let error = #expect(throws: ServingError.self) { try target(name, of: manager) }
        #expect(error?.code == .notFound)
    }

    @Test func adapterOfSeveralModels_isAskedForBehindOne() async throws {
        let manager = try await manager(["a": [1: ["kind"]], "b": [1: ["kind"]]])
        let error = #expect(throws: ServingError.self) { try target("kind", of: manager) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("ask for one of a:kind, b:kind") == true)
        #expect(try target("b:kind", of: manager).id.model == "b")
    }

    @Test func adapterOfAModelThatIsNotLoadedYet_asksForTheModel() async throws {
        try storage.write("a", 1, "adapters/kind.gguf", Data("not looked at".utf8))
        let manager = try await manager(["a": [1: ["kind"]]], onDemand: true)
        for name in ["kind", "a:kind"] {
            let absent = #expect(throws: ServableNotLoaded.self) { try target(name, of: manager) }
            #expect(absent?.model == "a")
        }
        await withCheckedContinuation { loaded in
            manager.demand(model: "a") { _ in loaded.resume() }
        }
        #expect(try target("kind", of: manager).adapter == "kind")
    }
}
