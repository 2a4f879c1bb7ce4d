import Logging
import MartletCore
import MartletEngines
import MartletProtocols
import MartletTelemetry
import Testing

@testable import MartletModelServer

@Suite("Language models whose decode loop hangs")
struct StallWatchTests {
    /// An engine of one language model.
    private struct LanguageEngine: Engine {
        let name = "language"
        let model: ScriptedModel

        func load(_ artifact: ModelArtifact) throws -> any Servable { model }
    }

    private let model = ScriptedModel()

    private func health(limit: Duration?) async throws -> NodeHealth {
        let (storage, engine) = (try ModelStorage(), LanguageEngine(model: model))
        try storage.write("m", 1)
        let manager = ModelManager(
            loader: VersionLoader(engines: EngineRegistry([.savedModel: { engine }])),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        manager.configure([storage.configuration("m")])
        manager.update([storage.directory("m")])
        await manager.settle()
        return NodeHealth(
            manager: manager, threads: EngineThreads(count: 1, capacity: 1, name: "test"),
            batches: nil,
            journal: RequestJournal(metrics: MetricsRegistry(), accessLog: .disabled) { _ in true },
            processors: 1, stallWatch: StallWatch(limit: limit))
    }

    @Test func stepWithinItsTime_isNoStall() {
        let watch = StallWatch(limit: .seconds(120))
        #expect(watch.stalls(of: [model]).isEmpty)
        model.stall(for: .seconds(120))
        #expect(watch.stalls(of: [model]).isEmpty)
        model.stall(for: .milliseconds(120_500))
        let stalls = watch.stalls(of: [model])
        #expect(stalls.map(\.id) == [model.id])
        #expect(stalls.map(\.description) == ["m version 1: decode loop stalled 120 s"])
    }

    @Test func withoutALimit_nothingIsAStall() async throws {
        model.stall(for: .seconds(1_000_000))
        #expect(StallWatch(limit: nil).stalls(of: [model]).isEmpty)
        #expect(try await health(limit: nil).isReady)
    }

    @Test func node_isNotReadyUntilTheStepEnds() async throws {
        let health = try await health(limit: .seconds(120))
        #expect(health.isReady && health.status(ofService: "m") == .serving)
        model.stall(for: .seconds(130))
        #expect(!health.isReady)
        guard case .stalled(let stalls) = health.readiness else {
            Issue.record("the node is \(health.readiness)")
            return
        }
        #expect(stalls.map(\.id.model) == ["m"])
        #expect(health.status(ofService: "m") == .notServing)
        #expect(health.status(ofService: "") == .notServing)
        model.stall(for: .zero)
        #expect(health.isReady && health.status(ofService: "m") == .serving)
    }
}
