internal import CTensorFlow
internal import Foundation
import MartletCore

/// TensorFlow's shared libraries, opened at run time.
public final class TensorFlowLibrary: Sendable {
    /// The environment variable that names the folder of the libraries.
    public static let pathVariable = "MARTLET_TENSORFLOW_PATH"

    let api: martlet_tf

    /// The version TensorFlow reports, such as `2.21.0`.
    public let version: String

    /// What the libraries printed to standard error while they were opened, line by line.
    ///
    /// It is kept from standard error, where it would stand between log lines that programs read.
    public let messages: [String]

    /// Opens the libraries in `directory`; they stay open as long as the process lives.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install TensorFlow.
    public init(directory: String) throws {
        // TensorFlow prints to stderr by itself; keep errors only unless the operator chose.
        setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0)
        // oneDNN's kernels otherwise draw on a pool that keeps the most it ever held, so that the
        // weights of an unloaded model are never returned.
        setenv("TF_ONEDNN_USE_SYSTEM_ALLOCATOR", "1", 0)
        ProcessHeap.keepFreed()
        var api = martlet_tf()
        var reason = [CChar](repeating: 0, count: 1024)
        var printed: UnsafeMutablePointer<CChar>?
        defer { free(printed) }
        guard martlet_tf_open(directory, &api, &reason, reason.count, &printed) == 0 else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
            throw TensorFlowLibrary.missing("\(text)")
        }
        self.api = api
        version = api.Version().map { String(cString: $0) } ?? "unknown"
        messages = printed.map { String(cString: $0).split(separator: "\n").map(String.init) } ?? []
    }

    /// The folder to open: `preferred` if given, else the environment's, else the first of the
    /// usual places that holds the library.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    public static func locate(preferred: String?) throws -> String {
        let environment = ProcessInfo.processInfo.environment[pathVariable]
        if let chosen = preferred ?? environment { return chosen }
        let executable = Bundle.main.executableURL?.resolvingSymlinksInPath()
            .deletingLastPathComponent().path
        let places = [
            executable.map { $0 + "/../lib/martlet/tensorflow" },
            ".engines/tensorflow", "/usr/local/lib/martlet/tensorflow",
            "/usr/lib/martlet/tensorflow",
        ].compactMap { $0 }
        let found = places.first {
            FileManager.default.fileExists(atPath: $0 + "/libtensorflow_cc.so.2")
        }
        guard let found else {
            throw missing("not found in \(places.joined(separator: ", "))")
        }
        return found
    }

    private static func missing(_ reason: String) -> ServingError {
        ServingError(
            .unavailable,
            "The TensorFlow engine cannot be opened: \(reason). To install it, run "
                + "'scripts/setup.sh engine', or name the folder that holds libtensorflow_cc.so.2 "
                + "and libtensorflow_framework.so.2 with --tensorflow-path or \(pathVariable)")
    }
}
