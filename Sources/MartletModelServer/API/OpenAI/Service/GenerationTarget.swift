import MartletCore
import MartletEngines

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

    /// The target of a name: a model (its latest version), `MODEL:VERSION` or `MODEL:LABEL`; an
    /// adapter, alone where one model has it, else behind the model's name or version and a colon.
    ///
    /// - Parameters:
    ///   - name: what the client wrote.
    ///   - subject: learns what was found.
    /// - Returns: the target, which holds the version.
    /// - Throws: `ServingError`: `NOT_FOUND` for an unknown name, `INVALID_ARGUMENT` for a model
    ///   that is no language model, or an adapter of several; what the manager throws for a version
    ///   that is not there.
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
        if let adapter, !generative.description.adapters.contains(adapter) {
            throw ServingError.unknownModel(name)
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
        let names = manager.languageModelNames.sorted()
        guard let only = names.first, names.count == 1 else {
            throw ServingError.invalidField(
                "model", .missing,
                "'model' is missing; give one of: " + names.prefix(16).joined(separator: ", "))
        }
        return try target(of: only, &subject)
    }

    private typealias Named = (model: String, version: VersionChoice, adapter: String?)

    private func parse(_ name: String) throws -> Named {
        if manager.knows(model: name) { return (name, .latest, nil) }
        let owners = manager.adapterOwners
        if let (before, last) = halves(of: name) {
            if manager.knows(model: before) { return part(last, of: before, owners) }
            // An adapter of a version.
            if let (model, version) = halves(of: before), manager.knows(model: model) {
                return (model, choice(version), last)
            }
        }
        guard let found = owners[name], let owner = found.first else {
            throw ServingError.unknownModel(name)
        }
        guard found.count == 1 else {
            let names = found.prefix(8).map { "\($0.model.prefix(128)):\(name)" }
            throw ServingError.invalidField(
                "model", .wrongValue,
                "several models have an adapter '\(name.prefix(128))'; ask for one of "
                    + names.joined(separator: ", "))
        }
        return (owner.model, owner.version, name)
    }

    /// What stands behind a model's name and a colon: a version, a label or an adapter.
    private func part(
        _ text: String, of model: String, _ owners: [String: [AdapterOwner]]
    ) -> Named {
        let version = choice(text)
        guard case .label = version, manager.labels(of: model)[text] == nil,
            let owner = owners[text]?.first(where: { $0.model == model })
        else { return (model, version, nil) }
        return (model, owner.version, text)
    }

    private func choice(_ text: String) -> VersionChoice {
        Int64(text).map { .number($0) } ?? .label(text)
    }

    /// What is before the last colon, and what is behind it; `nil` where one of both is empty.
    private func halves(of name: String) -> (before: String, last: String)? {
        guard let colon = name.lastIndex(of: ":") else { return nil }
        let (before, last) = (name[..<colon], name[name.index(after: colon)...])
        return before.isEmpty || last.isEmpty ? nil : (String(before), String(last))
    }
}
