import Foundation
import Logging
import MartletCore
import MartletEngines
import MartletTensors
import Synchronization
import Testing

@testable import MartletModelServer

#if os(Linux)
    @Suite("Priority of loading")
    struct LoadingPriorityTests {
        /// Notes the niceness of the thread for each thing that is done.
        private final class NotingEngine: Engine {
            struct Noting: Servable {
                let inner: FakeServable
                let engine: NotingEngine

                var id: ServableID { inner.id }
                var signatures: [String: Signature] { inner.signatures }
                var memoryBytes: Int { inner.memoryBytes }

                func run(
                    _ signature: Signature, inputs: [NamedTensor], outputs: [TensorSpec]
                ) throws -> [NamedTensor] {
                    engine.note("run")
                    return try inner.run(signature, inputs: inputs, outputs: outputs)
                }

                func unload() { inner.unload() }
            }

            let name = "noting"
            private let noted = Mutex<[String]>([])

            var notes: [String] { noted.withLock { $0 } }

            func note(_ what: String) {
                let niceness = getpriority(.init(PRIO_PROCESS.rawValue), 0)
                noted.withLock { $0.append("\(what) at \(niceness)") }
            }

            func load(_ artifact: ModelArtifact) throws -> any Servable {
                note("load")
                return Noting(inner: FakeServable(id: artifact.id), engine: self)
            }
        }

        @Test func loadingAndWarmingUp_standBackBehindServing() async throws {
            let usual = getpriority(.init(PRIO_PROCESS.rawValue), 0)
            try #require(usual == 0, "the test itself is to run at the usual priority")
            let storage = try ModelStorage()
            try storage.write("m", 1)
            let engine = NotingEngine()
            var options = VersionLoader.Options()
            options.warmUp = WarmUpOptions(usesZeros: true)
            let manager = ModelManager(
                loader: VersionLoader(
                    engines: EngineRegistry([.savedModel: { engine }]), options: options),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            manager.configure([storage.configuration("m")])
            manager.update([storage.directory("m")])
            try await eventually("version 1") { manager.isAvailable("m", 1) }
            let expected = ModelManager.Options().loadNiceness
            #expect(expected > 0)
            #expect(engine.notes == ["load at \(expected)", "run at \(expected)"])
            let threads = EngineThreads(count: 1, capacity: 1, name: "engine")
            try threads.submit { engine.note("request") }
            threads.shutDown()
            #expect(engine.notes.last == "request at 0")
        }
    }
#endif
