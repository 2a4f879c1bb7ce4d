import Logging
import MartletCore
import MartletEngines
import MartletProtocols
import MartletTelemetry
import MartletTransport
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("State of services and models")
struct HealthStatusTests {
    private let storage: ModelStorage
    private let manager: ModelManager
    private let health: NodeHealth
    private let journal = RequestJournal(metrics: MetricsRegistry(), accessLog: .disabled) { _ in
        true
    }

    init() throws {
        storage = try ModelStorage()
        try storage.write("m", 1)
        manager = ModelManager(
            loader: VersionLoader(FakeEngine()),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        health = NodeHealth(
            manager: manager, threads: EngineThreads(count: 1, capacity: 1, name: "test"),
            batches: nil, journal: journal, processors: 1)
    }

    @Test func services_areServingOnceTheNodeIsReady_andNotWhenItDrains() async throws {
        let names = ["", "tensorflow.serving.PredictionService", "inference.GRPCInferenceService"]
        #expect(names.allSatisfy { health.status(ofService: $0) == .notServing })
        manager.configure([storage.configuration("m")])
        manager.update([storage.directory("m")])
        try await eventually("the model") { health.isReady }
        #expect(names.allSatisfy { health.status(ofService: $0) == .serving })
        health.startDraining()
        #expect(names.allSatisfy { health.status(ofService: $0) == .notServing })
        #expect(health.status(ofService: "m") == .notServing)
    }

    @Test func model_hasAStateOfItsOwn() async throws {
        #expect(health.status(ofService: "m") == .serviceUnknown)
        manager.configure([storage.configuration("m"), storage.configuration("absent")])
        #expect(health.status(ofService: "m") == .notServing)
        manager.update([storage.directory("m")])
        try await eventually("the model") { health.status(ofService: "m") == .serving }
        #expect(health.status(ofService: "") == .notServing)
        #expect(health.status(ofService: "absent") == .notServing)
        #expect(health.status(ofService: "no.such.Service") == .serviceUnknown)
    }

    @Test func lookThroughEmptyStorage_wakesWhoWaitsForIt() {
        let isWoken = Mutex(false)
        manager.whenever {
            $0.hasSeenStorage
        } _: {
            isWoken.withLock { $0 = true }
        }
        manager.update([])
        #expect(isWoken.withLock { $0 })
    }

    @Test func modelThatIsForgotten_wakesWhoWaitsForIt() {
        manager.configure([storage.configuration("m")])
        let isWoken = Mutex(false)
        manager.whenever {
            !$0.knows(model: "m")
        } _: {
            isWoken.withLock { $0 = true }
        }
        manager.configure([])
        #expect(isWoken.withLock { $0 })
    }

    @Test func load_tellsWhatIsUnderWayNow() {
        #expect(health.loadReport.requestsInFlight == 0)
        for _ in 0..<3 { journal.didReceive() }
        // The rates are of the last half second, these are not.
        #expect(health.loadReport.requestsInFlight == 3)
        #expect(health.loadReport(besides: 1).requestsInFlight == 2)
        #expect(health.loadReport(besides: 9).requestsInFlight == 0)
        #expect(health.loadReport.queueDepth == 0)
    }
}
