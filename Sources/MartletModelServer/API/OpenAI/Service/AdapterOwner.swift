import MartletCore
import MartletEngines
import MartletRepository
import Synchronization

/// A model that a LoRA adapter lies beside.
struct AdapterOwner: Sendable, Equatable {
    let model: String
    /// The version to ask: the latest that has the adapter.
    let version: VersionChoice
}

extension ModelManager {
    /// The models that can be asked for each LoRA adapter, by the adapter's name, in order.
    ///
    /// Models that are not loaded yet count, by the names of their files: somebody may have to ask
    /// for them first. They are looked for when models have come or gone, not each time somebody
    /// asks.
    var adapterOwners: [String: [AdapterOwner]] {
        // Read before looking, so that no change in between is missed.
        let change = changeCount
        if let known = adaptersKnown.withLock({ $0?.change == change ? $0?.owners : nil }) {
            return known
        }
        var owners = loadedAdapterOwners
        for (model, folder) in comingFolders {
            for name in Set(GGUFAdapters.names(folder: folder)) {
                let owner = AdapterOwner(model: model, version: .latest)
                guard owners[name]?.contains(where: { $0.model == model }) != true else { continue }
                owners[name, default: []].append(owner)
            }
        }
        owners = owners.mapValues { $0.sorted { $0.model < $1.model } }
        adaptersKnown.withLock { $0 = (change, owners) }
        return owners
    }

    private var loadedAdapterOwners: [String: [AdapterOwner]] {
        var owners: [String: [AdapterOwner]] = [:]
        var seen: Set<String> = []
        // The latest version first.
        for model in languageModels.reversed() {
            let isLatest = seen.insert(model.id.model).inserted
            for name in model.description.adapters
            where owners[name]?.contains(where: { $0.model == model.id.model }) != true {
                owners[name, default: []].append(
                    AdapterOwner(
                        model: model.id.model,
                        version: isLatest ? .latest : .number(model.id.version)))
            }
        }
        return owners
    }

    /// The folders of versions that are loaded once somebody asks for them, or just now.
    var comingFolders: [(model: String, folder: String)] {
        models.withLock { models in
            models.flatMap { name, model in
                model.lifecycle.comingPaths.map { (model: name, folder: $0) }
            }
        }
    }
}
