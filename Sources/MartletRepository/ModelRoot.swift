import MartletCore

/// A folder every sub-folder of which is a model.
public struct ModelRoot: Sendable, Hashable {
    /// The path of the folder.
    public let path: String

    /// Creates a description.
    public init(path: String) {
        self.path = path
    }

    /// The models there are now, sorted by name.
    ///
    /// Hidden folders are left out.
    ///
    /// - Throws: `ServingError` (`NOT_FOUND`) when the folder cannot be listed.
    public func models() throws -> [ModelDirectory] {
        let listing: FolderListing
        do {
            listing = try FolderListing(path: path)
        } catch {
            throw ServingError(.notFound, "Could not list model root \(path)", cause: error)
        }
        return listing.entries.compactMap { name, isFolder in
            guard isFolder, !name.hasPrefix(".") else { return nil }
            return ModelDirectory(model: name, path: "\(path)/\(name)")
        }
    }
}
