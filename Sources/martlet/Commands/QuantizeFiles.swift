import Foundation
import MartletCore
import MartletRepository

/// Where `martlet model quantize` reads a model, and where it puts the new one.
struct QuantizeFiles {
    /// The model to read, checked.
    let source: GGUFDescription
    /// The file that is there once it is done.
    let file: String
    /// The file that is written first.
    let draft: String
    /// The hidden folder that becomes the version's folder; `nil` where only a file is made.
    private let aside: (folder: String, final: String)?

    private static let modelFile = "model.gguf"

    /// Finds both.
    ///
    /// - Parameters:
    ///   - input: a GGUF file, a version's folder, or a model's, of which the highest version
    ///     counts.
    ///   - output: a file `NAME.gguf`; a version's folder, which is a number; else a model's
    ///     folder, which gets the next version.
    /// - Throws: `ServingError`: `NOT_FOUND` without such a model, `INVALID_ARGUMENT` for what is
    ///   none, `ALREADY_EXISTS` for an output that is there: nothing is ever overwritten.
    init(input: String, output: String) throws {
        source = try QuantizeFiles.read(input)
        let output = output.count > 1 && output.hasSuffix("/") ? String(output.dropLast()) : output
        guard !output.hasSuffix(".gguf") else {
            (file, draft, aside) = (output, output, nil)
            try QuantizeFiles.checkAbsent(output)
            return
        }
        let name = output.split(separator: "/").last.map(String.init) ?? output
        let folder: String
        if Int64(name) != nil, name.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            folder = output
        } else {
            let versions = try? ModelDirectory(model: name, path: output).versions()
            let (next, overflows) = (versions?.last?.number ?? 0).addingReportingOverflow(1)
            guard !overflows else {
                throw ServingError(.resourceExhausted, "'\(output)' has the highest version")
            }
            folder = "\(output)/\(next)"
        }
        try QuantizeFiles.checkAbsent(folder)
        let url = URL(fileURLWithPath: folder)
        let parent = url.deletingLastPathComponent().path
        let hidden = "\(parent)/.\(url.lastPathComponent).quantizing"
        file = "\(folder)/\(QuantizeFiles.modelFile)"
        draft = "\(hidden)/\(QuantizeFiles.modelFile)"
        aside = (hidden, folder)
    }

    /// Makes the folders that are missing, and takes away what a killed command left.
    func prepare() throws {
        let parent = URL(fileURLWithPath: draft).deletingLastPathComponent()
        do {
            if let aside, FileManager.default.fileExists(atPath: aside.folder) {
                try FileManager.default.removeItem(atPath: aside.folder)
            }
            try FileManager.default.createDirectory(
                at: parent, withIntermediateDirectories: true)
        } catch {
            throw ServingError(
                .failedPrecondition, "The folder '\(parent.path)' cannot be made", cause: error)
        }
    }

    /// Puts what was written in its place, in one step.
    ///
    /// - Throws: `ServingError` where somebody else put something there meanwhile.
    func publish() throws {
        guard let aside else { return }
        guard rename(aside.folder, aside.final) == 0 else {
            throw ServingError(
                .failedPrecondition,
                "'\(aside.final)' cannot be made: \(String(cString: strerror(errno)))")
        }
    }

    /// Takes away what was not put in its place.
    func discard() {
        if let aside { try? FileManager.default.removeItem(atPath: aside.folder) }
    }

    private static func read(_ input: String) throws -> GGUFDescription {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: input, isDirectory: &isFolder) else {
            throw ServingError.notFound("There is no '\(input)'")
        }
        guard isFolder.boolValue else { return try GGUFDescription(file: input) }
        if !GGUFDescription.isPresent(in: input),
            let latest = try? ModelDirectory(model: input, path: input).versions().last
        {
            return try GGUFDescription(folder: latest.path)
        }
        return try GGUFDescription(folder: input)
    }

    private static func checkAbsent(_ path: String) throws {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw ServingError(
                .alreadyExists, "'\(path)' exists; nothing is overwritten: name another")
        }
    }
}
