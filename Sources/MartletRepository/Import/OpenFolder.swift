internal import Foundation
import MartletCore

/// An open folder, in which files are named by plain names only.
///
/// Everything is done relative to it and no link in it is followed, so that whoever exchanges a
/// folder on the way for a link gets an error, not a file written elsewhere.
final class OpenFolder {
    let descriptor: Int32
    /// For messages, and for those who read only.
    let path: String

    /// Opens the folder at a path; it may be a link.
    convenience init(path: String) throws {
        try self.init(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path: path)
    }

    private init(_ descriptor: Int32, path: String) throws {
        guard descriptor >= 0 else { throw OpenFolder.failure("open", path) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { close(descriptor) }

    /// A folder in it, which is no link, made where it is missing.
    func folder(_ name: String, mode: mode_t = 0o755) throws -> OpenFolder {
        try check(name)
        if mkdirat(descriptor, name, mode) != 0, errno != EEXIST { throw failure("make", name) }
        return try OpenFolder(
            openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
            path: "\(path)/\(name)")
    }

    /// A file in it, which is no link, made where it is missing.
    func file(_ name: String) throws -> Int32 {
        try check(name)
        let file = openat(
            descriptor, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard file >= 0 else { throw failure("open", name) }
        guard let status = OpenFileStatus(descriptor: file), status.isRegular,
            status.linkCount == 1
        else {
            close(file)
            throw ServingError.invalidArgument("\(path)/\(name) is not a file of its own")
        }
        return file
    }

    /// Whether there is anything of a name, be it a link to nothing.
    func contains(_ name: String) throws -> Bool {
        try check(name)
        var status = stat()
        return fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0
    }

    /// Gives what is in it a name in a folder of the same file system, in one step.
    func rename(_ name: String, to other: OpenFolder, as newName: String) throws {
        try check(name)
        try check(newName)
        guard renameat(descriptor, name, other.descriptor, newName) == 0 else {
            throw failure("rename", name)
        }
    }

    /// Removes a file, if there is one.
    func remove(_ name: String) throws {
        try check(name)
        if unlinkat(descriptor, name, 0) != 0, errno != ENOENT { throw failure("remove", name) }
    }

    /// Removes an empty folder, if there is one.
    func removeFolder(_ name: String) throws {
        try check(name)
        if unlinkat(descriptor, name, AT_REMOVEDIR) != 0, errno != ENOENT {
            throw failure("remove", name)
        }
    }

    /// Whether it is still what its parent has under a name.
    func isStill(_ name: String, in parent: OpenFolder) throws -> Bool {
        try parent.check(name)
        var own = stat()
        var named = stat()
        return fstat(descriptor, &own) == 0
            && fstatat(parent.descriptor, name, &named, AT_SYMLINK_NOFOLLOW) == 0
            && own.st_ino == named.st_ino && own.st_dev == named.st_dev
    }

    /// Keeps others out until this is given back; `false` where somebody else is in.
    func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    /// Has its entries on disk.
    func synchronize() throws {
        guard fsync(descriptor) == 0 else { throw OpenFolder.failure("write", path) }
    }

    /// Bytes that may still be written to its file system.
    var freeBytes: Int {
        var status = statvfs()
        guard fstatvfs(descriptor, &status) == 0 else { return .max }
        let (bytes, overflows) = UInt64(status.f_bavail)
            .multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflows ? .max : Int(clamping: bytes)
    }

    private func check(_ name: String) throws {
        guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(0x2F),
            !name.utf8.contains(0)
        else { throw ServingError.invalidArgument("'\(name.shown)' is not a plain name") }
    }

    private func failure(_ action: String, _ name: String) -> ServingError {
        OpenFolder.failure(action, "\(path)/\(name)")
    }

    private static func failure(_ action: String, _ path: String) -> ServingError {
        let code: StatusCode =
            switch errno {
            case ENOENT: .notFound
            case EACCES, EPERM, EROFS: .permissionDenied
            case ENOSPC, EDQUOT, EFBIG: .resourceExhausted
            case EEXIST, ENOTEMPTY: .alreadyExists
            case ELOOP, ENOTDIR: .invalidArgument
            default: .internal
            }
        let reason =
            errno == ELOOP || errno == ENOTDIR
            ? "it is a link or no folder, and nothing is followed here"
            : String(cString: strerror(errno))
        return ServingError(code, "Cannot \(action) \(path): \(reason)")
    }
}
