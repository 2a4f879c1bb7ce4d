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
        /// Least time between two looks for what is left of files that are there no more.
        public var sweepInterval = Duration.seconds(600)

        /// The defaults.
        public init() {}
    }

    private struct State {
        var isClosed = false
        var marks: [LoadMark] = []
        var sweptAt: ContinuousClock.Instant?
    }

    /// How long a load that has to wait does so before it asks again.
    static let pause = Duration.milliseconds(100)

    private let folder: String
    private let options: Options
    private let state = Mutex(State())

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

    /// A version that is to be loaded; walks its folder.
    func entry(of id: ServableID, _ version: ModelDirectory.Version) -> LoadEntry {
        LoadEntry(
            id: id, version: version,
            file: LoadMarkFiles(folder: folder, version: version, memory: options.memory))
    }

    /// Whether a version can be loaded now: it is known that it can, or it is this process's turn
    /// to find that out.
    ///
    /// - Parameters:
    ///   - entry: the version; remembers what was seen.
    ///   - hasOthers: whether this process answers by other versions of the model meanwhile.
    /// - Returns: what to hold while it is loaded; `nil` for who has to ask again ``pause`` later.
    /// - Throws: `ServingError`: `FAILED_PRECONDITION` for files in quarantine, `UNAVAILABLE` for
    ///   a load that had to wait when the journal is closed.
    func turn(of entry: inout LoadEntry, hasOthers: Bool) throws -> LoadTurn? {
        guard hasOthers else { return .free }
        let ends = entry.file.ends()
        if ends == 0, entry.file.wasLoaded { return .free }
        try checkQuarantine(entry, ends: ends)
        let now = ContinuousClock.now
        if ends > 0 { entry.seenDeadSince = entry.seenDeadSince ?? now }
        let isPatient = entry.seenDeadSince.map { now - $0 < options.patience } ?? false
        if !isPatient, let mark = entry.file.takeTurn() { return LoadTurn(mark: mark) }
        try checkOpen()
        return nil
    }

    /// Loads a version whose turn it is, while a mark stands for it.
    ///
    /// - Parameters:
    ///   - entry: the version.
    ///   - load: loads it; blocks as long as that takes.
    /// - Returns: what `load` gives.
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`) for files in quarantine; what `load`
    ///   throws. A folder that cannot be written to stops no load.
    func perform<Loaded>(_ entry: LoadEntry, _ load: () throws -> Loaded) throws -> Loaded {
        try checkQuarantine(entry, ends: entry.file.ends())
        let mark = entry.file.begin()
        keep(mark)
        defer { forget(mark) }
        let loaded = try load()
        entry.file.didLoad()
        return loaded
    }

    /// Removes what is left of files that are there no more, unless that was done lately.
    func sweep() {
        let now = ContinuousClock.now
        let isDue = state.withLock { state in
            if let last = state.sweptAt, now - last < options.sweepInterval { return false }
            state.sweptAt = now
            return true
        }
        if isDue { LoadJournalSweep(folder: folder, memory: options.memory).run() }
    }

    /// Lets nobody wait any more once the journal is closed.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) then.
    func checkOpen() throws {
        guard !state.withLock(\.isClosed) else {
            throw ServingError(.unavailable, "The node is shutting down")
        }
    }

    /// Takes away the marks of this process, which ends in good order; loads that wait give up.
    public func close() {
        let marks = state.withLock { state in
            state.isClosed = true
            return state.marks
        }
        for mark in marks { mark.end() }
    }

    private func checkQuarantine(_ entry: LoadEntry, ends: Int) throws {
        guard ends >= options.endsMax else { return }
        let (id, path) = (entry.id, entry.version.path)
        throw ServingError(
            .failedPrecondition,
            "Version \(id.version) of model \(id.model) is in quarantine: \(ends) processes ended "
                + "while they loaded it. It is tried again when a file in \(path) changes; to try "
                + "it as it is, remove \(entry.file.pattern) and load the model")
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

/// A version that is to be loaded, as a journal knows it.
struct LoadEntry: Sendable {
    fileprivate let id: ServableID
    fileprivate let version: ModelDirectory.Version
    fileprivate let file: LoadMarkFiles
    /// Since when it is known that a process ended in a load of the same files.
    fileprivate var seenDeadSince: ContinuousClock.Instant?
}

/// The right to load a version now.
struct LoadTurn: Sendable {
    /// The turn of who need not wait for others.
    static let free = LoadTurn(mark: nil)

    fileprivate let mark: LoadMark?

    /// Lets another process of the machine try; a second time does nothing.
    func end() { mark?.end() }
}
