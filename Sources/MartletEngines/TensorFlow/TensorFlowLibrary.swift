internal import CTensorFlow
internal import Foundation
import MartletCore

/// TensorFlow's shared libraries, opened at run time.
public final class TensorFlowLibrary: Sendable {
    /// The environment variable that names the folder of the libraries.
    public static let pathVariable = folder.pathVariable

    private static let folder = EngineFolder(
        title: "TensorFlow", name: "tensorflow", fileName: "libtensorflow_cc.so.2",
        libraries: "libtensorflow_cc.so.2 and libtensorflow_framework.so.2", setup: "engine")

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
            throw TensorFlowLibrary.folder.missing("\(text)")
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
        try folder.locate(preferred: preferred)
    }
}
