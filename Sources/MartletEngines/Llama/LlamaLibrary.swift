internal import CLlama
import MartletCore

/// llama.cpp's library with our shim over it, opened at run time.
public final class LlamaLibrary: Sendable {
    /// The environment variable that names the folder of the libraries.
    public static let pathVariable = folder.pathVariable

    private static let folder = EngineFolder(
        title: "llama.cpp", name: "llama", fileName: "libmartlet_llama.so")

    let api: martlet_llama

    /// The version that llama.cpp reports, such as `0.5.0-dev`.
    public let version: String

    /// What the library uses of the processor, such as `AVX2 = 1 | AVX512 = 1`, in one line.
    public let systemInfo: String

    /// Opens the libraries in `directory`; they stay open as long as the process lives.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install llama.cpp.
    public init(directory: String) throws {
        var api = martlet_llama()
        var reason = [CChar](repeating: 0, count: 1024)
        guard martlet_llama_open(directory, &api, &reason, reason.count) == 0 else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw LlamaLibrary.folder.missing(String(decoding: text, as: UTF8.self))
        }
        self.api = api
        version = api.version().map { String(cString: $0) } ?? "unknown"
        systemInfo = api.system_info().map { String(cString: $0) } ?? ""
    }

    /// The folder to open: `preferred` if given, else the environment's, else the first of the
    /// usual places that holds the library.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    public static func locate(preferred: String?) throws -> String {
        try folder.locate(preferred: preferred)
    }
}

extension LlamaLibrary {
    /// Throws unless a call succeeded.
    ///
    /// - Parameters:
    ///   - action: what could not be done, after "could not".
    ///   - call: gets where llama.cpp's reason goes, and gives its status.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` for what the caller could do better,
    ///   `RESOURCE_EXHAUSTED` for a full memory, `CANCELLED`, else `INTERNAL`.
    func check(
        _ action: @autoclosure () -> String,
        _ call: (UnsafeMutablePointer<martlet_llama_error>) -> Int32
    ) throws {
        var error = martlet_llama_error()
        let status = call(&error)
        guard Int(status) != MARTLET_LLAMA_OK else { return }
        throw LlamaLibrary.failure(status, error, action())
    }

    /// The object that a call gives through a parameter.
    func object(
        _ action: @autoclosure () -> String,
        _ call: (
            UnsafeMutablePointer<OpaquePointer?>, UnsafeMutablePointer<martlet_llama_error>
        ) -> Int32
    ) throws -> OpaquePointer {
        var object: OpaquePointer?
        try check(action()) { call(&object, $0) }
        guard let object else {
            throw ServingError(.internal, "llama.cpp gave nothing when asked to \(action())")
        }
        return object
    }

    static func failure(
        _ status: Int32, _ error: martlet_llama_error, _ action: String
    ) -> ServingError {
        let code: StatusCode =
            switch Int(status) {
            case MARTLET_LLAMA_INVALID: .invalidArgument
            case MARTLET_LLAMA_FULL: .resourceExhausted
            case MARTLET_LLAMA_CANCELLED: .cancelled
            default: .internal
            }
        let reason = withUnsafeBytes(of: error.message) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let line = reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        return ServingError(code, "llama.cpp could not \(action): \(line)")
    }
}
