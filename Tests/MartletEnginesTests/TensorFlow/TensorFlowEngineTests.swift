import Foundation
import MartletCore
import Testing

@testable import MartletEngines

extension EngineTests {
    /// Serial, because it measures memory and each model takes a core.
    @Suite("TensorFlow engine", .serialized)
    struct TensorFlowEngineTests {
        // Opened once: it takes a second, and stays open until the process ends.
        static let library = Result {
            do {
                return try TensorFlowLibrary(
                    directory: SetUp.folder(TensorFlowLibrary.pathVariable, ".engines/tensorflow"))
            } catch {
                throw MissingSetUp("\(error)")
            }
        }

        @Test(arguments: EngineSuite.requirements + EngineSuite.requirementsOfSavedModels)
        func engine(meets requirement: EngineSuite.Requirement) throws {
            let engine = TensorFlowEngine(library: try Self.library.get())
            try requirement.check(
                EngineSuite(engine: engine, fixtures: SetUp.fixtures, format: .savedModel))
        }

        @Test func options_thatAreAllSet_loadAndRun() throws {
            var options = TensorFlowOptions()
            options.configuration = [0x38, 0x01]  // allow_soft_placement
            options.intraOperationThreads = 2
            options.interOperationThreads = 300
            options.compilesWithXLA = true
            options.gpuMemoryFraction = 0.5
            let engine = TensorFlowEngine(library: try Self.library.get(), options: options)
            let suite = EngineSuite(
                engine: engine, fixtures: SetUp.fixtures, format: .savedModel)
            for requirement in EngineSuite.requirements.prefix(4) { try requirement.check(suite) }
        }

        @Test func options_thatAreNoConfiguration_areAnError() throws {
            var options = TensorFlowOptions()
            options.configuration = [0xFF]
            let engine = TensorFlowEngine(library: try Self.library.get(), options: options)
            let suite = EngineSuite(
                engine: engine, fixtures: SetUp.fixtures, format: .savedModel)
            #expect(throws: ServingError.self) { try engine.load(suite.artifact("half_plus_two")) }
        }

        @Test func options_areLaidOverOneAnother() {
            var options = TensorFlowOptions()
            #expect(options.serializedConfiguration == [0x10, 1, 0x28, 1])
            #expect(options.runsInCallingThread)
            options.configuration = [0x10, 7]
            options.intraOperationThreads = 300
            #expect(
                options.serializedConfiguration == [0x10, 1, 0x28, 1, 0x10, 7, 0x10, 0xAC, 0x02])
            #expect(!options.runsInCallingThread)
        }

        @Test func library_tellsItsVersion() throws {
            let library = try Self.library.get()
            #expect(library.version.split(separator: ".").count >= 3)
            #expect(library.version.hasPrefix("2."))
        }

        @Test func library_thatIsNotThere_isUnavailableWithTheRemedy() {
            for directory in ["/does/not/exist", "", String(repeating: "a", count: 5000)] {
                let error = #expect(throws: ServingError.self) {
                    try TensorFlowLibrary(directory: directory)
                }
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains("scripts/setup.sh engine") == true)
                #expect(error?.message.contains("--tensorflow-path") == true)
            }
        }

        @Test func library_thatIsAnother_isUnavailable() throws {
            let folder = NSTemporaryDirectory() + "martlet-library-\(UUID().uuidString)"
            let files = FileManager.default
            try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? files.removeItem(atPath: folder) }
            for name in ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"] {
                try Data("no library".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            let error = #expect(throws: ServingError.self) {
                try TensorFlowLibrary(directory: folder)
            }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("libtensorflow_framework.so.2") == true)
        }

        @Test func locate_prefersWhatItIsGiven() throws {
            #expect(try TensorFlowLibrary.locate(preferred: "/mine") == "/mine")
        }
    }
}
