import MartletCore

/// Brings one file, range by range, behind what is there of it.
struct ModelDownload {
    /// What is left free on the disk beside the file.
    private static let spareBytes = 64 << 20

    private let piece: ModelPiece
    private let limits: ModelPull.Limits
    private let folder: OpenFolder

    init(_ piece: ModelPiece, limits: ModelPull.Limits, folder: OpenFolder) {
        self.piece = piece
        self.limits = limits
        self.folder = folder
    }

    /// Brings the file and compares its checksum.
    ///
    /// - Throws: `ServingError`; what is there stays, unless its checksum is wrong.
    func run(
        as name: String, pause: (Int) async throws -> Void, progress: (Int, Int) -> Void
    ) async throws -> PartialFile {
        let origin = try await persistently(pause) { try await piece.source.examine() }
        guard origin.byteCount > 0, origin.byteCount <= limits.bytes else {
            throw ServingError.invalidArgument(
                "\(origin.location) has \(origin.byteCount) bytes; 1 to \(limits.bytes) are "
                    + "possible")
        }
        let file = try PartialFile(
            name, in: folder, of: origin, isVerified: piece.checksum != nil)
        try ModelDownload.checkRoom(for: origin.byteCount - file.byteCount, in: folder)
        progress(file.byteCount, origin.byteCount)
        while file.byteCount < origin.byteCount {
            let count = min(limits.rangeBytes, origin.byteCount - file.byteCount)
            let bytes = try await persistently(pause) {
                try await piece.source.read(from: file.byteCount, count: count, of: origin)
            }
            guard !bytes.isEmpty, bytes.count <= count else {
                throw ServingError(
                    .internal,
                    "\(origin.location) gave \(bytes.count) bytes where 1 to \(count) were asked "
                        + "for")
            }
            try bytes.withUnsafeBytes { try file.append($0) }
            progress(file.byteCount, origin.byteCount)
        }
        try compare(file, origin)
        return file
    }

    /// Refuses what the disk has no room for before anything is written.
    static func checkRoom(for bytes: Int, in folder: OpenFolder) throws {
        let free = folder.freeBytes
        guard bytes <= free - spareBytes else {
            throw ServingError(
                .resourceExhausted,
                "\(folder.path) has \(free) bytes free; \(bytes) and \(spareBytes) to spare are "
                    + "needed")
        }
    }

    private func compare(_ file: PartialFile, _ origin: ModelOrigin) throws {
        guard let expected = piece.checksum, expected != file.checksum else { return }
        let found = file.checksum
        try file.discard()
        throw ServingError(
            .dataLoss,
            "\(origin.location) has the SHA-256 \(found), not \(expected): it was removed")
    }

    /// Tries again what failed for the moment, as often as allowed.
    private func persistently<Result>(
        _ pause: (Int) async throws -> Void, _ action: () async throws -> Result
    ) async throws -> Result {
        var failures = 0
        while true {
            do {
                return try await action()
            } catch let error as ServingError
                where error.code == .unavailable || error.code == .deadlineExceeded
            {
                failures += 1
                guard failures < limits.attempts else { throw error }
                try await pause(failures)
            }
        }
    }
}
