internal import Foundation
import MartletCore
import MartletRepository

/// Files of bounded size and number, of which the newest is written to.
///
/// Names carry the time and the process, so that several nodes may share a prefix; a file that
/// another process still writes to is locked, and never removed.
struct RotatingFile: ~Copyable {
    private static let filePermissions: mode_t = 0o600
    private static let folderPermissions = 0o700
    private static let maximumNameTries = 100

    private let prefix: String
    private let suffix: String
    private let maximumBytes: Int
    private let maximumFiles: Int
    private var descriptor: Int32?
    private var byteCount = 0
    private var sequence = 0

    /// Describes the files; the first is made when something is written.
    init(_ configuration: RequestLogConfiguration) {
        prefix = configuration.filenamePrefix
        suffix = ".\(configuration.format.fileExtension)"
        maximumBytes = configuration.maximumFileBytes
        maximumFiles = max(1, configuration.maximumFiles)
    }

    deinit {
        if let descriptor { _ = close(descriptor) }
    }

    /// Writes bytes whole, or leaves the file as it was.
    ///
    /// - Throws: `ServingError` with the system's reason.
    mutating func write(_ bytes: [UInt8]) throws {
        if isRemoved || byteCount > 0 && bytes.count > maximumBytes - byteCount { closeFile() }
        let descriptor = try self.descriptor ?? openNext()
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Foundation.write(
                    descriptor, raw.baseAddress?.advanced(by: written), raw.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let reason = String(cString: strerror(errno))
                // Half a record would make all that follow it unreadable.
                if written > 0, ftruncate(descriptor, off_t(byteCount)) != 0 { closeFile() }
                throw ServingError(.unavailable, "\(prefix)*\(suffix) cannot be written: \(reason)")
            }
            written += count
        }
        byteCount += bytes.count
    }

    /// Whether somebody removed the file: as long as it is open, its space on the disk is taken.
    private var isRemoved: Bool {
        guard let descriptor else { return false }
        return OpenFileStatus(descriptor: descriptor)?.linkCount == 0
    }

    private mutating func closeFile() {
        if let descriptor { _ = close(descriptor) }
        descriptor = nil
        byteCount = 0
    }

    private mutating func openNext() throws -> Int32 {
        let folder = (prefix as NSString).deletingLastPathComponent
        if !folder.isEmpty {
            try? FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: RotatingFile.folderPermissions])
        }
        let opened = try create()
        _ = flock(opened, LOCK_EX | LOCK_NB)
        descriptor = opened
        byteCount = 0
        removeOldest(in: folder.isEmpty ? "." : folder)
        return opened
    }

    /// Makes a file whose name no other has.
    private mutating func create() throws -> Int32 {
        var path = ""
        for _ in 0..<RotatingFile.maximumNameTries {
            sequence += 1
            let number = String(format: "%06d", sequence)
            path = "\(prefix)-\(RotatingFile.timestamp())-\(getpid())-\(number)\(suffix)"
            let opened = open(
                path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
                RotatingFile.filePermissions)
            if opened >= 0 { return opened }
            // Another log of this process may have the same prefix.
            guard errno == EEXIST else { break }
        }
        let reason = String(cString: strerror(errno))
        throw ServingError(.unavailable, "\(path) cannot be created: \(reason)")
    }

    /// Removes all but the newest files of this prefix.
    private func removeOldest(in folder: String) {
        let start = (prefix as NSString).lastPathComponent + "-"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        let ours = names.filter { RotatingFile.isLog($0, start: start, suffix: suffix) }.sorted()
        for name in ours.dropLast(maximumFiles) {
            let path = "\(folder)/\(name)"
            let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard file >= 0 else { continue }
            if flock(file, LOCK_EX | LOCK_NB) == 0 { _ = unlink(path) }
            _ = close(file)
        }
    }

    /// Whether a name is one that ``openNext()`` makes, so that nothing else is ever removed.
    static func isLog(_ name: String, start: String, suffix: String) -> Bool {
        guard name.hasPrefix(start), name.hasSuffix(suffix),
            name.utf8.count >= start.utf8.count + suffix.utf8.count
        else { return false }
        let parts = name.dropFirst(start.count).dropLast(suffix.count).split(
            separator: "-", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0].count == 16
            && parts[0].allSatisfy { $0.isASCII && $0.isNumber || $0 == "T" || $0 == "Z" }
            && parts[1...].allSatisfy { !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }
    }

    /// The time in a form that sorts, such as `20261124T103000Z`.
    private static func timestamp() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        return String(
            format: "%04d%02d%02dT%02d%02d%02dZ", parts.tm_year + 1900, parts.tm_mon + 1,
            parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec)
    }
}
