internal import Foundation
import MartletCore
import MartletTensors

/// Where OpenVINO reads a model from, and how it names the model's tensors.
///
/// Of a SavedModel it reads the signature `serving_default` of the only graph, and calls tensors by
/// the signature's names. Where that is not what the file holds, it is given a folder with a file
/// that does, beside links to the model's other files.
struct OpenVINOSource {
    let artifact: ModelArtifact
    let extract: OpenVINOEngine.SignatureExtract

    /// OpenVINO's name for a tensor.
    func portName(_ spec: TensorSpec) -> String {
        artifact.format == .tfLite ? spec.graphName : spec.name
    }

    /// Calls `body` with the path to read a signature from, which is good until it returns.
    func withModelPath<Result>(
        of signature: Signature, _ body: (String) throws -> Result
    ) throws -> Result {
        switch artifact.format {
        case .tfLite: return try body("\(artifact.path)/\(LiteRTEngine.fileName)")
        case .onnx: return try body("\(artifact.path)/\(OpenVINOSource.onnxFileName)")
        case .gguf:
            throw ServingError.invalidArgument("OpenVINO's C API loads no GGUF model")
        case .savedModel:
            guard let file = try extract(artifact.path, artifact.tags, signature) else {
                return try body(artifact.path)
            }
            return try withFolder(holding: file, body)
        }
    }

    /// The name of the file that makes a folder an ONNX model.
    private static let onnxFileName = "model.onnx"

    /// The name of the file that makes a folder a SavedModel.
    private static let graphFileName = "saved_model.pb"

    private func withFolder<Result>(
        holding file: [UInt8], _ body: (String) throws -> Result
    ) throws -> Result {
        let files = FileManager.default
        let folder = NSTemporaryDirectory() + "martlet-\(UUID().uuidString)"
        do {
            try files.createDirectory(
                atPath: folder, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw ServingError(
                .internal, "\(folder) cannot be made: \(error.localizedDescription)", cause: error)
        }
        defer { try? files.removeItem(atPath: folder) }
        do {
            try Data(file).write(to: URL(fileURLWithPath: "\(folder)/\(Self.graphFileName)"))
            let source = URL(fileURLWithPath: artifact.path).standardizedFileURL.path
            for name in try files.contentsOfDirectory(atPath: source)
            where name != Self.graphFileName {
                try files.createSymbolicLink(
                    atPath: "\(folder)/\(name)", withDestinationPath: "\(source)/\(name)")
            }
        } catch {
            throw ServingError(
                .internal, "\(folder) cannot be filled: \(error.localizedDescription)",
                cause: error)
        }
        return try body(folder)
    }
}
