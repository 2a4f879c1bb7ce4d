import MartletCore

/// Which files of a folder make up a GGUF model.
///
/// It is `model.gguf`; without it the only `.gguf` there is, or the only one in parts. Files of a
/// vision or audio projector (`mmproj...`) are no models and are left out.
struct GGUFModelFiles {
    static let suffix = ".gguf"
    static let preferred = "model.gguf"

    private static let projector = "mmproj"

    /// The path of each part, in order; one for a model in one file.
    let paths: [String]

    /// Looks for the model of a folder.
    ///
    /// - Throws: `ServingError`: `NOT_FOUND` without any, `INVALID_ARGUMENT` where it is not clear
    ///   which is meant.
    init(folder: String, limits: GGUFLimits) throws {
        let names = GGUFModelFiles.names(in: folder)
        guard !names.isEmpty else {
            throw ServingError.notFound("\(folder) holds no file *.gguf: it is no GGUF model")
        }
        if names.contains(GGUFModelFiles.preferred) {
            try self.init(path: "\(folder)/\(GGUFModelFiles.preferred)", limits: limits)
            return
        }
        let models = Set(names.map { GGUFPartName($0)?.name(of: 1) ?? $0 }).sorted()
        guard let model = models.first, models.count == 1 else {
            throw ServingError.invalidArgument(
                "\(folder) holds \(models.count) GGUF models: "
                    + models.prefix(4).map(\.shown).joined(separator: ", ")
                    + (models.count > 4 ? "..." : "")
                    + ". Leave one, or name the one to serve \(GGUFModelFiles.preferred)")
        }
        try self.init(path: "\(folder)/\(model)", limits: limits)
    }

    /// The model that a file is, or is the first part of.
    ///
    /// - Throws: `ServingError` (`INVALID_ARGUMENT`) for a name that speaks of too many parts.
    init(path: String, limits: GGUFLimits) throws {
        let name = path.split(separator: "/").last.map(String.init) ?? path
        guard let part = GGUFPartName(name), part.count > 1 else {
            paths = [path]
            return
        }
        guard part.count <= limits.parts, part.index <= part.count else {
            throw ServingError.invalidArgument(
                "\(path) is part \(part.index) of \(part.count); \(limits.parts) are possible")
        }
        let folder = path.dropLast(name.count)
        paths = (1...part.count).map { folder + part.name(of: $0) }
    }

    /// The names of the folder's GGUF files.
    static func names(in folder: String) -> [String] {
        let entries = (try? FolderListing(path: folder))?.entries ?? []
        return entries.filter {
            !$0.isFolder && $0.name.hasSuffix(suffix) && !$0.name.hasPrefix(".")
                && !$0.name.lowercased().hasPrefix(projector)
        }.map(\.name)
    }
}

/// A name such as `model-00002-of-00003.gguf`.
struct GGUFPartName: Equatable {
    let stem: String
    /// The part's number, from 1 on.
    let index: Int
    let count: Int

    /// Digits of each number.
    private static let digits = 5

    init(stem: String, index: Int, count: Int) {
        self.stem = stem
        self.index = index
        self.count = count
    }

    /// Reads a name; `nil` if it is not of that form.
    init?(_ name: String) {
        let letters = Array(name.utf8)
        let tail = 1 + GGUFPartName.digits + 4 + GGUFPartName.digits + GGUFModelFiles.suffix.count
        guard letters.count > tail, name.hasSuffix(GGUFModelFiles.suffix) else { return nil }
        let end = letters[(letters.count - tail)...].dropLast(GGUFModelFiles.suffix.count)
        let fields = end.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard fields.count == 4, fields[0].isEmpty, Array(fields[2]) == Array("of".utf8),
            let index = GGUFPartName.number(fields[1]), let count = GGUFPartName.number(fields[3]),
            index > 0, count > 0
        else { return nil }
        stem = String(decoding: letters.dropLast(tail), as: UTF8.self)
        self.index = index
        self.count = count
    }

    /// The name of another part.
    func name(of index: Int) -> String {
        "\(stem)-\(padded(index))-of-\(padded(count))\(GGUFModelFiles.suffix)"
    }

    private func padded(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, GGUFPartName.digits - text.count)) + text
    }

    private static func number(_ letters: ArraySlice<UInt8>) -> Int? {
        guard letters.count == digits, letters.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        return letters.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }
}
