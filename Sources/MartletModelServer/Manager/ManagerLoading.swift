import Logging
import MartletCore
import MartletEngines
import MartletRepository
import Synchronization

extension ModelManager {
    func enqueue(
        on threads: EngineThreads, _ job: @escaping @Sendable (ModelManager) -> Void
    ) {
        do {
            try threads.submit { job(self) }
        } catch {
            logger.debug("not loading", metadata: ["reason": "\(error)"])
        }
    }

    func load(_ id: ServableID, path: String) {
        let start = ContinuousClock.now
        let version = ModelDirectory.Version(number: id.version, path: path)
        let fingerprint = version.fingerprint
        do {
            try makeRoom(for: version, of: id.model)
            defer { releaseRoom(of: id) }
            let loaded = try loadJournaled(id, version)
            let replaced = models.withLock { models in
                let replaced = models[id.model]?.servables[id.version]
                models[id.model]?.servables[id.version] = loaded
                return replaced
            }
            logger.info(
                "model loaded",
                metadata: [
                    "model": "\(id.model)", "version": "\(id.version)",
                    "engine": "\(loaded.engine)",
                    "memory_bytes": "\(loaded.servable.memoryBytes)",
                    "seconds": "\((ContinuousClock.now - start).secondsText)",
                ])
            if let replaced { retire(replaced) {} }
            perform(id.model) { $0.lifecycle.didLoad(id.version) }
        } catch {
            let fault = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
            logger.error(
                "model failed to load",
                metadata: [
                    "model": "\(id.model)", "version": "\(id.version)", "error": "\(fault)",
                    "cause": "\(fault.cause.map { "\($0)" } ?? "none")",
                ])
            perform(id.model) {
                $0.lifecycle.didFail(
                    id.version, error: fault, fingerprint: fingerprint, now: .now)
            }
        }
    }

    /// Loads a version, noted in the journal if there is one, so that files which end the process
    /// do not end it for ever.
    private func loadJournaled(
        _ id: ServableID, _ version: ModelDirectory.Version
    ) throws -> LoadedServable {
        guard let journal = options.loadJournal else { return try loader.load(id, from: version) }
        let hasOthers = models.withLock { $0[id.model]?.servables.isEmpty == false }
        return try journal.perform(id, version, hasOthers: hasOthers) {
            try loader.load(id, from: version)
        }
    }

    func unload(_ id: ServableID) {
        let removed = models.withLock { $0[id.model]?.servables.removeValue(forKey: id.version) }
        guard let removed else { return }
        // Before the last request is done: from now on it is not among those that answer.
        didChange()
        retire(removed) { [self] in
            perform(id.model) { $0.lifecycle.didUnload(id.version) }
        }
    }

    /// Unloads a servable once its last request is done.
    private func retire(_ loaded: LoadedServable, then: @escaping @Sendable () -> Void) {
        loaded.retire {
            self.enqueue(on: self.unloadThreads) { manager in
                loaded.servable.unload()
                manager.logger.info(
                    "model unloaded",
                    metadata: [
                        "model": "\(loaded.servable.id.model)",
                        "version": "\(loaded.servable.id.version)",
                    ])
                then()
            }
        }
    }
}
