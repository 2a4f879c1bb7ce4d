internal import Foundation
import MartletCore

/// The files below a folder, as far as the system tells; contents are not read.
///
/// Links are followed: versions and weights are often links into a shared store.
struct FileTree {
    /// Most entries looked at; a folder with more is cut off, not refused.
    static let maximumEntries = 100_000

    /// Deepest folder looked into, so that a link to a folder above it ends.
    static let maximumDepth = 32

    let path: String

    /// A number that changes with any file's name, size or modification time, and when another
    /// takes its place; `nil` when `path` is not a folder.
    var fingerprint: Int? {
        guard isFolder else { return nil }
        var hasher = Hasher()
        forEachFile { name, file in
            hasher.combine(name)
            hasher.combine(file.number)
            hasher.combine(file.size)
            hasher.combine(file.modifiedSeconds)
            hasher.combine(file.modifiedNanoseconds)
        }
        return hasher.finalize()
    }

    /// Like ``fingerprint``, but the same in all processes: half a SHA-256, in hexadecimal digits.
    var digest: String {
        var sum = SHA256Summing()
        func add(_ line: String) { Array("\(line)\n".utf8).withUnsafeBytes { sum.add($0) } }
        add(path)
        forEachFile { name, file in
            add("\(name)\0\(file.size) \(file.modifiedSeconds) \(file.modifiedNanoseconds)")
        }
        return String(sum.checksum.description.prefix(32))
    }

    /// The sum of all files' sizes.
    var byteCount: Int {
        var total = 0
        forEachFile { _, file in total = total.addingReportingOverflow(file.size).partialValue }
        return total
    }

    /// Whether `path` is a folder, or a link to one.
    var isFolder: Bool { FileEntry(path: path)?.isFolder ?? false }

    /// The size of a file, `nil` if it is not there.
    static func size(of path: String) -> Int? { FileEntry(path: path)?.size }

    /// What changes when a file is written or another takes its place; `nil` if it is not there.
    static func fingerprint(of path: String) -> String? {
        FileEntry(path: path).map {
            "\($0.number)-\($0.size)-\($0.modifiedSeconds)-\($0.modifiedNanoseconds)"
        }
    }

    /// What a name in a folder stands for.
    enum Kind {
        case file
        case folder
        /// A pipe, socket or device.
        case other
        /// A link to nothing.
        case nothing
    }

    /// Calls `body` with each name below the folder.
    ///
    /// - Throws: what `body` throws; `ServingError` (`INVALID_ARGUMENT`) for a tree that is too
    ///   large or too deep to be looked at in full.
    func forEachEntry(_ body: (String, Kind) throws -> Void) throws {
        var pending = [(name: "", depth: 0)]
        var remaining = FileTree.maximumEntries
        while let (folder, depth) = pending.popLast() {
            guard depth <= FileTree.maximumDepth else {
                throw ServingError.invalidArgument(
                    "\(path)/\(folder) is more than \(FileTree.maximumDepth) folders deep")
            }
            let names = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")
            for name in (names ?? []).sorted() {
                guard remaining > 0 else {
                    throw ServingError.invalidArgument(
                        "\(path) holds more than \(FileTree.maximumEntries) files")
                }
                remaining -= 1
                let relative = folder.isEmpty ? name : "\(folder)/\(name)"
                let kind = FileEntry(path: "\(path)/\(relative)")?.kind ?? .nothing
                try body(relative, kind)
                if kind == .folder { pending.append((relative, depth + 1)) }
            }
        }
    }

    private func forEachFile(_ body: (String, FileEntry) -> Void) {
        var remaining = FileTree.maximumEntries
        walk("", depth: 0, remaining: &remaining, body)
    }

    private func walk(
        _ folder: String, depth: Int, remaining: inout Int, _ body: (String, FileEntry) -> Void
    ) {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "\(path)/\(folder)")
        for name in (names ?? []).sorted() where remaining > 0 {
            remaining -= 1
            let relative = folder.isEmpty ? name : "\(folder)/\(name)"
            guard let entry = FileEntry(path: "\(path)/\(relative)") else { continue }
            if entry.isFolder, depth < FileTree.maximumDepth {
                walk(relative, depth: depth + 1, remaining: &remaining, body)
            } else if !entry.isFolder {
                body(relative, entry)
            }
        }
    }
}

/// What the system tells of a file, through links.
private struct FileEntry {
    let kind: FileTree.Kind
    let number: UInt64
    let size: Int
    let modifiedSeconds: Int
    let modifiedNanoseconds: Int

    var isFolder: Bool { kind == .folder }

    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFDIR: .folder
            case S_IFREG: .file
            default: .other
            }
        number = UInt64(status.st_ino)
        size = Int(status.st_size)
        modifiedSeconds = status.st_mtim.tv_sec
        modifiedNanoseconds = status.st_mtim.tv_nsec
    }
}
