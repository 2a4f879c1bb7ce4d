internal import Foundation
import MartletCore

/// A Python with OpenVINO GenAI, and the worker that drives it.
public struct OpenVINOGenAIInstallation: Sendable, Equatable {
    /// The environment variable that names the folder.
    public static let pathVariable = "MARTLET_OPENVINO_GENAI_PATH"

    static let workerName = "martlet_genai_worker.py"

    /// The interpreter.
    public let python: String

    /// The worker's program.
    public let worker: String

    /// The installation in a folder: a virtual environment, with the worker in it.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install OpenVINO GenAI.
    public init(directory: String) throws {
        python = directory + "/bin/python3"
        worker = directory + "/" + OpenVINOGenAIInstallation.workerName
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw OpenVINOGenAIInstallation.missing("there is no \(python)")
        }
        guard FileManager.default.isReadableFile(atPath: worker) else {
            throw OpenVINOGenAIInstallation.missing("there is no \(worker)")
        }
    }

    /// The folder: `preferred` if given, else the environment's, else the first of the usual places
    /// that holds a worker.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    public static func locate(preferred: String?) throws -> String {
        let environment = ProcessInfo.processInfo.environment[pathVariable]
        if let chosen = preferred ?? environment { return chosen }
        let executable = Bundle.main.executableURL?.resolvingSymlinksInPath()
            .deletingLastPathComponent().path
        let places = [
            executable.map { $0 + "/../lib/martlet/openvino-genai" },
            ".engines/openvino-genai", "/usr/local/lib/martlet/openvino-genai",
            "/usr/lib/martlet/openvino-genai",
        ].compactMap { $0 }
        let found = places.first {
            FileManager.default.fileExists(atPath: "\($0)/\(workerName)")
        }
        guard let found else {
            throw missing("not found in \(places.joined(separator: ", "))")
        }
        return found
    }

    private static func missing(_ reason: String) -> ServingError {
        ServingError(
            .unavailable,
            "OpenVINO GenAI cannot be run: \(reason). To install it, run "
                + "'scripts/setup.sh openvino-genai', or name its folder with "
                + "--openvino-genai-path or \(pathVariable)")
    }
}
