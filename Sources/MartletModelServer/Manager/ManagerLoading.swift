internal import Dispatch
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

    /// Loads a version as soon as the journal lets it; runs on a loader's thread.
    func load(_ id: ServableID, path: String) {
        let version = ModelDirectory.Version(number: id.version, path: path)
        load(
            PendingLoad(
                id: id, version: version, fingerprint: version.fingerprint,
                entry: options.loadJournal?.entry(of: id, version)))
    }

    private func load(_ pending: PendingLoad) {
        var pending = pending
        do {
            guard let turn = try turn(of: &pending) else { return loadLater(pending) }
            defer { turn.end() }
            try makeRoom(for: pending.version, of: pending.id.model)
            defer { releaseRoom(of: pending.id) }
            let start = ContinuousClock.now
            let loaded = try loadNow(pending)
            didLoad(loaded, pending, in: ContinuousClock.now - start)
        } catch {
            didFail(pending, error)
            return
        }
        options.loadJournal?.sweep()
    }

    /// `nil` while another process of the machine has to go first.
    private func turn(of pending: inout PendingLoad) throws -> LoadTurn? {
        guard let journal = options.loadJournal, var entry = pending.entry else {
            return .free
        }
        defer { pending.entry = entry }
        let model = pending.id.model
        let hasOthers = models.withLock { $0[model]?.servables.isEmpty == false }
        return try journal.turn(of: &entry, hasOthers: hasOthers)
    }

    /// Asks for the turn again after a pause, in which the loader's thread is free for others.
    private func loadLater(_ pending: PendingLoad) {
        let again = DispatchTime.now() + LoadJournal.pause.seconds
        DispatchQueue.global().asyncAfter(deadline: again) { [weak self] in
            guard let self else { return }
            do {
                // Here, as the threads may be busy for long.
                try options.loadJournal?.checkOpen()
                enqueue(on: loadThreads) { $0.load(pending) }
            } catch {
                didFail(pending, error)
            }
        }
    }

    /// Loads a version, noted in the journal if there is one, so that files which end the process
    /// do not end it for ever.
    private func loadNow(_ pending: PendingLoad) throws -> LoadedServable {
        guard let journal = options.loadJournal, let entry = pending.entry else {
            return try loader.load(pending.id, from: pending.version)
        }
        return try journal.perform(entry) { try loader.load(pending.id, from: pending.version) }
    }

    private func didLoad(_ loaded: LoadedServable, _ pending: PendingLoad, in time: Duration) {
        let id = pending.id
        let replaced = models.withLock { models in
            let replaced = models[id.model]?.servables[id.version]
            models[id.model]?.servables[id.version] = loaded
            if let replaced { retiring.withLock { $0.append(replaced) } }
            return replaced
        }
        logger.info(
            "model loaded",
            metadata: [
                "model": "\(id.model)", "version": "\(id.version)",
                "engine": "\(loaded.engine)",
                "memory_bytes": "\(loaded.servable.memoryBytes)",
                "seconds": "\(time.secondsText)",
            ])
        if let replaced { retire(replaced) {} }
        perform(id.model) { $0.lifecycle.didLoad(id.version) }
    }

    private func didFail(_ pending: PendingLoad, _ error: any Error) {
        let id = pending.id
        let fault = error as? ServingError ?? ServingError(.internal, "\(error)", cause: error)
        logger.error(
            "model failed to load",
            metadata: [
                "model": "\(id.model)", "version": "\(id.version)", "error": "\(fault)",
                "cause": "\(fault.cause.map { "\($0)" } ?? "none")",
            ])
        perform(id.model) {
            $0.lifecycle.didFail(
                id.version, error: fault, fingerprint: pending.fingerprint, now: .now)
        }
    }

    func unload(_ id: ServableID) {
        let removed = models.withLock { models in
            let removed = models[id.model]?.servables.removeValue(forKey: id.version)
            if let removed { retiring.withLock { $0.append(removed) } }
            return removed
        }
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
                manager.retiring.withLock { $0.removeAll { $0 === loaded } }
                manager.didChange()
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

/// A version that is to be loaded.
private struct PendingLoad: Sendable {
    let id: ServableID
    let version: ModelDirectory.Version
    /// Of its files before any of them is read.
    let fingerprint: Int
    /// For the journal; `nil` where there is none.
    var entry: LoadEntry?
}
