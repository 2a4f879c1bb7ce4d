import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTelemetry
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Metrics of text that is generated", .timeLimit(.minutes(10)))
struct GenerationMetricsTests {
    /// An engine whose models have as many sequences as there were loads before, and one more that
    /// runs.
    private final class BusyEngine: Engine {
        let name = "busy"
        private let loads = Atomic<Int>(0)

        func load(_ artifact: ModelArtifact) throws -> any Servable {
            let model = ScriptedModel(id: artifact.id)
            let before = loads.wrappingAdd(1, ordering: .relaxed).oldValue
            model.work(on: before + 1, waiting: before)
            return model
        }
    }

    private let storage: ModelStorage
    private let manager: ModelManager
    private let metrics = MetricsRegistry()
    private let generation: GenerationMetrics

    /// Version 1 of `m` answers, with one sequence that runs.
    init() async throws {
        let engine = BusyEngine()
        storage = try ModelStorage()
        manager = ModelManager(
            loader: VersionLoader(engines: EngineRegistry([.savedModel: { engine }])),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        generation = GenerationMetrics(metrics: metrics, manager: manager)
        try storage.write("m", 1)
        manager.configure([storage.configuration("m")])
        manager.update([storage.directory("m")])
        await manager.settle()
    }

    private func until(_ condition: @escaping @Sendable (ModelManager) -> Bool) async {
        await withCheckedContinuation { reached in
            manager.whenever(condition) { reached.resume() }
        }
    }

    /// The samples of a metric, by version.
    private func samples(_ name: String) -> [String] {
        String(decoding: metrics.prometheusText(), as: UTF8.self)
            .split(separator: "\n").filter { $0.hasPrefix("\(name){") }
            .map { String($0.dropFirst(name.count)) }
    }

    @Test func versionThatRetires_countsUntilItsLastRequestEnds() async throws {
        var lease: ServableLease? = try manager.lease(model: "m", version: .latest)
        try storage.write("m", 2)
        manager.update([storage.directory("m")])
        await until { $0.languageModels.map(\.id.version) == [2] }
        for (name, values) in [
            ("martlet_sequences_running", (1, 2)), ("martlet_sequences_waiting", (0, 1)),
        ] {
            #expect(
                samples(name) == [
                    #"{model="m",version="1"} \#(values.0)"#,
                    #"{model="m",version="2"} \#(values.1)"#,
                ])
        }
        #expect(samples("martlet_generation_steps_total").count == 1)
        withExtendedLifetime(lease) {}
        lease = nil
        await until { $0.languageModelsAtWork.count == 1 }
        #expect(samples("martlet_sequences_running") == [#"{model="m",version="2"} 2"#])
    }

    @Test func versionThatIsLoadedFromAnotherFolder_countsBothAsOne() async throws {
        let lease = try manager.lease(model: "m", version: .latest)
        let folder = "\(storage.path)/m"
        try FileManager.default.moveItem(atPath: "\(folder)/1", toPath: "\(folder)/001")
        manager.update([storage.directory("m")])
        await until { $0.languageModelsAtWork.count == 2 }
        #expect(samples("martlet_sequences_running") == [#"{model="m",version="1"} 3"#])
        withExtendedLifetime(lease) {}
    }
}
