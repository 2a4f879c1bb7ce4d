import Foundation
import MartletCore
import MartletEngines
import MartletModelServer
import MartletRepository
import MartletTransport

/// All that is needed to run a node, whichever command was called.
struct NodeSettings {
    /// An address to listen on.
    struct Endpoint {
        /// Where.
        var address: ListenAddress
        /// How.
        var options = ListenerOptions()
        /// A file to write the port to once it is bound.
        var portFile: String?
    }

    /// The node's name in its log lines.
    var name: String?
    /// The models the operator named.
    var models: [ModelConfiguration] = []
    /// A folder every sub-folder of which is a model.
    var modelRoot: ModelRoot?
    /// Pause between two looks for new versions; `nil` for one look only.
    var pollInterval: Duration? = .seconds(1)
    /// Where to listen.
    var endpoints: [Endpoint] = []
    /// Whether nobody can connect until each model answers or has failed.
    var listensOnceModelsSettled = false
    /// Bounds on requests.
    var limits = Limits()
    /// Further bounds on requests of OpenAI's API.
    var openAILimits = OpenAILimits()
    /// How long one step of a language model may take; `nil` for as long as it takes.
    var decodeStallLimit: Duration? = .seconds(LanguageModelFlags.decodeStallSecondsUsual)
    /// Threads that run predictions; `nil` for one per core.
    var engineThreads: Int?
    /// Folder with TensorFlow's libraries, if the operator named one.
    var tensorflowPath: String?
    /// How TensorFlow runs models.
    var tensorflow = TensorFlowOptions()
    /// Folder with LiteRT's library, if the operator named one.
    var litertPath: String?
    /// How LiteRT runs models.
    var litert = LiteRTEngine.Options()
    /// Folder with OpenVINO's libraries, if the operator named one.
    var openvinoPath: String?
    /// How OpenVINO runs models.
    var openvino = OpenVINOEngine.Options()
    /// Folder with llama.cpp's libraries, if the operator named one.
    var llamaPath: String?
    /// Folder with OpenVINO GenAI, if the operator named one.
    var openvinoGenAIPath: String?
    /// How language models run, by llama.cpp and as far as it has a meaning by other engines.
    var llama = LlamaEngine.Options()
    /// How versions are loaded; batching is put in by ``NodeRunner``.
    var loading = VersionLoader.Options()
    /// How TensorFlow Serving's APIs answer.
    var serving = TensorFlowServingOptions()
    /// Whether a label that is new may name a version that does not answer yet.
    var allowsLabelsOfUnavailableVersions = false
    /// How requests are put together; `nil` to run each by itself.
    var batching: BatchingParameters?
    /// The target latencies of single models, whose requests are put together adaptively.
    var batchingTargets: [String: Duration] = [:]
    /// Whether a version's own `batching_params.pbtxt` goes before ``batching``.
    var readsModelBatchingParameters = false
    /// Where metrics are shown under TensorFlow Serving's names.
    var monitoring = MonitoringOptions()
    /// Whether clients of TensorFlow's profiler may record what the node does.
    var enablesProfiler = false
    /// How versions are warmed up before they answer.
    var warmUp = WarmUpOptions()
    /// How versions are swapped and loaded.
    var manager = ModelManager.Options()
    /// A file of API keys that clients must show; `nil` to ask for none.
    var apiKeyFile: String?
    /// Whether whoever sends requests is believed whose they are, and their priority.
    var trustsGateway = false
    /// Who may load and unload models by request.
    var adminAccess = AdminAccess.loopback
    /// Who may pass tensors by shared memory.
    var sharedMemory = SharedMemoryAccess.loopback

    /// Whether TensorFlow has to be there from the start: not where all models are named and none
    /// of them is for it.
    var needsTensorFlow: Bool {
        guard loading.engines.mayNeedTensorFlow else { return false }
        guard modelRoot == nil, !models.isEmpty else { return true }
        return !models.allSatisfy { model in
            let directory = ModelDirectory(model: model.name, path: model.basePath)
            let versions = (try? directory.versions()) ?? []
            return !versions.isEmpty
                && versions.allSatisfy { GGUFDescription.isPresent(in: $0.path) }
        }
    }
}
