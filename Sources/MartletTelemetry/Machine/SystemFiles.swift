internal import Foundation

/// The files in which the kernel tells of the machine, under `/proc` and `/sys`.
public struct SystemFiles: Sendable {
    /// Longest file that is read, in bytes.
    private static let maximumBytes = 1 << 20

    /// Stands before every path; empty but in tests.
    private let root: String

    /// Creates a view; tests give a folder that stands for `/`.
    public init(root: String = "") {
        self.root = root
    }

    /// The text of a file, `nil` if it is not there or cannot be read.
    public func text(_ path: String) -> String? {
        guard let handle = FileHandle(forReadingAtPath: root + path) else { return nil }
        defer { try? handle.close() }
        // Files of the kernel have no size, and may end early at each read.
        var bytes = Data()
        while bytes.count < SystemFiles.maximumBytes,
            let part = try? handle.read(upToCount: 1 << 16), !part.isEmpty
        {
            bytes += part
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The whole number that a file holds.
    public func number(_ path: String) -> Int? {
        text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    }

    /// The names in a folder, sorted; none if there is no such folder.
    public func names(in path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: root + path)) ?? []).sorted()
    }

    /// The value behind a name and a colon in a file of such lines, such as `MemTotal:`.
    public func value(_ name: String, in path: String) -> String? {
        SystemFiles.value(name, in: text(path) ?? "")
    }

    /// The value behind a name and a colon in a text of such lines.
    static func value(_ name: String, in text: String) -> String? {
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == name else {
                continue
            }
            return parts[1].trimmingCharacters(in: .whitespaces)
        }
        return nil
    }
}
