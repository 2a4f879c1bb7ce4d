internal import COpenVINO
import MartletCore

/// OpenVINO's shared libraries, opened at run time.
public final class OpenVINOLibrary: Sendable {
    /// The environment variable that names the folder of the libraries.
    public static let pathVariable = folder.pathVariable

    private static let folder = EngineFolder(
        title: "OpenVINO", name: "openvino", fileName: "libopenvino_c.so", allowsSuffix: true)

    let api: martlet_openvino
    // OpenVINO's list of devices for the whole process; thread-safe and never destroyed.
    nonisolated(unsafe) let core: OpaquePointer

    /// The version OpenVINO reports, such as `2026.4.1-22982`.
    public let version: String

    /// Opens the libraries in `directory`; they stay open as long as the process lives.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install OpenVINO.
    public init(directory: String) throws {
        var api = martlet_openvino()
        var reason = [CChar](repeating: 0, count: 1024)
        guard martlet_openvino_open(directory, &api, &reason, reason.count) == 0 else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw OpenVINOLibrary.folder.missing(String(decoding: text, as: UTF8.self))
        }
        var core: OpaquePointer?
        guard api.core_create(&core) == 0, let core else {
            throw OpenVINOLibrary.folder.missing("it does not start")
        }
        // Weights that are mapped from a file end the process when somebody cuts the file short.
        guard martlet_openvino_set_property(&api, core, "ENABLE_MMAP", "NO") == 0 else {
            throw OpenVINOLibrary.folder.missing("it cannot be told to copy weights")
        }
        self.api = api
        self.core = core
        version = OpenVINOLibrary.version(api)
    }

    private static func version(_ api: martlet_openvino) -> String {
        var version = martlet_ov_version()
        guard api.get_openvino_version(&version) == 0 else { return "unknown" }
        defer { api.version_free(&version) }
        // The version, the build, the commit and the branch.
        let text = version.build.map { String(cString: $0) } ?? "unknown"
        return text.split(separator: "-").prefix(2).joined(separator: "-")
    }

    /// The folder to open: `preferred` if given, else the environment's, else the first of the
    /// usual places that holds the library.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    public static func locate(preferred: String?) throws -> String {
        try folder.locate(preferred: preferred)
    }
}

extension OpenVINOLibrary {
    /// Whether the processor computes with 16-bit numbers by itself.
    var hasFastPrecision: Bool {
        var value: UnsafeMutablePointer<CChar>?
        let status = api.core_get_property(
            core, OpenVINODevice.processor, "OPTIMIZATION_CAPABILITIES", &value)
        guard status == 0, let value else { return false }
        defer { api.free(value) }
        return String(cString: value).split(separator: " ").contains { $0.hasPrefix("BF16") }
    }

    /// Throws unless a call succeeded.
    ///
    /// - Parameters:
    ///   - status: what the call returned.
    ///   - code: what the error is to clients.
    ///   - action: what could not be done.
    /// - Throws: `ServingError` with OpenVINO's text.
    func check(
        _ status: Int32, as code: StatusCode = .internal, _ action: @autoclosure () -> String
    ) throws {
        guard Int(status) != MARTLET_OPENVINO_OK else { return }
        // The text is that of the last failure of any thread; the action is always right.
        let text = api.get_last_err_msg().map { String(cString: $0) } ?? ""
        let reason = OpenVINOMessage(text).summary
        throw ServingError(
            code,
            "OpenVINO could not \(action())"
                + (reason.isEmpty ? " (status \(status))" : ": \(reason)"))
    }

    /// The object that a call gives through its last parameter.
    func object(
        as code: StatusCode = .internal, _ action: @autoclosure () -> String,
        _ call: (UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws -> OpaquePointer {
        var object: OpaquePointer?
        try check(call(&object), as: code, action())
        guard let object else {
            throw ServingError(.internal, "OpenVINO gave nothing when asked to \(action())")
        }
        return object
    }

    /// The number that a call gives through its last parameter.
    func number<Number: FixedWidthInteger>(
        _ action: @autoclosure () -> String, _ call: (UnsafeMutablePointer<Number>) -> Int32
    ) throws -> Number {
        var number: Number = 0
        try check(call(&number), action())
        return number
    }
}

/// Names of OpenVINO's devices.
enum OpenVINODevice {
    static let processor = "CPU"
}
