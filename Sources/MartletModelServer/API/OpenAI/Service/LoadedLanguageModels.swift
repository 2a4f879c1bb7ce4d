import MartletCore
import MartletEngines
import Synchronization

/// The versions of language models in memory, as they were when so much had changed.
struct LanguageModelsKnown: Sendable {
    let change: Int
    /// Those that answer, by name and version.
    let answering: [any GenerativeModel]
    /// Those whose last requests have not ended.
    let retiring: [any GenerativeModel]
}

extension ModelManager {
    /// The versions of language models that answer, by name and version.
    var languageModels: [any GenerativeModel] { loadedLanguageModels.answering }

    /// The versions of language models that may have sequences: those that answer, and those that
    /// end what they have begun.
    ///
    /// Two may be of one name and version, where its folder was moved.
    var languageModelsAtWork: [any GenerativeModel] {
        let loaded = loadedLanguageModels
        return loaded.answering + loaded.retiring
    }

    /// They are looked for when models have come or gone, not each time somebody asks: each metric
    /// of a scrape does, and there may be thousands of other models.
    private var loadedLanguageModels: LanguageModelsKnown {
        // Read before looking, so that no change in between is missed.
        let change = changeCount
        if let known = languageModelsKnown.withLock({ $0?.change == change ? $0 : nil }) {
            return known
        }
        // Both at once: what is no longer among the ones is among the others.
        let (answering, retiring) = models.withLock { models in
            (models.values.flatMap { $0.servables.values }, self.retiring.withLock { $0 })
        }
        let found = LanguageModelsKnown(
            change: change,
            answering: answering.compactMap { $0.servable as? any GenerativeModel }.sorted {
                ($0.id.model, $0.id.version) < ($1.id.model, $1.id.version)
            },
            retiring: retiring.compactMap { $0.servable as? any GenerativeModel })
        languageModelsKnown.withLock { $0 = found }
        return found
    }
}
