internal import Foundation
import MartletCore

/// Where an engine's shared libraries are looked for, and what is said when they cannot be opened.
struct EngineFolder: Sendable {
    /// What users call the engine, such as `LiteRT`.
    let title: String

    /// Its name in flags, the environment and folders, such as `litert`.
    let name: String

    /// The library that shows that a folder is the right one.
    let fileName: String

    /// Whether a name that goes on behind ``fileName``, such as by a version, will do.
    var allowsSuffix = false

    /// The libraries, as messages name them; `nil` for ``fileName``.
    var libraries: String?

    /// What installs it, behind `scripts/setup.sh`; `nil` for ``name``.
    var setup: String?

    /// The environment variable that names the folder.
    var pathVariable: String {
        "MARTLET_\(name.uppercased().replacingOccurrences(of: "-", with: "_"))_PATH"
    }

    /// The folder to open: `preferred` if given, else the environment's, else the first of the
    /// usual places that holds the library.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) that lists the places searched.
    func locate(preferred: String?) throws -> String {
        let environment = ProcessInfo.processInfo.environment[pathVariable]
        if let chosen = preferred ?? environment { return chosen }
        let executable = Bundle.main.executableURL?.resolvingSymlinksInPath()
            .deletingLastPathComponent().path
        return try locate(executableFolder: executable)
    }

    /// The first of the usual places that holds the library.
    func locate(executableFolder: String?) throws -> String {
        let places =
            (executableFolder.map { ["\($0)/../lib/martlet/\(name)"] } ?? []) + [
                ".engines/\(name)", "/usr/local/lib/martlet/\(name)", "/usr/lib/martlet/\(name)",
            ]
        guard let found = places.first(where: holdsLibrary) else {
            throw missing("not found in \(places.joined(separator: ", "))")
        }
        return found
    }

    private func holdsLibrary(_ place: String) -> Bool {
        guard allowsSuffix else {
            return FileManager.default.fileExists(atPath: "\(place)/\(fileName)")
        }
        let names = try? FileManager.default.contentsOfDirectory(atPath: place)
        return names?.contains { $0.hasPrefix(fileName) } ?? false
    }

    /// The error for an engine that cannot be opened, which says how to install it.
    func missing(_ reason: String) -> ServingError {
        ServingError(
            .unavailable,
            "The \(title) engine cannot be opened: \(reason). To install it, run "
                + "'scripts/setup.sh \(setup ?? name)', or name the folder that holds "
                + "\(libraries ?? fileName) with --\(name)-path or \(pathVariable)")
    }
}
