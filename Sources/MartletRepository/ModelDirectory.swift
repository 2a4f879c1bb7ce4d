import MartletCore

/// A model's folder: one sub-folder for each version, named by its number.
public struct ModelDirectory: Sendable, Hashable {
    /// A version found in the folder.
    public struct Version: Sendable, Hashable {
        /// The version's number.
        public let number: Int64

        /// The folder that holds its files.
        public let path: String

        /// Creates a description.
        public init(number: Int64, path: String) {
            self.number = number
            self.path = path
        }

        /// A number that changes whenever a file of the version is added, removed or written; it
        /// walks the folder, so it is asked for only where it matters.
        public var fingerprint: Int { FileTree(path: path).fingerprint ?? 0 }

        /// A name of 32 hexadecimal digits for the version's files where they are: the same in all
        /// processes, and another when a file is added, removed or written.
        public var digest: String { FileTree(path: path).digest }

        /// Bytes of all its files.
        public var byteCount: Int { FileTree(path: path).byteCount }
    }

    /// The name of the model.
    public let model: String

    /// The path of the folder.
    public let path: String

    /// Creates a description; the folder need not exist yet.
    public init(model: String, path: String) {
        self.model = model
        self.path = path
    }

    /// The versions there are now, in ascending order.
    ///
    /// Where two folders stand for the same number (`1` and `001`), the one whose name sorts first
    /// counts.
    ///
    /// - Throws: `ServingError` (`NOT_FOUND`) when the folder cannot be listed.
    public func versions() throws -> [Version] {
        let listing: FolderListing
        do {
            listing = try FolderListing(path: path)
        } catch {
            throw ServingError(
                .notFound, "Could not list base path \(path) of model \(model)", cause: error)
        }
        var versions: [Int64: Version] = [:]
        for (name, isFolder) in listing.entries where isFolder {
            guard let number = ModelDirectory.versionNumber(name), versions[number] == nil else {
                continue
            }
            versions[number] = Version(number: number, path: "\(path)/\(name)")
        }
        return versions.values.sorted { $0.number < $1.number }
    }

    /// The number a folder's name stands for: ASCII digits only, so that `.tmp-2` is no version.
    static func versionNumber(_ name: String) -> Int64? {
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return Int64(name)
    }
}
