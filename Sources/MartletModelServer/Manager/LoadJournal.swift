internal import Foundation
import MartletCore
import MartletRepository
import Synchronization

/// Remembers, past the end of a process, which versions were being loaded when it ended.
///
/// An engine that crashes in a load takes its process along, and a supervisor starts that again, to
/// load the same files. Marks in a folder break the circle: one stands there while a version is
/// being loaded, locked by its process. A mark that nobody holds is of a process that died in the
/// load. Files that ended processes ``Options/endsMax`` times are in quarantine: not loaded before
/// they change. An end is forgotten when the files were loaded after all, or with time: it may have
/// been somebody's `kill -9`, or a lack of memory.
///
/// Nodes that share a folder share what they learn. A node that has other versions of the model to
/// lose lets another go first, and waits for what comes of it, so that never all are down at once.
public final class LoadJournal: Sendable {
    /// When files count as dangerous, and for how long.
    public struct Options: Sendable {
        /// Processes that ended in a load of the same files before these are in quarantine.
        public var endsMax = 2
        /// Time after which such an end is forgotten.
        public var memory = Duration.seconds(3600)
        /// How long a node with other versions to lose waits for another that died in a load to
        /// come back and try again.
        public var patience = Duration.seconds(60)

        /// The defaults.
        public init() {}
    }

    private struct State {
        var isClosed = false
        var marks: [LoadMark] = []
    }

    private let folder: String
    private let options: Options
    private let state = Mutex(State())
    private static let pause = 0.1

    /// Keeps the journal in a folder, which is made if it is not there; only this user may read it.
    ///
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) if there can be no such folder.
    public init(folder: String, options: Options = Options()) throws {
        self.folder = folder
        self.options = options
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw ServingError(
                .failedPrecondition,
                "The folder '\(folder)' of --load-journal cannot be made; name one that can",
                cause: error)
        }
    }

    /// Loads a version while a mark stands for it.
    ///
    /// - Parameters:
    ///   - id: the version, for messages.
    ///   - version: its folder.
    ///   - hasOthers: whether this process answers by other versions of the model meanwhile.
    ///   - load: loads it; blocks as long as that takes.
    /// - Returns: what `load` gives.
    /// - Throws: `ServingError`: `FAILED_PRECONDITION` for files in quarantine, `UNAVAILABLE` when
    ///   the journal is closed meanwhile; what `load` throws. A folder that cannot be written to
    ///   stops no load.
    func perform<Loaded>(
        _ id: ServableID, _ version: ModelDirectory.Version, hasOthers: Bool,
        _ load: () throws -> Loaded
    ) throws -> Loaded {
        let file = LoadMarkFiles(folder: folder, key: version.digest, memory: options.memory)
        let turn = hasOthers ? try awaitTurn(id, version, file) : nil
        defer { turn?.end() }
        try checkQuarantine(id, version, file, ends: file.ends())
        let mark = file.begin()
        keep(mark)
        defer { forget(mark) }
        let loaded = try load()
        file.didLoad()
        return loaded
    }

    /// Takes away the marks of this process, which ends in good order; loads that wait give up.
    public func close() {
        let marks = state.withLock { state in
            state.isClosed = true
            return state.marks
        }
        for mark in marks { mark.end() }
    }

    private func checkQuarantine(
        _ id: ServableID, _ version: ModelDirectory.Version, _ file: LoadMarkFiles, ends: Int
    ) throws {
        guard ends >= options.endsMax else { return }
        throw ServingError(
            .failedPrecondition,
            "Version \(id.version) of model \(id.model) is in quarantine: \(ends) processes ended "
                + "while they loaded it. It is tried again when a file in \(version.path) changes; "
                + "to try it as it is, remove \(file.pattern) and load the model")
    }

    /// Waits until it is known that the version can be loaded, or until it is this process's turn
    /// to find that out.
    private func awaitTurn(
        _ id: ServableID, _ version: ModelDirectory.Version, _ file: LoadMarkFiles
    ) throws -> LoadMark? {
        var seenDeadSince: ContinuousClock.Instant?
        while true {
            let ends = file.ends()
            if ends == 0, file.wasLoaded { return nil }
            try checkQuarantine(id, version, file, ends: ends)
            let now = ContinuousClock.now
            if ends > 0 { seenDeadSince = seenDeadSince ?? now }
            let isPatient = seenDeadSince.map { now - $0 < options.patience } ?? false
            if !isPatient, let turn = file.takeTurn() { return turn }
            guard !state.withLock(\.isClosed) else {
                throw ServingError(.unavailable, "The node is shutting down")
            }
            Thread.sleep(forTimeInterval: Self.pause)
        }
    }

    private func keep(_ mark: LoadMark?) {
        guard let mark else { return }
        let isClosed = state.withLock { state in
            state.marks.append(mark)
            return state.isClosed
        }
        if isClosed { mark.end() }
    }

    private func forget(_ mark: LoadMark?) {
        guard let mark else { return }
        state.withLock { $0.marks.removeAll { $0 === mark } }
        mark.end()
    }
}
