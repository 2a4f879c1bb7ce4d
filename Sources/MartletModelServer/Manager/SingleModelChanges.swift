import MartletCore
import MartletEngines
import Synchronization

/// Changes of one model that leave the others as they are.
extension ModelAdministration {
    /// Called once, on any thread, with the model as it is then.
    typealias ModelCompletion = @Sendable (Result<AdminModel, any Error>) -> Void

    /// Tells of all models.
    func list(completion: @escaping @Sendable (Result<[AdminModel], any Error>) -> Void) {
        submit({ completion(.failure($0)) }) { [self] in
            completion(.success(source.inventory.map(describe)))
        }
    }

    /// Tells of one model.
    func show(_ name: String, completion: @escaping ModelCompletion) {
        submit({ completion(.failure($0)) }) { [self] in completion(Result { try shown(name) }) }
    }

    /// Adds a model or changes what is known of it, and calls back once it answers or cannot.
    ///
    /// Its labels move when the versions that they name answer. A model that fails to load stays
    /// configured: it is served as soon as its storage is mended.
    func change(_ name: String, _ change: ModelChange, completion: @escaping ModelCompletion) {
        submit({ completion(.failure($0)) }) { [self] in
            do {
                try source.serve(name) { try configuration(of: name, known: $0, change) }
            } catch {
                completion(.failure(error))
                return
            }
            manager.load(model: name) { [self] reason in
                if let reason {
                    completion(
                        .failure(
                            ServingError(
                                .failedPrecondition,
                                "Model '\(name)' does not answer: \(reason). It stays configured, "
                                    + "and is served once its storage is mended")))
                } else {
                    // One version answers already; labels may be meant for the others.
                    manager.whenever { manager in
                        manager.models.withLock { $0[name]?.lifecycle.isLoading != true }
                    } _: { [self] in
                        label(name, change.labels, completion)
                    }
                }
            }
        }
    }

    /// Stops serving a model and forgets it, and calls back once it takes no more requests.
    func remove(_ name: String, completion: @escaping @Sendable ((any Error)?) -> Void) {
        submit(completion) { [self] in
            completion(source.remove(name) ? nil : ModelAdministration.unknown(name))
        }
    }

    /// Lets a label stand for a version, or for none.
    func setLabel(
        _ label: String, of name: String, to version: Int64?,
        completion: @escaping ModelCompletion
    ) {
        submit({ completion(.failure($0)) }) { [self] in
            completion(
                Result {
                    try relabel(name) { labels in
                        guard version != nil || labels[label] != nil else {
                            throw ServingError.notFound("Model '\(name)' has no label '\(label)'")
                        }
                        labels[label] = version
                    }
                    return try shown(name)
                })
        }
    }

    private func label(
        _ name: String, _ labels: [String: Int64]?, _ completion: @escaping ModelCompletion
    ) {
        submit({ completion(.failure($0)) }) { [self] in
            completion(
                Result {
                    if let labels { try relabel(name) { $0 = labels } }
                    return try shown(name)
                })
        }
    }

    private func relabel(
        _ name: String, _ change: (inout [String: Int64]) throws -> Void
    ) throws {
        let isKnown = try source.edit(name) { configuration in
            let before = configuration.labels
            try change(&configuration.labels)
            // A label that stays where it is needs no version that answers.
            var moved = configuration
            moved.labels = configuration.labels.filter { before[$0.key] != $0.value }
            try check(labelsOf: moved)
        }
        guard isKnown else { throw ModelAdministration.unknown(name) }
    }

    private func configuration(
        of name: String, known: ModelConfiguration?, _ change: ModelChange
    ) throws -> ModelConfiguration {
        guard
            let path = try change.basePath.map({ try ModelConfiguration.folder($0, of: name) })
                ?? known?.basePath
        else {
            throw ServingError.invalidArgument(
                "'base_path' is missing: there is no model '\(name)' yet, so the folder of its "
                    + "versions must be named")
        }
        var configuration = known ?? ModelConfiguration(name: name, basePath: path)
        configuration.basePath = path
        if let policy = change.versionPolicy { configuration.versionPolicy = policy }
        if let labels = change.labels {
            // Those that move do so when their versions answer; see label(_:_:_:).
            configuration.labels = configuration.labels.filter { labels[$0.key] != nil }
        }
        return configuration
    }

    private func shown(_ name: String) throws -> AdminModel {
        guard let entry = source.inventory.first(where: { $0.configuration.name == name }) else {
            throw ModelAdministration.unknown(name)
        }
        return describe(entry)
    }

    private func describe(_ entry: ModelSource.Entry) -> AdminModel {
        let name = entry.configuration.name
        let choices = Dictionary(
            manager.servables(of: name).map { ($0.servable.id.version, $0.choice) },
            uniquingKeysWith: { first, _ in first })
        return AdminModel(
            name: name, basePath: entry.configuration.basePath,
            versionPolicy: entry.configuration.versionPolicy, labels: entry.configuration.labels,
            configured: entry.isConfigured, served: !entry.isWithheld,
            versions: ((try? manager.status(model: name)) ?? []).map {
                AdminModel.Version(
                    version: $0.version, state: $0.state.name, error: $0.error?.message ?? "",
                    engine: choices[$0.version].map(AdminEngine.init))
            })
    }

    private static func unknown(_ name: String) -> ServingError {
        .notFound("There is no model '\(name)'")
    }
}
