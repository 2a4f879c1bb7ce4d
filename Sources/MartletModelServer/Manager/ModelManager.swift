internal import Foundation
public import Logging
import MartletCore
import MartletEngines
import MartletRepository
internal import Synchronization

/// Makes the versions that storage aspires to the ones served.
///
/// Loading and unloading run on threads of their own, so that neither event loops nor requests
/// wait for them.
public final class ModelManager: Sendable {
    /// How versions are swapped and loaded.
    public struct Options: Sendable {
        /// What comes first when versions are swapped.
        public var transition = TransitionPolicy.availabilityPreserving
        /// When versions that failed to load are tried again.
        public var retries = LoadRetryPolicy(maximum: 0)
        /// Versions loaded at once.
        public var loadThreads = 1
        /// Versions unloaded at once.
        public var unloadThreads = 1
        /// How far loading stands back behind serving when cores are short, 0 to 19.
        public var loadNiceness = 10
        /// Whether models are loaded when somebody first asks for them, rather than when they
        /// are found.
        public var loadsOnDemand = false
        /// Bytes that all servables together may take; models loaded on demand make room, those
        /// used least recently first.
        public var memoryBudget: Int?
        /// Keeps files that end the process from being loaded again and again; `nil` for nothing
        /// that does.
        public var loadJournal: LoadJournal?

        /// The defaults.
        public init() {}
    }

    struct Model {
        var lifecycle: ModelLifecycle
        var servables: [Int64: LoadedServable] = [:]
        var labels: [String: Int64] = [:]
        /// Why its folder could not be listed at the last look.
        var listingError: String?
        /// Named by the operator, rather than found under a model root.
        var isConfigured: Bool
        /// Named by the operator or found under a model root.
        var isKept = false
        /// When somebody last asked for it; kept for models loaded on demand.
        var lastUse = ContinuousClock.now
    }

    let models = Mutex<[String: Model]>([:])
    let options: Options
    let roomReserved = Mutex<[ServableID: Int]>([:])
    let waiters = Mutex<[ManagerWaiter]>([])
    /// Servables that answer nobody new, until they are unloaded.
    let retiring = Mutex<[LoadedServable]>([])
    /// Language models, those to come, and their adapters, as they were when so much had changed.
    let languageModelsKnown = Mutex<LanguageModelsKnown?>(nil)
    let comingKnown = Mutex<(change: Int, names: Set<String>)?>(nil)
    let adaptersKnown = Mutex<(change: Int, owners: [String: [AdapterOwner]])?>(nil)
    let changes = Atomic<Int>(0)
    private let knowsStorage = Atomic<Bool>(false)
    let loadThreads: EngineThreads
    let unloadThreads: EngineThreads
    let loader: VersionLoader
    let requestLogs: RequestLogs?
    let logger: Logger

    /// Creates a manager that serves nothing yet.
    ///
    /// - Parameters:
    ///   - loader: loads the versions.
    ///   - options: how versions are swapped and loaded.
    ///   - requestLogs: log requests to models that are configured so.
    ///   - logger: reports each load and unload.
    public init(
        loader: VersionLoader, options: Options = Options(), requestLogs: RequestLogs? = nil,
        logger: Logger
    ) {
        self.loader = loader
        self.requestLogs = requestLogs
        self.options = options
        self.logger = logger
        loadThreads = EngineThreads(
            count: options.loadThreads, capacity: .max, name: "model-loader",
            niceness: options.loadNiceness)
        unloadThreads = EngineThreads(
            count: options.unloadThreads, capacity: .max, name: "model-unloader")
    }

    // MARK: Serving

    /// Takes a hold on a servable, for as long as the lease lives.
    ///
    /// - Throws: `ServingError`: `NOT_FOUND` when there is no such servable, `UNAVAILABLE` when it
    ///   is being loaded and nothing else of the model answers, `INVALID_ARGUMENT` for an unknown
    ///   label; ``ServableNotLoaded`` when it has to be loaded first.
    func lease(model: String, version: VersionChoice) throws -> ServableLease {
        let isOnDemand = options.loadsOnDemand
        let (lease, number) = try models.withLock { models -> (ServableLease?, Int64?) in
            guard let known = models[model] else { return (nil, version.number) }
            let number = try known.number(for: version)
            if isOnDemand {
                models[model]?.lastUse = .now
                if known.lifecycle.mayCome { throw ServableNotLoaded(model: model) }
            }
            guard let number = number ?? known.servables.keys.max(),
                let servable = known.servables[number]
            else {
                try checkAbsence(of: number, in: known, model)
                return (nil, number)
            }
            return (ServableLease(servable), number)
        }
        if let lease { return lease }
        let request =
            version == .latest
            ? "Latest(\(model))" : "Specific(\(model), \(number.map(String.init) ?? "\(version)"))"
        throw ServingError.notFound("Servable not found for request: \(request)")
    }

    /// A node that has just begun has its models soon: it is not that they do not exist, and
    /// whoever asks may ask another node meanwhile.
    private func checkAbsence(of version: Int64?, in known: Model, _ name: String) throws {
        guard known.lifecycle.mayCome(version) || known.isConfigured && !hasSeenStorage else {
            return
        }
        throw ServingError(
            .unavailable, "Model \(name) is being loaded and does not answer yet; try again")
    }

    // MARK: Configuring

    /// Makes `configurations` the models the operator named, in place of those named before.
    ///
    /// Versions are loaded once a source has found them; see ``update(_:isComplete:)``. Labels of
    /// versions that do not answer yet are kept and work from when they do.
    func configure(_ configurations: [ModelConfiguration]) {
        requestLogs?.configure(configurations)
        let named = Set(configurations.map(\.name))
        for configuration in configurations {
            perform(configuration.name, create: true) { model in
                model.isConfigured = true
                model.labels = configuration.labels
                model.lifecycle.policy = configuration.versionPolicy
                self.keep(&model)
                return model.lifecycle.didConfigure()
            }
        }
        for name in modelNames where !named.contains(name) {
            perform(name) { model in
                guard model.isConfigured else { return [] }
                model.isConfigured = false
                model.isKept = false
                model.lifecycle.residency = .removed
                return model.lifecycle.didConfigure()
            }
        }
        forgetGone(present: named)
    }

    /// Stops serving a model, until it is configured or found again.
    func withdraw(model name: String) {
        perform(name) { model in
            model.isConfigured = false
            model.isKept = false
            model.lifecycle.residency = .removed
            return model.lifecycle.didConfigure()
        }
    }

    /// Whether the model is new, was removed before, or is kept already: now it is kept.
    private func keep(_ model: inout Model) {
        guard !model.isKept else { return }
        model.isKept = true
        model.lifecycle.residency = options.loadsOnDemand ? .onDemand : .wanted
    }

    // MARK: Aspiring

    /// Takes in what storage holds now, and loads and unloads accordingly in the background.
    ///
    /// A folder that cannot be listed changes nothing: what is served stays served.
    ///
    /// - Parameters:
    ///   - directories: the folders of all models.
    ///   - isComplete: `false` while a model root could not be listed yet, so that there may be
    ///     more models than these.
    func update(_ directories: [ModelDirectory], isComplete: Bool = true) {
        for directory in directories {
            do {
                let found = try directory.versions()
                // A folder under a model root that holds no version is no model.
                guard !found.isEmpty || knows(model: directory.model) else { continue }
                perform(directory.model, create: true) { model in
                    if !model.isConfigured { self.keep(&model) }
                    return model.lifecycle.didFind(found) { $0.fingerprint }
                }
                setListingError(nil, of: directory.model)
            } catch {
                setListingError("\(error)", of: directory.model)
            }
        }
        let present = Set(directories.map(\.model))
        for name in modelNames where !present.contains(name) {
            perform(name) { $0.lifecycle.didFind([]) { $0.fingerprint } }
        }
        forgetGone(present: present)
        if isComplete, !knowsStorage.exchange(true, ordering: .acquiringAndReleasing) {
            didChange()
        }
    }

    /// Tries versions again that failed some time ago.
    func timePassed(now: ContinuousClock.Instant = .now) {
        for name in modelNames {
            perform(name) { $0.lifecycle.timePassed(now: now) }
        }
    }

    /// Whether all of storage was seen at least once: before, nobody knows which models there are.
    public var hasSeenStorage: Bool { knowsStorage.load(ordering: .acquiring) }

    private func forgetGone(present: Set<String>) {
        let forgot = models.withLock { models in
            let known = models.count
            models = models.filter { name, model in
                model.isConfigured || present.contains(name) || !model.lifecycle.isUnloaded
            }
            return models.count < known
        }
        if forgot { didChange() }
    }

    /// Logs a folder that cannot be listed once, not at every look.
    private func setListingError(_ error: String?, of model: String) {
        let isNew = models.withLock { models in
            guard models[model]?.listingError != error else { return false }
            models[model]?.listingError = error
            return true
        }
        guard isNew, let error else { return }
        logger.warning(
            "model cannot be listed", metadata: ["model": "\(model)", "error": "\(error)"])
    }

    // MARK: Acting

    /// Lets an event happen to a model and does what comes of it.
    func perform(
        _ name: String, create: Bool = false,
        _ event: (inout Model) -> [ModelLifecycle.Action]
    ) {
        let actions = models.withLock { models -> [ModelLifecycle.Action] in
            var model: Model
            if let known = models[name] {
                model = known
            } else if create {
                let lifecycle = ModelLifecycle(
                    policy: .latest(count: 1), transition: options.transition,
                    retries: options.retries)
                model = Model(lifecycle: lifecycle, isConfigured: false)
            } else {
                return []
            }
            defer { models[name] = model }
            return event(&model)
        }
        for action in actions {
            switch action {
            case .load(let version, let path):
                enqueue(on: loadThreads) {
                    $0.load(ServableID(model: name, version: version), path: path)
                }
            case .unload(let version):
                unload(ServableID(model: name, version: version))
            }
        }
        didChange()
    }
}

extension ModelManager.Model {
    /// The number that a choice of version stands for; `nil` for the latest.
    func number(for choice: VersionChoice) throws -> Int64? {
        switch choice {
        case .latest: return nil
        case .number(let number): return number
        case .label(let label):
            guard let number = labels[label] else {
                throw ServingError.invalidArgument("Unrecognized servable version label: \(label)")
            }
            return number
        }
    }
}
