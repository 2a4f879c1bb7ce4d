import MartletCore
import MartletEngines
import Synchronization

/// The model, or the adapter of a model, that a request names, held for as long as it is used.
struct GenerationTarget: Sendable {
    /// Holds the version.
    let lease: ServableLease
    /// The version itself.
    let model: any GenerativeModel
    /// A LoRA adapter of it; `nil` for the model as it is.
    let adapter: String?

    /// What may change the answers of the same seed.
    var fingerprint: String { "\(lease.loaded.engine)-\(model.id.version)" }
}

/// Finds the language models of a node by the names that requests give.
struct GenerationTargets: Sendable {
    let manager: ModelManager

    /// The target of a name: a model (its latest version), `MODEL:VERSION`, `MODEL:LABEL`, or an
    /// adapter of a loaded model.
    ///
    /// - Parameters:
    ///   - name: what the client wrote.
    ///   - subject: learns what was found.
    /// - Returns: the target, which holds the version.
    /// - Throws: `ServingError`: `NOT_FOUND` for an unknown name, `INVALID_ARGUMENT` for a model
    ///   that is no language model; what the manager throws for a version that is not there.
    func target(of name: String, _ subject: inout RequestSubject) throws -> GenerationTarget {
        let (model, version, adapter) = try parse(name)
        subject.model = model
        subject.requestedVersion = version
        let lease = try lease(model, version, name: name)
        guard let generative = lease.loaded.servable as? any GenerativeModel else {
            throw ServingError(
                .invalidArgument,
                "the model '\(model.prefix(128))' is no language model; use /v1/models/\(model)"
                    + ":predict",
                cause: OpenAIErrorDetail(param: "model", code: "model_not_supported"))
        }
        subject.version = generative.id.version
        return GenerationTarget(lease: lease, model: generative, adapter: adapter)
    }

    private func lease(
        _ model: String, _ version: VersionChoice, name: String
    ) throws -> ServableLease {
        do {
            return try manager.lease(model: model, version: version)
        } catch let error as ServingError where error.code == .invalidArgument {
            // A label that there is not: a part of the model's name here.
            guard case .label = version else { throw error }
            throw ServingError.unknownModel(name)
        }
    }

    /// The target of a name that may be left out where there is one language model only.
    func target(
        ofOptional name: String?, _ subject: inout RequestSubject
    ) throws -> GenerationTarget {
        if let name { return try target(of: name, &subject) }
        let names = Set(manager.languageModels.map(\.id.model)).sorted()
        guard let only = names.first, names.count == 1 else {
            throw ServingError.invalidField(
                "model", .missing,
                "'model' is missing; give one of: " + names.prefix(16).joined(separator: ", "))
        }
        return try target(of: only, &subject)
    }

    private func parse(
        _ name: String
    ) throws -> (model: String, version: VersionChoice, adapter: String?) {
        if manager.knows(model: name) { return (name, .latest, nil) }
        if let colon = name.lastIndex(of: ":") {
            let model = String(name[..<colon])
            let version = String(name[name.index(after: colon)...])
            if manager.knows(model: model), !version.isEmpty {
                return (model, Int64(version).map { .number($0) } ?? .label(version), nil)
            }
        }
        // Of several models with such an adapter the first by name.
        let owner = manager.languageModels.first { $0.description.adapters.contains(name) }
        guard let owner else { throw ServingError.unknownModel(name) }
        return (owner.id.model, .latest, name)
    }
}

extension ModelManager {
    /// The versions of language models that are loaded, by name and version.
    ///
    /// They are looked for when models have come or gone, not each time somebody asks: each metric
    /// of a scrape does, and there may be thousands of other models.
    var languageModels: [any GenerativeModel] {
        // Read before looking, so that no change in between is missed.
        let change = changeCount
        if let known = languageModelsKnown.withLock({ $0?.change == change ? $0?.models : nil }) {
            return known
        }
        let loaded = models.withLock { models in models.values.flatMap { $0.servables.values } }
        let found = loaded.compactMap { $0.servable as? any GenerativeModel }.sorted {
            ($0.id.model, $0.id.version) < ($1.id.model, $1.id.version)
        }
        languageModelsKnown.withLock { $0 = (change, found) }
        return found
    }
}
