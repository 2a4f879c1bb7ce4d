import Foundation
import MartletRepository
import Synchronization

/// A file that this process holds the lock of, until it ends or the process does.
final class LoadMark: Sendable {
    private let path: String
    private let descriptor: Mutex<Int32?>

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = Mutex(descriptor)
    }

    deinit {
        if let left = descriptor.withLock({ $0 }) { close(left) }
    }

    /// Makes a file and holds its lock; `nil` if either cannot be.
    ///
    /// It gets its name once it is locked, so that nobody sees it without.
    static func make(_ path: String) -> LoadMark? {
        let hidden = hidden(beside: path)
        guard let descriptor = lock(hidden, O_CREAT | O_EXCL) else { return nil }
        guard rename(hidden, path) == 0 else {
            unlink(hidden)
            close(descriptor)
            return nil
        }
        return LoadMark(path: path, descriptor: descriptor)
    }

    /// Holds the lock of a file that processes hold in turn, made if it is not there; `nil` if
    /// another process holds it, or let go of it just now.
    static func hold(shared path: String) -> LoadMark? {
        guard let descriptor = lock(path, O_CREAT) else { return nil }
        // Who held it before may have removed it since it was opened here: then this is the lock
        // of no name, and another may hold that of the next file.
        guard let status = OpenFileStatus(descriptor: descriptor), status.linkCount > 0 else {
            close(descriptor)
            return nil
        }
        return LoadMark(path: path, descriptor: descriptor)
    }

    /// A name that nobody else uses, for a file that gets its own once it is complete.
    static func hidden(beside path: String) -> String {
        (path as NSString).deletingLastPathComponent + "/.\(UUID().uuidString)"
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

    /// Time since a file was written that no process holds the lock of; `nil` if one does, or
    /// there is no such file.
    static func age(ofUnheld path: String) -> Duration? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let changed = attributes?[.modificationDate] as? Date, !isHeld(path) else {
            return nil
        }
        return .seconds(-changed.timeIntervalSinceNow)
    }

    /// Removes the file, and only then lets go of the lock; a second time does nothing.
    func end() {
        let held = descriptor.withLock { descriptor in
            defer { descriptor = nil }
            return descriptor
        }
        guard let held else { return }
        unlink(path)
        close(held)
    }
}
