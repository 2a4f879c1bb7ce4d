internal import Foundation
import MartletCore

/// All files of a GGUF model, each read and checked, and all together.
struct GGUFParts {
    private static let number = "split.no"
    private static let count = "split.count"
    private static let tensorCount = "split.tensors.count"

    /// The keys of the first file; the others only say which part they are.
    let metadata: GGUFMetadata
    let tensors: [GGUFTensor]
    let fileBytes: Int

    /// Reads the files.
    ///
    /// - Throws: `ServingError` that names the file: `NOT_FOUND` for one that is missing,
    ///   `DATA_LOSS` for one that is cut off, else `INVALID_ARGUMENT`.
    init(_ paths: [String], limits: GGUFLimits) throws {
        var left = limits
        var names: Set<String> = []
        var first: GGUFMetadata?
        var tensors: [GGUFTensor] = []
        var fileBytes: [Int] = []
        for (index, path) in paths.enumerated() {
            guard paths.count == 1 || FileManager.default.fileExists(atPath: path) else {
                throw ServingError.notFound(
                    "\(path) does not exist: is the model's copy complete?")
            }
            let source = try FileBytes(path: path)
            let file = try GGUFParts.read(source, of: path, limits: left) { file in
                try GGUFParts.check(file.metadata, part: index, of: paths.count)
                for tensor in file.tensors where !names.insert(tensor.name).inserted {
                    throw GGUFFault.unsound(
                        "tensor '\(tensor.name.shown)' is in another part, too")
                }
            }
            left.tensors -= file.tensors.count
            tensors += file.tensors
            fileBytes.append(source.byteCount)
            first = first ?? file.metadata
        }
        guard let metadata = first, let path = paths.first else {
            throw ServingError.notFound("a GGUF model of no files")
        }
        self.metadata = metadata
        self.tensors = tensors
        self.fileBytes = fileBytes.saturatingSum
        if paths.count > 1 { try checkTensorCount(path) }
    }

    private static func read(
        _ source: FileBytes, of path: String, limits: GGUFLimits,
        check: (GGUFFile) throws -> Void
    ) throws -> GGUFFile {
        do {
            let file = try GGUFFile(source, limits: limits)
            try check(file)
            return file
        } catch let fault as GGUFFault {
            throw fault.error(of: path)
        }
    }

    /// Engines rely on the types, too: llama.cpp ends the process at others.
    private static func check(_ metadata: GGUFMetadata, part: Int, of parts: Int) throws {
        let value = metadata.values[count] ?? .integer(1, .uint16)
        guard case .integer(let stated, .uint16) = value, max(stated, 1) == parts else {
            throw GGUFFault.unsound(
                "key '\(count)' is not \(parts), the number of parts that its name speaks of; "
                    + "parts are named NAME-00001-of-0000N.gguf")
        }
        guard parts > 1 || metadata.values[number] != nil else { return }
        guard metadata.values[number] == .integer(Int64(part), .uint16) else {
            throw GGUFFault.unsound(
                "key '\(number)' is not \(part), the number of the part that its name speaks of")
        }
    }

    private func checkTensorCount(_ path: String) throws {
        guard metadata.values[GGUFParts.tensorCount] == .integer(Int64(tensors.count), .int32)
        else {
            let fault = GGUFFault.unsound(
                "key '\(GGUFParts.tensorCount)' is not \(tensors.count), the number of tensors in "
                    + "all parts")
            throw fault.error(of: path)
        }
    }
}

extension GGUFFault {
    /// The error for whoever has to act on it.
    func error(of path: String) -> ServingError {
        switch kind {
        case .cutOff:
            ServingError(
                .dataLoss,
                "\(path) cannot be read as a GGUF model: \(self). Is the model's copy complete?",
                cause: self)
        case .unsound:
            ServingError(
                .invalidArgument, "\(path) cannot be read as a GGUF model: \(self)", cause: self)
        }
    }
}
