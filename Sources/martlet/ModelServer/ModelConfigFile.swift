import MartletCore
import MartletProtocols
import MartletRepository

/// A text file of TensorFlow Serving's `ModelServerConfig`: the models that a node is to serve.
struct ModelConfigFile: Sendable {
    let path: String

    /// Reads the models.
    ///
    /// - Throws: `ServingError`, which names the file, line and column.
    func read() throws -> Tensorflow_Serving_ModelServerConfig {
        let config = try ProtobufTextFile.read(
            path, as: Tensorflow_Serving_ModelServerConfig.self)
        if case .customModelConfig = config.config {
            throw ServingError(
                .unimplemented,
                "\(path): ModelServer does not yet support custom model config; use "
                    + "model_config_list")
        }
        return config
    }
}
