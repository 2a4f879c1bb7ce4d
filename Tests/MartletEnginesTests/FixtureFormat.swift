import Foundation
import MartletCore
import MartletEngines
import MartletRepository
import Testing

/// The tests of engines, one after the other: they measure the memory of the process they share.
@Suite("Engines", .serialized)
enum EngineTests {}

/// The form in which an engine's models are written.
struct FixtureFormat: Sendable {
    /// What the names of the fixtures in this form end with.
    let suffix: String

    /// Files that a model is nothing without.
    let files: [String]

    /// How many types of elements a model of this form can have.
    let typeCount: Int

    /// The artifact of a version in a folder.
    let describe: @Sendable (ServableID, String) throws -> ModelArtifact

    static let savedModel = FixtureFormat(
        suffix: "",
        files: [
            "saved_model.pb", "variables/variables.index",
            "variables/variables.data-00000-of-00001",
        ],
        typeCount: 16
    ) { id, path in
        let description = try SavedModelDescription(folder: path)
        return ModelArtifact(
            id: id, path: path, tags: description.tags, signatures: description.signatures,
            fileBytes: description.fileBytes)
    }

    static let tflite = FixtureFormat(
        suffix: "_tflite", files: ["model.tflite"], typeCount: 15
    ) { id, path in
        let description = try TFLiteDescription(folder: path)
        return ModelArtifact(
            id: id, path: path, format: .tfLite, tags: [], signatures: description.signatures,
            fileBytes: description.fileBytes, exampleSteps: description.exampleSteps)
    }
}

/// Where set-up put what the tests of engines need.
enum SetUp {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    static let fixtures = folder("MARTLET_FIXTURES", ".models/fixtures")

    /// The folder that an environment variable names, else the usual one.
    static func folder(_ variable: String, _ usual: String) -> String {
        ProcessInfo.processInfo.environment[variable] ?? "\(root)/\(usual)"
    }
}

/// Something that `make test` sets up is not there.
struct MissingSetUp: Error, CustomStringConvertible {
    let description: String

    init(_ reason: String) {
        description = "\(reason). `make test` sets up what the tests of engines need"
    }
}
