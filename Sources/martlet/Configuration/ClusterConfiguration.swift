import MartletEngines

/// What `martlet up` runs: the content of `cluster.yaml`, checked.
///
/// All values are read once, at start; a change takes effect at the next start.
struct ClusterConfiguration: Sendable, Equatable {
    /// `gateway`: the process that clients talk to.
    struct Gateway: Sendable, Equatable {
        /// `host`: the address to listen on (default `127.0.0.1`).
        var host = "127.0.0.1"
        /// `port`: for clients, 0 to 65535, 0 being any free one (default 8080).
        var port = 8080
        /// `admin_port`: for metrics, health and status, always on the loopback interface; 0 to
        /// 65535, 0 being any free one (default 8081).
        var adminPort = 8081
        /// `policy`: the file of its traffic policy, which names no nodes and no addresses,
        /// relative to the file (default none).
        var policy: String?
    }

    /// `nodes`: the processes that serve models.
    struct Nodes: Sendable, Equatable {
        /// `count`: how many, 1 to 256 (default 1).
        var count = 1
        /// `host`: the address to listen on (default `127.0.0.1`).
        var host = "127.0.0.1"
        /// `first_port`: the port of the first node, the next one's being one higher; 0 to 65535, 0
        /// being any free ones (default 8501).
        var firstPort = 8501
        /// `engine_threads`: threads on which a node runs models, 1 to 1024 (default: the
        /// processors shared out among the nodes, at least 1).
        var engineThreads = 1
        /// `tls`: whether the gateway and the nodes speak mutual TLS (default `false`).
        var tls = ClusterNodeTLS.off
    }

    /// An item of `models`: a model every node serves.
    struct Model: Sendable, Equatable {
        /// `name`: what clients call it; not empty, without `/`, `:`, `=` and control characters,
        /// unique (required).
        var name: String
        /// `path`: the folder of its version folders, relative to the file (required).
        var path: String
        /// `engine`: `auto`, `auto-both`, `tensorflow`, `openvino`, `litert` or `llama` (default
        /// `auto`).
        var engine: EnginePreference?
        /// `precision`: `exact` or `fast` (default `exact`).
        var precision: EnginePrecision?
        /// `target_latency_ms_p99`: the milliseconds in which 99 of 100 requests are to be
        /// answered, 1 to 600000; makes its batches adaptive (default none, and no batches).
        var targetLatencyMilliseconds: Int?
        /// `draft_model`: a GGUF file, or a folder with one, relative to the file: a smaller model
        /// that guesses for this one (default none).
        var draftModel: String?
        /// `expected_concurrency`: sequences that clients will have a language model generate at
        /// once, 1 to 1000000: `auto` keeps the engine that is faster with so many (default 8).
        var expectedConcurrency: Int?
    }

    /// The gateway.
    var gateway = Gateway()
    /// The nodes.
    var nodes = Nodes()
    /// How every node runs language models (default: as nodes do by themselves).
    var languageModels = ClusterLanguageModels()
    /// The models named one by one (default none).
    var models: [Model] = []
    /// `model_root`: a folder of which every sub-folder is a model, relative to the file (default
    /// none; there must be `models` or this).
    var modelRoot: String?
}
