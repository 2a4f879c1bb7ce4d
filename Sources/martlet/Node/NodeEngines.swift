import Logging
import MartletCore
import MartletEngines
import MartletModelServer
import MartletRepository

/// Opens a node's engines: TensorFlow at the start, so that a node that lacks it does not come up,
/// and each other one when the first model needs it.
struct NodeEngines {
    let settings: NodeSettings
    /// Requests that run at once.
    let threads: Int
    let logger: Logger

    /// The engines.
    ///
    /// - Throws: `ServingError` when TensorFlow is needed and cannot be opened.
    func makeRegistry() throws -> EngineRegistry {
        let tensorflow: EngineRegistry.Opener
        if settings.needsTensorFlow {
            let engine = try openTensorFlow()
            tensorflow = { engine }
        } else {
            tensorflow = { [self] in try openTensorFlow() }
        }
        let openvino = EngineOpener { [self] in try openOpenVINO() }
        return EngineRegistry(
            [
                .savedModel: tensorflow,
                .tfLite: { [self] in try openLiteRT() },
                .onnx: { try openvino.engine() },
                .gguf: { [self] in try openLlama() },
            ],
            named: [.openvino: { try openvino.engine() }],
            language: [.openvino: { [self] in try openOpenVINOGenAI() }])
    }

    private func openTensorFlow() throws -> any Engine {
        let library = try TensorFlowLibrary(
            directory: TensorFlowLibrary.locate(preferred: settings.tensorflowPath))
        for message in library.messages {
            logger.debug("engine printed", metadata: ["text": "\(message)"])
        }
        logger.info("engine opened", metadata: ["tensorflow": "\(library.version)"])
        return TensorFlowEngine(library: library, options: settings.tensorflow)
    }

    private func openLiteRT() throws -> any Engine {
        let library = try LiteRTLibrary(
            directory: LiteRTLibrary.locate(preferred: settings.litertPath))
        return LiteRTEngine(library: library, options: settings.litert)
    }

    private func openOpenVINO() throws -> any Engine {
        let library = try OpenVINOLibrary(
            directory: OpenVINOLibrary.locate(preferred: settings.openvinoPath))
        logger.info("engine opened", metadata: ["openvino": "\(library.version)"])
        var options = settings.openvino
        options.threads = options.threads ?? threads
        return OpenVINOEngine(library: library, options: options, extract: SavedModelExtract.file)
    }

    private func openLlama() throws -> any Engine {
        let library = try llamaLibrary()
        logger.info(
            "engine opened",
            metadata: ["llama": "\(library.version)", "uses": "\(library.systemInfo)"])
        return try LlamaEngine(library: library, options: languageOptions)
    }

    /// Neither engine of language models does without it: it reads their vocabularies.
    private func llamaLibrary() throws -> LlamaLibrary {
        let library = try LlamaLibrary(
            directory: LlamaLibrary.locate(preferred: settings.llamaPath))
        library.takeLog(from: .warning) { [logger] level, line in
            logger.log(level: level == .error ? .error : .warning, "llama.cpp: \(line)")
        }
        return library
    }

    private var languageOptions: LlamaEngine.Options {
        var options = settings.llama
        options.threads = options.threads ?? threads
        return options
    }

    private func openOpenVINOGenAI() throws -> any Engine {
        let installation = try OpenVINOGenAIInstallation(
            directory: OpenVINOGenAIInstallation.locate(preferred: settings.openvinoGenAIPath))
        var options = OpenVINOGenAIEngine.Options(languageOptions)
        options.sharesPrefixes = settings.apiKeyFile == nil && !settings.trustsGateway
        options.log = { [logger] id, line in
            logger.warning(
                "worker of openvino-genai: \(line)",
                metadata: ["model": "\(id.model)", "version": "\(id.version)"])
        }
        return OpenVINOGenAIEngine(
            installation: installation, library: try llamaLibrary(), options: options)
    }
}
