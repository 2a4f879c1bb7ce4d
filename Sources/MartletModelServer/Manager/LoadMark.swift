import Foundation
import Synchronization

/// A file that this process holds the lock of, until it ends or the process does.
final class LoadMark: Sendable {
    private let path: String
    private let isShared: Bool
    private let descriptor: Mutex<Int32?>

    private init(path: String, isShared: Bool, descriptor: Int32) {
        self.path = path
        self.isShared = isShared
        self.descriptor = Mutex(descriptor)
    }

    deinit {
        if let left = descriptor.withLock({ $0 }) { close(left) }
    }

    /// Makes a file and holds its lock; `nil` if either cannot be.
    ///
    /// It gets its name once it is locked, so that nobody sees it without.
    static func make(_ path: String) -> LoadMark? {
        let hidden = (path as NSString).deletingLastPathComponent + "/.\(UUID().uuidString)"
        guard let descriptor = lock(hidden, O_CREAT | O_EXCL) else { return nil }
        guard rename(hidden, path) == 0 else {
            unlink(hidden)
            close(descriptor)
            return nil
        }
        return LoadMark(path: path, isShared: false, descriptor: descriptor)
    }

    /// Holds the lock of a file that processes hold in turn, made if it is not there and never
    /// removed; `nil` if another process holds it.
    static func hold(shared path: String) -> LoadMark? {
        lock(path, O_CREAT).map { LoadMark(path: path, isShared: true, descriptor: $0) }
    }

    private static func lock(_ path: String, _ flags: Int32) -> Int32? {
        let descriptor = open(path, O_RDWR | O_CLOEXEC | flags, 0o600)
        guard descriptor >= 0 else { return nil }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            return nil
        }
        return descriptor
    }

    /// Whether a process holds the lock of a file.
    static func isHeld(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }

    /// Lets go of the lock, and removes the file unless it is shared; a second time does nothing.
    func end() {
        let held = descriptor.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        guard let held else { return }
        if !isShared { unlink(path) }
        close(held)
    }
}

/// The marks of one version's files in a journal's folder.
struct LoadMarkFiles {
    private let folder: String
    private let key: String
    private let memory: Duration

    /// - Parameters:
    ///   - folder: of the journal.
    ///   - key: stands for the version's files; a name.
    ///   - memory: how long the end of a process counts.
    init(folder: String, key: String, memory: Duration) {
        self.folder = folder
        self.key = key
        self.memory = memory
    }

    /// What all files' paths are like.
    var pattern: String { "\(folder)/\(key)*" }

    /// Whether some process loaded the files; others may have ended at them since.
    var wasLoaded: Bool { access(good, F_OK) == 0 }

    /// How many processes ended while they loaded the files.
    func ends() -> Int { deadMarks().count }

    /// A mark for a load that begins; `nil` if there can be none.
    func begin() -> LoadMark? {
        LoadMark.make("\(folder)/\(key)-load-\(UUID().uuidString)")
    }

    /// The right to be the only one that tries; `nil` if another process has it.
    func takeTurn() -> LoadMark? { LoadMark.hold(shared: "\(folder)/\(key)-turn") }

    /// The files were loaded: earlier ends were not their fault.
    func didLoad() {
        for path in deadMarks() { unlink(path) }
        close(open(good, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
    }

    private var good: String { "\(folder)/\(key)-good" }

    private func deadMarks() -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix("\(key)-load-") }.map { "\(folder)/\($0)" }
            .filter { path in
                let attributes = try? FileManager.default.attributesOfItem(atPath: path)
                guard let changed = attributes?[.modificationDate] as? Date,
                    !LoadMark.isHeld(path)
                else { return false }
                guard Duration.seconds(-changed.timeIntervalSinceNow) < memory else {
                    unlink(path)
                    return false
                }
                return true
            }
    }
}
