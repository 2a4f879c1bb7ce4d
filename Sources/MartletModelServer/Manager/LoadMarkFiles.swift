import Foundation
import MartletRepository

/// The marks of one version's files in a journal's folder.
struct LoadMarkFiles: Sendable {
    /// How the names of files end, behind the key.
    enum Ending {
        /// Held by the process that is the only one to try.
        static let turn = "-turn"
        /// Stands while the files have been loaded; holds the path of the version's folder.
        static let good = "-good"
        /// Begins the end of the name of a load's mark.
        static let load = "-load-"
    }

    private let folder: String
    private let key: String
    private let version: ModelDirectory.Version
    private let memory: Duration

    /// Walks the version's folder, for the key.
    ///
    /// - Parameters:
    ///   - folder: of the journal.
    ///   - version: whose files these stand for.
    ///   - memory: how long the end of a process counts.
    init(folder: String, version: ModelDirectory.Version, memory: Duration) {
        self.folder = folder
        self.version = version
        self.memory = memory
        key = version.digest
    }

    /// What all files' paths are like.
    var pattern: String { "\(folder)/\(key)*" }

    /// Whether some process loaded the files; others may have ended at them since.
    var wasLoaded: Bool { access(path(Ending.good), F_OK) == 0 }

    /// How many processes ended while they loaded the files.
    func ends() -> Int { deadMarks().count }

    /// A mark for a load that begins; `nil` if there can be none.
    func begin() -> LoadMark? { LoadMark.make(path(Ending.load + UUID().uuidString)) }

    /// The right to be the only one that tries; `nil` if another process has it.
    func takeTurn() -> LoadMark? { LoadMark.hold(shared: path(Ending.turn)) }

    /// The files were loaded: earlier ends were not their fault.
    func didLoad() {
        for path in deadMarks() { unlink(path) }
        let good = path(Ending.good)
        let hidden = LoadMark.hidden(beside: good)
        let isMade = FileManager.default.createFile(
            atPath: hidden, contents: Data(version.path.utf8),
            attributes: [.posixPermissions: 0o600])
        // Whole or not at all: what names no folder is swept away.
        if isMade, rename(hidden, good) != 0 { unlink(hidden) }
    }

    private func path(_ ending: String) -> String { "\(folder)/\(key)\(ending)" }

    private func deadMarks() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(key + Ending.load) }.map { "\(folder)/\($0)" }
            .filter { path in
                guard let age = LoadMark.age(ofUnheld: path) else { return false }
                guard age < memory else {
                    unlink(path)
                    return false
                }
                return true
            }
    }
}
