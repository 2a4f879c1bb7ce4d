import MartletEngines
import MartletModelServer
import MartletOperations

/// Opens each engine as a node would.
struct EngineInspection {
    /// What the nodes are told; any of them, as all have the same engines.
    let settings: NodeSettings
    /// The formats of their models.
    let formats: Set<ModelFormat>

    /// The engines, each with what was found of it.
    var engines: [NodeFacts.Engine] {
        [
            engine(.tensorflow, isNeeded: settings.needsTensorFlow) {
                let path = try TensorFlowLibrary.locate(preferred: settings.tensorflowPath)
                return "\(try TensorFlowLibrary(directory: path).version) in \(path)"
            },
            engine(
                .openvino,
                isNeeded: isNamed(.openvino) && formats != [.gguf] || formats.contains(.onnx)
            ) {
                let path = try OpenVINOLibrary.locate(preferred: settings.openvinoPath)
                return "\(try OpenVINOLibrary(directory: path).version) in \(path)"
            },
            engine(.litert, isNeeded: isNamed(.litert) || formats.contains(.tfLite)) {
                let path = try LiteRTLibrary.locate(preferred: settings.litertPath)
                _ = try LiteRTLibrary(directory: path)
                return "in \(path)"
            },
            engine(.llama, isNeeded: isNamed(.llama) || formats.contains(.gguf)) {
                let path = try LlamaLibrary.locate(preferred: settings.llamaPath)
                return "\(try LlamaLibrary(directory: path).version) in \(path)"
            },
        ] + (openVINOGenAI.map { [$0] } ?? [])
    }

    /// A second engine of language models; `nil` where nobody has it nor wants it.
    private var openVINOGenAI: NodeFacts.Engine? {
        let isNeeded = isNamed(.openvino) && formats.contains(.gguf)
        let found = engine(.openvino, title: "openvino-genai", isNeeded: isNeeded) {
            let path = try OpenVINOGenAIInstallation.locate(preferred: settings.openvinoGenAIPath)
            _ = try OpenVINOGenAIInstallation(directory: path)
            return "in \(path)"
        }
        return isNeeded || found.problem == nil ? found : nil
    }

    private func isNamed(_ name: EngineName) -> Bool {
        let engines = settings.loading.engines
        return ([engines.preference] + engines.preferences.values).contains(.named(name))
    }

    private func engine(
        _ name: EngineName, title: String? = nil, isNeeded: Bool, open: () throws -> String
    ) -> NodeFacts.Engine {
        var engine = NodeFacts.Engine(name: title ?? name.rawValue, isNeeded: isNeeded)
        do {
            engine.found = try open()
        } catch {
            engine.problem = NodeInspection.text(error)
        }
        return engine
    }
}
