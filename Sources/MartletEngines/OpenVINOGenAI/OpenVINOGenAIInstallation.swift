internal import Foundation
import MartletCore

/// A Python with OpenVINO GenAI, and the worker that drives it.
public struct OpenVINOGenAIInstallation: Sendable, Equatable {
    private static let folder = EngineFolder(
        title: "OpenVINO GenAI", name: "openvino-genai", fileName: "martlet_genai_worker.py")

    /// The environment variable that names the folder.
    public static let pathVariable = folder.pathVariable

    /// The interpreter.
    public let python: String

    /// The worker's program.
    public let worker: String

    /// The installation in a folder: a virtual environment, with the worker in it.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install OpenVINO GenAI.
    public init(directory: String) throws {
        python = directory + "/bin/python3"
        worker = directory + "/" + OpenVINOGenAIInstallation.folder.fileName
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw OpenVINOGenAIInstallation.folder.missing("there is no \(python)")
        }
        guard FileManager.default.isReadableFile(atPath: worker) else {
            throw OpenVINOGenAIInstallation.folder.missing("there is no \(worker)")
        }
    }

    /// The folder: `preferred` if given, else the environment's, else the first of the usual places
    /// that holds a worker.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    public static func locate(preferred: String?) throws -> String {
        try folder.locate(preferred: preferred)
    }
}
