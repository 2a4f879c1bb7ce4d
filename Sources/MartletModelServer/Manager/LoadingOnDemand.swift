internal import Dispatch
internal import Logging
import MartletCore
import MartletEngines
import MartletRepository
import Synchronization

/// A model that answers once it has been loaded: ask for it by ``ModelManager/demand(model:_:)``.
struct ServableNotLoaded: Error {
    let model: String
}

extension ModelManager {
    /// Loads a model that is loaded on demand, and calls back when it answers or cannot.
    ///
    /// Many may ask at once: the model is loaded once.
    ///
    /// - Parameters:
    ///   - name: the model.
    ///   - callback: called once, on any thread, with the error if the model failed to load.
    func demand(model name: String, _ callback: @escaping @Sendable (ServingError?) -> Void) {
        perform(name) { model in
            guard model.lifecycle.residency == .onDemand else { return [] }
            model.lifecycle.residency = .wanted
            model.lastUse = .now
            return model.lifecycle.didConfigure()
        }
        whenever { manager in
            manager.models.withLock { models in
                guard let lifecycle = models[name]?.lifecycle else { return true }
                return lifecycle.isAvailable || !lifecycle.mayCome
            }
        } _: {
            callback(self.failure(of: name))
        }
    }

    private func failure(of name: String) -> ServingError? {
        models.withLock { models in
            guard let lifecycle = models[name]?.lifecycle, !lifecycle.isAvailable else {
                return nil
            }
            return lifecycle.failures.last.map { failure in
                ServingError(
                    failure.error.code,
                    "Model \(name) could not be loaded: version \(failure.version): "
                        + failure.error.message)
            } ?? ServingError.notFound("Servable not found for request: Latest(\(name))")
        }
    }

    // MARK: Room

    /// Unloads models used least recently until a version fits into the memory budget.
    ///
    /// Runs on a loader's thread and blocks it while the others unload.
    ///
    /// - Throws: `ServingError` (`RESOURCE_EXHAUSTED`) when it cannot fit.
    func makeRoom(for version: ModelDirectory.Version, of name: String) throws {
        guard let bytes = options.memoryBudget else { return }
        let id = ServableID(model: name, version: version.number)
        let budget = MemoryBudget(bytes: bytes)
        let needed = loader.memoryBytes(of: version, id)
        while true {
            // Read before planning, so that no change in between is missed.
            let before = changeCount
            let plan = roomReserved.withLock { reserved in
                let plan = budget.plan(
                    needed: needed, holders: holders(besides: name, reserved: reserved),
                    isChanging: !reserved.isEmpty || isUnloading)
                if plan == .load { reserved[id] = needed }
                return plan
            }
            switch plan {
            case .load: return
            case .evict(let other): evict(other)
            case .wait: awaitChange(since: before)
            case .refuse:
                throw ServingError(
                    .resourceExhausted,
                    "Model \(name) needs about \(needed) bytes of memory; "
                        + "the budget is \(bytes) (--memory-budget) and nothing can be unloaded")
            }
        }
    }

    /// Gives back what ``makeRoom(for:of:)`` set aside: the servable itself counts from now on.
    func releaseRoom(of id: ServableID) {
        let wasReserved = roomReserved.withLock { $0.removeValue(forKey: id) != nil }
        if wasReserved { didChange() }
    }

    private func holders(
        besides name: String, reserved: [ServableID: Int]
    ) -> [MemoryBudget.Holder] {
        let evicts = options.loadsOnDemand
        let loaded = models.withLock { models in
            models.compactMap { key, model -> MemoryBudget.Holder? in
                let bytes = model.servables.values.reduce(0) { $0 + $1.servable.memoryBytes }
                guard bytes > 0 else { return nil }
                return MemoryBudget.Holder(
                    model: key, bytes: bytes, lastUse: model.lastUse,
                    isEvictable: evicts && key != name && model.lifecycle.isAvailable)
            }
        }
        let loading = reserved.map { id, bytes in
            MemoryBudget.Holder(
                model: id.model, bytes: bytes, lastUse: .now, isEvictable: false)
        }
        return loaded + loading
    }

    private var isUnloading: Bool {
        models.withLock { $0.values.contains { $0.lifecycle.isUnloading } }
    }

    private func evict(_ name: String) {
        logger.info("model evicted", metadata: ["model": "\(name)"])
        perform(name) { model in
            model.lifecycle.residency = .onDemand
            return model.lifecycle.didConfigure()
        }
        let gone = DispatchSemaphore(value: 0)
        whenever { manager in
            manager.models.withLock { $0[name]?.lifecycle.isUnloading != true }
        } _: {
            gone.signal()
        }
        gone.wait()
    }

    /// Waits until some model has come or gone.
    private func awaitChange(since before: Int) {
        let changed = DispatchSemaphore(value: 0)
        whenever {
            $0.changeCount != before
        } _: {
            changed.signal()
        }
        changed.wait()
    }
}
