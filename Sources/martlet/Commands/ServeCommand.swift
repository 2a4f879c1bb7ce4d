import ArgumentParser
import Logging
import MartletCore
import MartletEngines
import MartletModelServer
import MartletOperations
import MartletRepository
import MartletTransport

/// Runs a node.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve models from this machine: a node.",
        discussion: """
            One port answers TensorFlow Serving's REST API and gRPC, and OpenAI's API for language \
            models (GGUF). Each model is a folder with one sub-folder for each version; the latest \
            is served, new ones are picked up.

            EXAMPLES
              martlet serve --model half_plus_two=/models/half_plus_two
              martlet serve --model-root /models --port 8500
              curl -d '{"instances": [1.0, 2.0]}' \\
                http://127.0.0.1:8500/v1/models/half_plus_two:predict

              martlet serve --model smollm2=/models/smollm2
              curl -N -H 'content-type: application/json' -d '{"model": "smollm2", \
                "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}' \
                http://127.0.0.1:8500/v1/chat/completions
            """)

    @Option(
        name: .customLong("model"),
        help: ArgumentHelp("A model and the folder of its versions.", valueName: "name=path"))
    var models: [ModelArgument] = []

    @Option(help: "A folder every sub-folder of which is a model.")
    var modelRoot: String?

    @Option(
        help: ArgumentHelp(
            "Text file of TensorFlow Serving's ModelServerConfig: the models, instead of --model; "
                + "looked at again every --poll-interval-seconds.", valueName: "file"))
    var modelConfigFile: String?

    @Option(help: "Port for REST and gRPC; 0 for any free one.")
    var port = 8500

    @Option(help: "The node's name in its log lines; useful where several nodes log together.")
    var name: String?

    @Option(help: "Threads that run predictions; 0 for one per core.")
    var engineThreads = 0

    @Option(help: "Folder with TensorFlow's libraries.")
    var tensorflowPath: String?

    @Option(help: "Folder with LiteRT's library, for TFLite models.")
    var litertPath: String?

    @OptionGroup var engineOptions: EngineOptions
    @OptionGroup var languageModels: LanguageModelFlags
    @OptionGroup var openAILimits: OpenAILimitFlags

    @Option(help: "TFLite requests of one model that run at once.")
    var tfliteInterpreters = 1

    @OptionGroup var batchingOptions: BatchingOptions

    @Option(
        name: .customLong("allow-op"),
        help: ArgumentHelp(
            "An operation that reaches beyond its model, such as ReadFile, which models may use "
                + "all the same; may be repeated.", valueName: "name"))
    var allowedOperations: [String] = []

    @Flag(help: "Follow links in a model's folder that lead out of it.")
    var allowLinksOutside = false

    @Option(help: "Deepest nesting of a JSON request.")
    var maxJsonDepth = Limits().jsonDepth

    @Option(help: "Most values in a JSON request.")
    var maxJsonValues = Limits().jsonValues

    @Option(help: "Requests of one gRPC stream that may wait for their answers.")
    var maxStreamRequests = Limits().streamRequests

    @Option(help: "Predictions that may wait for an engine thread.")
    var queueCapacity = Limits().queuedRequests

    @Option(help: "Pause between two looks for new versions, in seconds.")
    var pollIntervalSeconds = 1.0

    @Flag(help: "Load a model when somebody first asks for it, not when it is found.")
    var loadOnDemand = false

    @Option(
        help: ArgumentHelp(
            "Memory that all models together may take, such as 8GiB; with --load-on-demand the "
                + "least recently used make room.", valueName: "bytes"))
    var memoryBudget: ByteCount?

    @Option(help: "Versions that are loaded at once.")
    var loadThreads = 1

    @Option(
        help: ArgumentHelp(
            "Folder in which to note what is being loaded, so that files which end the process "
                + "twice are not loaded again; nodes that share it learn from each other.",
            valueName: "folder"))
    var loadJournal: String?

    @Option(
        help: ArgumentHelp(
            "What comes first when versions are swapped: \(TransitionPolicy.allNames).",
            valueName: "policy"))
    var transitionPolicy = TransitionPolicy.availabilityPreserving

    @Option(
        name: .customLong("admin-api"),
        help: ArgumentHelp(
            "Who may change what is served by request: \(AdminAccess.allNames).",
            valueName: "who"))
    var adminAPI = AdminAccess.loopback

    @Option(
        help: ArgumentHelp(
            "Who may pass tensors by shared memory: \(SharedMemoryAccess.allNames).",
            valueName: "who"))
    var sharedMemory = SharedMemoryAccess.loopback

    @Option(
        help: ArgumentHelp(
            "API keys, one a line, of which each request must show one; read again when it "
                + "changes.", valueName: "file"))
    var apiKeyFile: String?

    @Flag(
        help: ArgumentHelp(
            "Believe whoever sends requests whose they are (x-martlet-tenant), and let them go "
                + "first (x-martlet-priority: high); only where a gateway alone can send them."))
    var trustGateway = false

    @OptionGroup var servingOptions: ServingOptions
    @OptionGroup var listen: ListenOptions
    @OptionGroup var tlsOptions: TLSOptions
    @OptionGroup var limitOptions: LimitOptions
    @OptionGroup var warmUp: WarmUpFlags
    @OptionGroup var observation: ObservationOptions
    @OptionGroup var logOptions: LogOptions

    func validate() throws {
        try ListenOptions.validate(port: port, flag: "--port")
        guard models.isEmpty || modelConfigFile == nil else {
            throw ValidationError(
                "Name models by --model or in --model-config-file, not by both")
        }
        guard !models.isEmpty || modelRoot != nil || modelConfigFile != nil else {
            throw ValidationError(
                "Name a model with --model NAME=PATH, a folder of models with --model-root DIR, "
                    + "or a file that names them with --model-config-file FILE")
        }
        let names = models.map(\.name)
        if let repeated = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
            throw ValidationError("--model names '\(repeated)' twice")
        }
        if let unknown = observation.loggedModels.first(where: { !names.contains($0.name) }) {
            throw ValidationError(
                "--log-requests names '\(unknown.name)', which no --model does")
        }
        guard engineThreads >= 0, engineThreads <= 1024 else {
            throw ValidationError("--engine-threads is \(engineThreads); use 0 to 1024")
        }
        // Reading a tensor recurses once for each level.
        guard maxJsonDepth <= 1000 else {
            throw ValidationError("--max-json-depth is \(maxJsonDepth); the most is 1000")
        }
        let positive = [
            ("--max-json-depth", maxJsonDepth), ("--max-json-values", maxJsonValues),
            ("--queue-capacity", queueCapacity),
        ]
        for (flag, value) in positive where value <= 0 {
            throw ValidationError("\(flag) is \(value); it must be greater than 0")
        }
        guard maxStreamRequests > 0 else {
            throw ValidationError(
                "--max-stream-requests is \(maxStreamRequests); it must be greater than 0")
        }
        guard (1...256).contains(tfliteInterpreters) else {
            throw ValidationError("--tflite-interpreters is \(tfliteInterpreters); use 1 to 256")
        }
        guard (1...256).contains(loadThreads) else {
            throw ValidationError("--load-threads is \(loadThreads); use 1 to 256")
        }
        guard pollIntervalSeconds > 0, pollIntervalSeconds < 1e6 else {
            throw ValidationError(
                "--poll-interval-seconds is \(pollIntervalSeconds); it must be greater than 0 and "
                    + "less than 1000000")
        }
    }

    func run() async throws {
        if listen.exitWithParent { exitWithParent() }
        try await NodeProcess.run(logs: logOptions.start()) { accessLog in
            try await NodeRunner(settings: try settings, accessLog: accessLog) { administration in
                modelConfig.map { file in
                    [
                        ModelConfigFileWatch(
                            file: file, interval: .seconds(pollIntervalSeconds),
                            administration: administration, logger: Logger(label: "martlet.node"))
                    ]
                } ?? []
            }.run()
        }
    }

    private var modelConfig: ModelConfigFile? { modelConfigFile.map(ModelConfigFile.init) }

    /// The node that the flags describe.
    var settings: NodeSettings {
        get throws {
            var settings = NodeSettings()
            settings.name = name
            settings.models = models.map {
                ModelConfiguration(
                    name: $0.name, basePath: $0.path,
                    requestLog: observation.requestLog(of: $0.name))
            }
            if let modelConfig {
                settings.models = try ModelConfiguration.configurations(modelConfig.read())
            }
            settings.modelRoot = modelRoot.map(ModelRoot.init)
            settings.pollInterval = .seconds(pollIntervalSeconds)
            var endpoint = NodeSettings.Endpoint(
                address: .tcp(host: listen.host, port: port), portFile: listen.portFile)
            endpoint.options.tls = tlsOptions.tls
            settings.endpoints = [endpoint]
            settings.limits = limits
            settings.openAILimits = openAILimits.limits
            settings.engineThreads = engineThreads == 0 ? nil : engineThreads
            settings.tensorflowPath = tensorflowPath
            settings.manager = try managerOptions()
            settings.monitoring = observation.monitoring
            settings.enablesProfiler = observation.enableProfiler
            settings.warmUp = warmUp.options
            settings.adminAccess = adminAPI
            settings.sharedMemory = sharedMemory
            settings.apiKeyFile = apiKeyFile
            settings.trustsGateway = trustGateway
            settings.serving = servingOptions.options
            settings.serving.reloadAccess = adminAPI
            settings.limits.requestTimeout = servingOptions.restTimeout
            settings.limits.compressedBytes = servingOptions.compressedBytes
            settings.allowsLabelsOfUnavailableVersions =
                servingOptions.allowLabelsOfUnavailableVersions
            settings.litertPath = litertPath
            settings.openvinoPath = engineOptions.openvinoPath
            settings.llamaPath = languageModels.llamaPath
            settings.openvinoGenAIPath = languageModels.openvinoGenAIPath
            settings.llama = languageModels.options(engineThreads: engineThreads)
            settings.decodeStallLimit = languageModels.decodeStallLimit
            settings.loading.engines = try engineOptions.settings
            settings.loading.draftModels = languageModels.draftModelPaths
            settings.litert.interpretersPerModel = tfliteInterpreters
            settings.loading.safety = ModelSafety(
                allowedOperations: Set(allowedOperations), allowsLinksOutside: allowLinksOutside)
            settings.batching = try batchingOptions.parameters
            settings.batchingTargets = try batchingOptions.targets.models
            return settings
        }
    }

    private var limits: Limits {
        var limits = limitOptions.limits
        limits.jsonDepth = maxJsonDepth
        limits.jsonValues = maxJsonValues
        limits.streamRequests = maxStreamRequests
        limits.queuedRequests = queueCapacity
        return limits
    }

    private func managerOptions() throws -> ModelManager.Options {
        var options = ModelManager.Options()
        options.loadsOnDemand = loadOnDemand
        options.memoryBudget = memoryBudget?.bytes
        options.loadThreads = loadThreads
        options.transition = transitionPolicy
        options.loadJournal = try loadJournal.map { try LoadJournal(folder: $0) }
        return options
    }
}

/// The value of `--model`: a name and a path.
struct ModelArgument: ExpressibleByArgument {
    let name: String
    let path: String

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, !parts[0].contains(where: { "/:".contains($0) }) else {
            return nil
        }
        name = String(parts[0])
        path = String(parts[1])
    }
}
