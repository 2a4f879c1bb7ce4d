import MartletCore
import MartletEngines
import Synchronization

extension ModelManager {
    /// The models that can be asked for by OpenAI's API, and their adapters, by name: those that
    /// answer, and those that are loaded as soon as somebody asks.
    ///
    /// - Parameter created: what is said of when they were made, in seconds since 1970.
    /// - Returns: each once, sorted.
    func listedLanguageModels(created: Int) -> [ListedModel] {
        let owners = adapterOwners
        var names: [String: (contextTokens: Int?, adapters: Set<String>)] = [:]
        for model in languageModels {
            let (name, description) = (model.id.model, model.description)
            // Of several versions the first says how long the context is.
            let contextTokens = names[name]?.contextTokens ?? description.contextTokensMax
            let adapters = names[name]?.adapters ?? []
            names[name] = (contextTokens, adapters.union(description.adapters))
        }
        for name in comingLanguageModels where names[name] == nil {
            // How long its context is, is known when it has been loaded.
            let adapters = owners.filter { $0.value.contains { $0.model == name } }.keys
            names[name] = (nil, Set(adapters))
        }
        return names.sorted { $0.key < $1.key }.flatMap { name, found in
            let adapters = found.adapters.sorted().map { adapter in
                // Alone it would not say of which model, or be taken for a model.
                let isAmbiguous = owners[adapter]?.count ?? 0 > 1 || knows(model: adapter)
                return ListedModel(
                    id: isAmbiguous ? "\(name):\(adapter)" : adapter,
                    created: created, contextTokens: found.contextTokens, parent: name)
            }
            let model = ListedModel(
                id: name, created: created, contextTokens: found.contextTokens)
            return [model] + adapters
        }
    }

    /// The names of the language models that can be asked for.
    var languageModelNames: Set<String> {
        comingLanguageModels.union(languageModels.map(\.id.model))
    }

    /// The language models that are loaded as soon as somebody asks for them, by their files.
    ///
    /// They are looked for when models have come or gone, not each time somebody asks.
    private var comingLanguageModels: Set<String> {
        guard options.loadsOnDemand else { return [] }
        // Read before looking, so that no change in between is missed.
        let change = changeCount
        if let known = comingKnown.withLock({ $0?.change == change ? $0?.names : nil }) {
            return known
        }
        let found = comingFolders.filter { VersionDescription.isLanguageModel(folder: $0.folder) }
        let names = Set(found.map(\.model))
        comingKnown.withLock { $0 = (change, names) }
        return names
    }
}
