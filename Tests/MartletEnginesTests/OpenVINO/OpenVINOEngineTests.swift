import Foundation
import MartletCore
import MartletRepository
import MartletTensors
import Testing

@testable import MartletEngines

extension EngineTests {
    /// Serial, because it measures memory and each model takes a core.
    @Suite("OpenVINO engine", .serialized)
    struct OpenVINOEngineTests {
        // Opened once: it stays open until the process ends.
        static let library = Result {
            do {
                return try OpenVINOLibrary(
                    directory: SetUp.folder(OpenVINOLibrary.pathVariable, ".engines/openvino"))
            } catch {
                throw MissingSetUp("\(error)")
            }
        }

        private func engine(threads: Int? = nil) throws -> OpenVINOEngine {
            var options = OpenVINOEngine.Options()
            options.threads = threads
            return OpenVINOEngine(
                library: try Self.library.get(), options: options, extract: SavedModelExtract.file)
        }

        private func suite(threads: Int? = nil) throws -> EngineSuite {
            EngineSuite(
                engine: try engine(threads: threads), fixtures: SetUp.fixtures,
                format: .savedModel)
        }

        /// What OpenVINO can do of what an engine must: it knows no strings and no tables.
        private static let requirements =
            EngineSuite.requirements.filter { !$0.needsEveryType }
            + EngineSuite.requirementsOfSavedModels.filter { !$0.needsEveryType }

        @Test(arguments: requirements)
        func engine(meets requirement: EngineSuite.Requirement) throws {
            try requirement.check(try suite())
        }

        @Test(arguments: requirements.prefix(4))
        func engineWithThreeThreads(meets requirement: EngineSuite.Requirement) throws {
            try requirement.check(try suite(threads: 3))
        }

        @Test(arguments: ["strings", "dtypes", "with_asset", "birds", "legacy_examples"])
        func modelThatOpenVINOCannotServe_isRefusedWithTheReason(model: String) throws {
            let suite = try suite()
            let error = #expect(throws: ServingError.self) {
                try suite.engine.load(suite.artifact(model))
            }
            #expect(error?.message.contains("OpenVINO") == true)
            #expect([.unimplemented, .invalidArgument].contains(error?.code))
        }

        @Test func library_tellsItsVersion() throws {
            let library = try Self.library.get()
            #expect(library.version.split(separator: ".").count >= 3)
        }

        @Test func library_thatIsNotThere_isUnavailableWithTheRemedy() {
            for directory in ["/does/not/exist", "", String(repeating: "a", count: 5000)] {
                let error = #expect(throws: ServingError.self) {
                    try OpenVINOLibrary(directory: directory)
                }
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains("scripts/setup.sh openvino") == true)
                #expect(error?.message.contains("--openvino-path") == true)
            }
        }

        @Test func locate_prefersWhatItIsGiven() throws {
            #expect(try OpenVINOLibrary.locate(preferred: "/mine") == "/mine")
        }

        @Test func message_keepsWhatIsWrongAndDropsWhereItWasFound() {
            let text = """
                Exception from src/inference/src/cpp/infer_request.cpp:104:
                Exception from src/inference/src/cpp/infer_request.cpp:67:
                Check 'shape.compatible(x)' failed at src/plugins/intel_cpu/src/infer_request.cpp:385:
                Can't set the input tensor

                """
            #expect(OpenVINOMessage(text).summary == "Can't set the input tensor")
            #expect(OpenVINOMessage("").summary.isEmpty)
            #expect(OpenVINOMessage(String(repeating: "a", count: 5000)).summary.count == 403)
        }
    }
}
