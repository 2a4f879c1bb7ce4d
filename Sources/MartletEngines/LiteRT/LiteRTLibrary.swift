internal import CLiteRT
import MartletCore

/// LiteRT's shared library, opened at run time.
public final class LiteRTLibrary: Sendable {
    /// The environment variable that names the folder of the library.
    public static let pathVariable = folder.pathVariable

    private static let folder = EngineFolder(
        title: "LiteRT", name: "litert", fileName: "libLiteRt.so")

    let api: martlet_litert
    // LiteRT's settings for the whole process; never changed nor destroyed.
    nonisolated(unsafe) let environment: OpaquePointer

    /// Opens the library in `directory`; it stays open as long as the process lives.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that says how to install LiteRT.
    public init(directory: String) throws {
        var api = martlet_litert()
        var environment: OpaquePointer?
        var reason = [CChar](repeating: 0, count: 1024)
        let status = martlet_litert_open(directory, &api, &environment, &reason, reason.count)
        guard status == 0, let environment else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw LiteRTLibrary.folder.missing(String(decoding: text, as: UTF8.self))
        }
        self.api = api
        self.environment = environment
    }

    /// The folder to open: `preferred` if given, else the environment's, else the first of the
    /// usual places that holds the library.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    public static func locate(preferred: String?) throws -> String {
        try folder.locate(preferred: preferred)
    }
}

extension LiteRTLibrary {
    /// Throws unless a call succeeded.
    func check(_ status: Int32, _ action: @autoclosure () -> String) throws {
        guard Int(status) == MARTLET_LITERT_OK else {
            throw ServingError(.internal, "LiteRT could not \(action()) (status \(status))")
        }
    }

    /// What a call gives through its last parameter.
    func value<Value>(
        _ initial: Value, _ action: @autoclosure () -> String,
        _ call: (UnsafeMutablePointer<Value>) -> Int32
    ) throws -> Value {
        var value = initial
        try check(call(&value), action())
        return value
    }

    /// The object that a call gives through its last parameter.
    func object(
        _ action: @autoclosure () -> String,
        _ call: (UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws -> OpaquePointer {
        guard let object = try value(nil, action(), call) else {
            throw ServingError(.internal, "LiteRT gave nothing when asked to \(action())")
        }
        return object
    }

    /// All objects of a list that LiteRT gives one by one.
    func objects(
        _ action: @autoclosure () -> String,
        count: (UnsafeMutablePointer<Int>) -> Int32,
        at: (Int, UnsafeMutablePointer<OpaquePointer?>) -> Int32
    ) throws -> [OpaquePointer] {
        let total = try value(0, action(), count)
        return try (0..<max(total, 0)).map { index in try object(action()) { at(index, $0) } }
    }
}
