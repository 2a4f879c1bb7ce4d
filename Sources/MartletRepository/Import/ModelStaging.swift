import MartletCore

/// The place in a model repository where a version is made before it is seen.
///
/// It is `.pulls/NAME.VERSION`, which no one takes for a model since it is hidden, and which has
/// the file system of the repository, so that one rename makes it the version. What an interrupted
/// pull left there is continued by the next.
final class ModelStaging {
    private static let pulls = ".pulls"
    private static let sums = ".sha256"

    let folder: OpenFolder
    private let root: OpenFolder
    private let pulls: OpenFolder
    private let target: ImportTarget

    private var name: String { "\(target.model).\(target.version)" }

    /// Opens the place for a version.
    ///
    /// - Throws: `ServingError`: `ALREADY_EXISTS` where the repository has the version,
    ///   `FAILED_PRECONDITION` while another pull of it is at work.
    init(_ target: ImportTarget, in path: String) throws {
        self.target = target
        root = try OpenFolder(path: path)
        pulls = try root.folder(ModelStaging.pulls, mode: 0o700)
        let name = "\(target.model).\(target.version)"
        folder = try pulls.folder(name)
        // The one who had the lock may have made a version of the folder meanwhile.
        guard folder.lock(), try folder.isStill(name, in: pulls) else {
            throw ServingError(
                .failedPrecondition, "Another pull of \(target) is at work in \(path)")
        }
        try checkAbsent()
    }

    /// Makes it the version, in one step.
    ///
    /// - Parameter sums: the checksum of each file, by its name; kept beside it as `sha256sum -c`
    ///   reads it.
    /// - Throws: `ServingError`: `ALREADY_EXISTS` where somebody made the version meanwhile.
    func publish(_ sums: [(name: String, checksum: SHA256Checksum)]) throws {
        for (name, checksum) in sums {
            let origin = ModelOrigin(location: "", byteCount: 0, tag: nil)
            let file = try PartialFile(
                name + ModelStaging.sums, in: folder, of: origin, isVerified: false)
            try Array("\(checksum)  \(name)\n".utf8).withUnsafeBytes { try file.append($0) }
            try file.complete()
        }
        let kept = Set(sums.flatMap { [$0.name, $0.name + ModelStaging.sums] })
        // An earlier pull, interrupted, may have been of other files.
        for entry in try FolderListing(path: folder.path).entries where !kept.contains(entry.name) {
            try folder.remove(entry.name)
        }
        try folder.synchronize()
        try checkAbsent()
        let model = try root.folder(target.model)
        try pulls.rename(name, to: model, as: String(target.version))
        try model.synchronize()
        try root.synchronize()
    }

    private func checkAbsent() throws {
        guard try root.contains(target.model) else { return }
        guard try root.folder(target.model).contains(String(target.version)) else { return }
        throw ServingError(
            .alreadyExists, "\(root.path)/\(target) exists; versions are never overwritten")
    }
}
