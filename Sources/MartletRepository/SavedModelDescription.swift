internal import Foundation
import MartletCore
public import MartletProtocols
public import MartletTensors
internal import SwiftProtobuf

/// What a SavedModel says about itself, read from its `saved_model.pb` and checked.
public struct SavedModelDescription: Sendable {
    /// The tag of graphs meant for serving.
    public static let servingTag = "serve"

    /// The name of the file that makes a folder a SavedModel.
    public static let fileName = "saved_model.pb"

    /// The tags of the graph to load.
    public let tags: [String]

    /// The signatures that can be called, sorted by name.
    public let signatures: [Signature]

    /// The signatures as the file holds them, for the metadata APIs.
    public let signatureDefs: [String: Tensorflow_SignatureDef]

    /// Names of the files the graph reads when it is loaded.
    public let assets: [String]

    /// An operation that requests run and whose runs leave something behind, or are never alike;
    /// `nil` without any.
    public let effect: String?

    /// Bytes of all files of the version.
    public let fileBytes: Int

    /// Whether a folder holds a SavedModel.
    public static func isPresent(in folder: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/\(fileName)")
    }

    /// Reads the description of the SavedModel in a folder.
    ///
    /// - Parameters:
    ///   - folder: the folder of the version.
    ///   - tags: the tags of the graph wanted, in any order.
    ///   - safety: what the model may do beyond computing.
    ///   - maximumBytes: the largest `saved_model.pb` read; protobuf itself stops at 2 GiB.
    /// - Throws: `ServingError`: `NOT_FOUND` for a file that is missing, `DATA_LOSS` for one that
    ///   is too short, else `INVALID_ARGUMENT`.
    public init(
        folder: String, tags: [String] = [servingTag], safety: ModelSafety = ModelSafety(),
        maximumBytes: Int = Int(Int32.max)
    ) throws {
        let file = "\(folder)/\(SavedModelDescription.fileName)"
        guard SavedModelDescription.isPresent(in: folder) else {
            throw ServingError.notFound("\(file) does not exist: this folder is no SavedModel")
        }
        try SavedModelFiles(folder: folder, allowsLinksOutside: safety.allowsLinksOutside).check()
        let graph = try SavedModelDescription.readGraph(
            file, tags: tags, maximumBytes: maximumBytes)
        let operations = try SavedModelOperationCheck(graph, allowed: safety.allowedOperations)
        try operations.check()
        effect = operations.effect
        try SavedModelVariables(folder: folder).check()
        self.tags = tags
        signatureDefs = graph.signatureDef
        signatures = try graph.signatureDef
            .sorted { $0.key < $1.key }
            .compactMap { try Signature(name: $0.key, definition: $0.value) }
        assets = graph.assetFileDef.map(\.filename)
        try SavedModelFiles.check(assets: assets)
        fileBytes = FileTree(path: folder).byteCount
        guard !signatures.isEmpty else {
            throw ServingError.invalidArgument("\(file) has no signature that can be called")
        }
    }

    private static func readGraph(
        _ file: String, tags: [String], maximumBytes: Int
    ) throws -> Tensorflow_MetaGraphDef {
        var options = BinaryDecodingOptions()
        // The weights in a graph can be gigabytes; the engine reads them, we do not keep them.
        options.discardUnknownFields = true
        let model: Tensorflow_SavedModel
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe)
            guard data.count <= maximumBytes else {
                throw ServingError.invalidArgument(
                    "\(file) has \(data.count) bytes; the limit is \(maximumBytes)")
            }
            let outline = try data.withUnsafeBytes { try SavedModelOutline($0) }
            model = try Tensorflow_SavedModel(serializedBytes: outline.bytes, options: options)
        } catch let error as ServingError {
            throw error
        } catch {
            throw ServingError(
                .invalidArgument, "\(file) cannot be read as a SavedModel", cause: error)
        }
        // Which graph it is must be decided as TensorFlow does: the first with the same set of
        // tags.
        let wanted = Set(tags)
        guard let graph = model.metaGraphs.first(where: { Set($0.metaInfoDef.tags) == wanted })
        else {
            let present = model.metaGraphs.map { list($0.metaInfoDef.tags) }
            throw ServingError.notFound(
                "Could not find meta graph def matching supplied tags: \(list(tags)). \(file) has "
                    + (present.isEmpty ? "none" : present.joined(separator: ", ")))
        }
        return graph
    }

    /// Tags as TensorFlow lists them.
    private static func list(_ tags: [String]) -> String {
        "{ \(tags.joined(separator: " ")) }"
    }
}
