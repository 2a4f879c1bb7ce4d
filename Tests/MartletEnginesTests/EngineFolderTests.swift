import Foundation
import MartletCore
import Testing

@testable import MartletEngines

@Suite("Folders of engines")
struct EngineFolderTests {
    private let executable: String
    private let place: String

    init() throws {
        let base = NSTemporaryDirectory() + "martlet-engine-\(UUID().uuidString)"
        executable = "\(base)/bin"
        place = "\(base)/lib/martlet/birdsong"
        for folder in [executable, place] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        }
    }

    private func write(_ name: String) {
        _ = FileManager.default.createFile(atPath: "\(place)/\(name)", contents: Data())
    }

    private func folder(allowsSuffix: Bool = false) -> EngineFolder {
        EngineFolder(
            title: "Birdsong", name: "birdsong", fileName: "libbird.so", allowsSuffix: allowsSuffix)
    }

    private func found(_ folder: EngineFolder) throws -> String {
        let path = try folder.locate(executableFolder: executable)
        return URL(fileURLWithPath: path).standardizedFileURL.path
    }

    @Test func libraryBesideTheExecutable_isFound() throws {
        write("libbird.so")
        #expect(try found(folder()) == URL(fileURLWithPath: place).standardizedFileURL.path)
    }

    @Test func libraryWithAVersionBehindItsName_isFoundWhereThatWillDo() throws {
        write("libbird.so.3")
        #expect(
            try found(folder(allowsSuffix: true))
                == URL(fileURLWithPath: place).standardizedFileURL.path)
        #expect(throws: ServingError.self) { try found(folder()) }
    }

    @Test func placeOfThePreferred_isTakenAsItIs() throws {
        #expect(try folder().locate(preferred: "/nowhere") == "/nowhere")
    }

    @Test func missingLibrary_saysWhereItWasLookedForAndHowToInstallIt() {
        let error = #expect(throws: ServingError.self) { try found(folder()) }
        #expect(error?.code == .unavailable)
        #expect(
            error?.message == "The Birdsong engine cannot be opened: not found in "
                + "\(executable)/../lib/martlet/birdsong, .engines/birdsong, "
                + "/usr/local/lib/martlet/birdsong, /usr/lib/martlet/birdsong. To install "
                + "it, run 'scripts/setup.sh birdsong', or name the folder that holds "
                + "libbird.so with --birdsong-path or MARTLET_BIRDSONG_PATH")
    }

    @Test func variablesOfEngines_keepTheirNames() {
        #expect(
            [
                LlamaLibrary.pathVariable, LiteRTLibrary.pathVariable,
                OpenVINOLibrary.pathVariable, TensorFlowLibrary.pathVariable,
                OpenVINOGenAIInstallation.pathVariable,
            ] == [
                "MARTLET_LLAMA_PATH", "MARTLET_LITERT_PATH", "MARTLET_OPENVINO_PATH",
                "MARTLET_TENSORFLOW_PATH", "MARTLET_OPENVINO_GENAI_PATH",
            ])
    }
}
