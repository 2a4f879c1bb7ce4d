public import Logging
public import MartletCore
public import MartletEngines
import MartletProtocols
public import MartletRepository
import MartletTensors

/// Turns the folder of a version into a servable that is ready to answer.
public struct VersionLoader: Sendable {
    /// How versions are loaded.
    public struct Options: Sendable {
        /// The tags of the graph to load from a SavedModel.
        public var tags = [SavedModelDescription.servingTag]
        /// Whether `model.tflite` goes before `saved_model.pb` where a folder holds both.
        public var prefersTFLite = false
        /// What models may do beyond computing.
        public var safety = ModelSafety()
        /// Puts requests together; `nil` to run each by itself.
        public var batching: ServableBatching?
        /// How versions are warmed up before they answer.
        public var warmUp = WarmUpOptions()
        /// Which engine runs which model, and how exactly.
        public var engines = EngineSettings()
        /// The files of draft models, or their folders, by the language model that they guess for.
        public var draftModels: [String: String] = [:]
        /// How engines are tried against each other.
        public var trial = EngineTrial.Options()
        /// Bounds on warm-up requests.
        public var limits = Limits()
        /// Bounds on warm-up prompts.
        public var openAILimits = OpenAILimits()

        /// The defaults.
        public init() {}
    }

    private let engines: EngineRegistry
    private let options: Options
    private let warmUp: ModelWarmUp
    private let metrics: ServingMetrics
    private let logger: Logger

    /// Creates a loader.
    ///
    /// - Parameters:
    ///   - engines: load the models.
    ///   - options: how versions are loaded.
    ///   - metrics: takes the time of each load.
    ///   - logger: reports warm-ups and settings without meaning.
    public init(
        engines: EngineRegistry, options: Options = Options(),
        metrics: ServingMetrics = ServingMetrics(), logger: Logger = Logger(label: "martlet.loader")
    ) {
        self.engines = engines
        self.options = options
        self.metrics = metrics
        self.logger = logger
        warmUp = ModelWarmUp(
            options: options.warmUp, limits: options.limits, metrics: metrics, logger: logger,
            bounds: options.openAILimits)
    }

    /// Loads a version and warms it up; blocks as long as that takes.
    ///
    /// - Parameters:
    ///   - id: the version.
    ///   - version: its folder.
    /// - Returns: the servable.
    /// - Throws: `ServingError`; a failed load leaves nothing behind.
    func load(_ id: ServableID, from version: ModelDirectory.Version) throws -> LoadedServable {
        let start = ContinuousClock.now
        let loaded: LoadedServable
        do {
            loaded = try version.loadSteadily {
                try loadCold(id, folder: version.path)
            } discard: {
                $0.servable.unload()
            }
        } catch {
            metrics.didFailToLoad(path: version.path)
            throw error
        }
        metrics.didLoad(path: version.path, seconds: (ContinuousClock.now - start).seconds)
        do {
            try warmUp.run(folder: version.path, loaded: loaded)
        } catch {
            loaded.servable.unload()
            throw error
        }
        return loaded
    }

    /// Bytes of memory that a version will take: an estimate by its files, and for a language model
    /// by what its engine will give it to remember and to compute.
    ///
    /// A version that cannot be read counts by its files: its load tells what is wrong.
    func memoryBytes(of version: ModelDirectory.Version, _ id: ServableID) -> Int {
        let fileBytes = version.byteCount
        var workingBytes = fileBytes / 8
        var engineCount = 1
        if VersionDescription.isLanguageModel(folder: version.path),
            let description = try? description(of: id, folder: version.path),
            let engine = try? engines.engine(for: description.format)
        {
            workingBytes = engine.workingBytes(
                of: artifact(id, folder: version.path, description))
            if options.engines.mayKeepBoth(of: id.model, description.language),
                (try? engines.engine(named: EngineSelection.other, for: .gguf)) != nil
            {
                engineCount = 2
            }
        }
        return [fileBytes, workingBytes].saturatingSum.saturatingProduct(engineCount)
    }

    private func description(of id: ServableID, folder: String) throws -> VersionDescription {
        var description = try VersionDescription(folder: folder, options: options)
        if let path = options.draftModels[id.model] {
            try description.addDraft(path, of: id.model, safety: options.safety)
        }
        return description
    }

    private func artifact(
        _ id: ServableID, folder: String, _ description: VersionDescription
    ) -> ModelArtifact {
        ModelArtifact(
            id: id, path: folder, format: description.format, tags: description.tags,
            signatures: description.signatures, fileBytes: description.fileBytes,
            exampleSteps: description.exampleSteps, effect: description.effect,
            language: description.language)
    }

    /// With batching the largest batches count beside single requests.
    private func trialOptions(of model: String) -> EngineTrial.Options {
        var trial = options.trial
        if let largest = options.batching?.largestBatch(of: model) {
            trial.batches = [1, min(largest, 32)]
        }
        return trial
    }

    private func loadCold(_ id: ServableID, folder: String) throws -> LoadedServable {
        let description = try description(of: id, folder: folder)
        for name in try SavedModelSettings(folder: folder)?.unusedSettings ?? [] {
            logger.warning(
                "a setting of the model has no meaning here and is ignored",
                metadata: ["model": "\(id.model)", "version": "\(id.version)", "name": "\(name)"])
        }
        let selection = EngineSelection(
            engines: engines, settings: options.engines, trial: trialOptions(of: id.model),
            logger: logger)
        let (servable, choice) = try selection.load(
            artifact(id, folder: folder, description)
        ) { signatures in
            (try? warmUp.trialRequests(folder: folder, signatures: signatures)) ?? []
        }
        do {
            return LoadedServable(
                servable: servable, choice: choice, signatureDefs: description.signatureDefs,
                tags: description.tags,
                batchQueues: try options.batching?.queues(for: servable, folder: folder) ?? [:])
        } catch {
            servable.unload()
            throw error
        }
    }
}
