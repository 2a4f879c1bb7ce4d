internal import Foundation
import MartletCore
public import MartletProtocols
public import MartletTensors
internal import SwiftProtobuf

/// What an ONNX model says about itself, read from its `model.onnx` and checked.
///
/// The file is checked as far as an engine relies on it, so that one that is cut short, reaches for
/// files outside of its folder or is something else is refused before native code sees it.
public struct ONNXDescription: Sendable {
    /// The name of the file that makes a folder an ONNX model.
    public static let fileName = "model.onnx"

    /// Deepest nesting of messages: graphs in settings of operations in graphs.
    static let maximumDepth = 64

    /// The one signature, which has the graph's inputs and outputs.
    public let signatures: [Signature]

    /// The signature for the metadata APIs.
    public let signatureDefs: [String: Tensorflow_SignatureDef]

    /// Bytes of all files of the version.
    public let fileBytes: Int

    /// Whether a folder holds an ONNX model.
    public static func isPresent(in folder: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(folder)/\(fileName)")
    }

    /// Reads the description of the ONNX model in a folder.
    ///
    /// - Parameters:
    ///   - folder: the folder of the version.
    ///   - safety: what the model may do beyond computing.
    ///   - maximumBytes: the largest `model.onnx` read; protobuf itself stops at 2 GiB.
    /// - Throws: `ServingError`: `NOT_FOUND` without a `model.onnx`, else `INVALID_ARGUMENT`.
    public init(
        folder: String, safety: ModelSafety = ModelSafety(), maximumBytes: Int = Int(Int32.max)
    ) throws {
        let file = "\(folder)/\(ONNXDescription.fileName)"
        guard ONNXDescription.isPresent(in: folder) else {
            throw ServingError.notFound("\(file) does not exist: this folder is no ONNX model")
        }
        try SavedModelFiles(folder: folder, allowsLinksOutside: safety.allowsLinksOutside).check()
        let model = try ONNXDescription.read(file, maximumBytes: maximumBytes)
        try ONNXConstants(folder: folder).check(model)
        let signature = try ONNXSignature(model.graph, of: file)
        signatures = [signature.signature]
        signatureDefs = [signature.signature.name: signature.definition]
        fileBytes = FileTree(path: folder).byteCount
    }

    private static func read(_ file: String, maximumBytes: Int) throws -> Onnx_ModelProto {
        var options = BinaryDecodingOptions()
        // The weights can be gigabytes; the engine reads them, we do not keep them.
        options.discardUnknownFields = true
        options.messageDepthLimit = maximumDepth
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe)
            guard data.count <= maximumBytes else {
                throw ServingError.invalidArgument(
                    "\(file) has \(data.count) bytes; the limit is \(maximumBytes)")
            }
            let model = try Onnx_ModelProto(serializedBytes: data, options: options)
            guard model.irVersion > 0, !model.graph.node.isEmpty else {
                throw ServingError.invalidArgument("\(file) is no ONNX model, or an empty one")
            }
            return model
        } catch let error as ServingError {
            throw error
        } catch {
            throw ServingError(
                .invalidArgument, "\(file) cannot be read as an ONNX model", cause: error)
        }
    }
}
