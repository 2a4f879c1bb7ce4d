import MartletCore
import MartletEngines
import MartletProtocols
import MartletTensors
import MartletTransport

/// What both forms of the Open Inference Protocol, REST and gRPC, are made of.
struct OpenInferenceNode: Sendable {
    let manager: ModelManager
    let health: NodeHealth
    let limits: Limits
    let repository: ModelRepositoryControl?
    let adminAccess: AdminAccess
    let sharedMemory: SharedMemoryLender

    // MARK: Inference

    /// Makes a prediction of an inference request.
    ///
    /// - Parameters:
    ///   - model: the model named.
    ///   - version: the version named.
    ///   - subject: takes what is learnt of the request.
    ///   - read: decodes the request, once the model is found.
    ///   - respond: encodes the outputs.
    /// - Returns: the validated prediction.
    /// - Throws: `ServingError` of any of that; ``ServableNotLoaded``.
    func infer<Response>(
        _ model: String, _ version: VersionChoice, subject: inout RequestSubject,
        read: () throws -> InferRequest,
        respond: @escaping @Sendable (ServableID, InferRequest, [NamedTensor]) throws -> Response
    ) throws -> Answer<Response> {
        let lease = try lease(model, version)
        let id = lease.loaded.servable.id
        subject.version = id.version
        let request = try read()
        let signature = try signature(named: request.signatureName, of: lease.loaded.servable)
        subject.signature = signature.name
        let prediction = try Prediction(
            signature, of: lease, inputs: request.inputs,
            outputFilter: request.outputs.map(\.name)
        ) { try respond(id, request, $0) }
        for output in prediction.outputs where output.dtype.openInferenceName == nil {
            throw ServingError.invalidArgument(
                "output '\(output.name)' has type \(output.dtype.name), which the Open Inference "
                    + "Protocol does not have; name other outputs in 'outputs'")
        }
        return .prediction(prediction)
    }

    /// Takes a hold on a servable; the messages are those that Triton's clients know.
    func lease(_ model: String, _ version: VersionChoice) throws -> ServableLease {
        do {
            return try manager.lease(model: model, version: version)
        } catch let error as ServingError where error.code == .notFound {
            throw unknown(model, version)
        }
    }

    private func unknown(_ model: String, _ version: VersionChoice) -> ServingError {
        guard manager.knows(model: model) else {
            return .notFound("Request for unknown model: '\(model)' is not found")
        }
        guard let number = version.number else {
            return .notFound("Request for unknown model: '\(model)' has no available versions")
        }
        return .notFound(
            "Request for unknown model: '\(model)' version \(number) is not at ready state")
    }

    /// The signature named, or else the default one, or else the only one.
    private func signature(named name: String?, of servable: any Servable) throws -> Signature {
        if let name, !name.isEmpty {
            guard let signature = servable.signatures[name] else {
                throw ServingError.invalidArgument(
                    "Serving signature name: \"\(name)\" not found in signature def")
            }
            return signature
        }
        if let signature = servable.signatures[Signature.defaultName] { return signature }
        guard let only = servable.signatures.values.first, servable.signatures.count == 1 else {
            throw ServingError.invalidArgument(
                "model '\(servable.id.model)' has no signature '\(Signature.defaultName)'; name "
                    + "one of \(servable.signatures.keys.sorted().joined(separator: ", ")) in the "
                    + "parameter '\(InferRequest.signatureParameter)'")
        }
        return only
    }

    // MARK: Health

    /// Refuses while the node is not ready.
    ///
    /// - Throws: `ServingError` (`FAILED_PRECONDITION`): over REST a status of the kind 4xx, as the
    ///   protocol asks.
    func checkReady() throws {
        let reason: String
        switch health.readiness {
        case .ready: return
        case .starting: reason = "it looks through its storage"
        case .unavailable(let models):
            reason = "models do not answer: \(models.joined(separator: ", "))"
        case .stalled(let stalls):
            reason = stalls.map(\.description).joined(separator: ", ")
        case .draining: reason = "it shuts down"
        }
        throw ServingError(.failedPrecondition, "the node is not ready: \(reason)")
    }

    /// Refuses while a model is not ready.
    ///
    /// - Throws: as ``checkReady()``.
    func checkReady(_ model: String, _ version: VersionChoice) throws {
        guard manager.isReady(model: model, version: version) else {
            throw ServingError(.failedPrecondition, unknown(model, version).message)
        }
        if let stall = health.stalls.first(where: { $0.id.model == model }) {
            throw ServingError(.failedPrecondition, "the model is not ready: \(stall)")
        }
    }

    // MARK: Descriptions

    /// What the node is.
    var serverMetadata: Inference_ServerMetadataResponse {
        var metadata = Inference_ServerMetadataResponse()
        metadata.name = "martlet"
        metadata.version = martletVersion
        metadata.extensions = [
            "model_repository", "model_configuration", "binary_tensor_data", "parameters",
            "statistics",
        ]
        if sharedMemory.access != .off { metadata.extensions.append("system_shared_memory") }
        return metadata
    }

    /// What a model takes and gives.
    func modelMetadata(
        _ model: String, _ version: VersionChoice, subject: inout RequestSubject
    ) throws -> Inference_ModelMetadataResponse {
        let lease = try lease(model, version)
        subject.version = lease.loaded.servable.id.version
        let signature = try signature(named: nil, of: lease.loaded.servable)
        var metadata = Inference_ModelMetadataResponse()
        metadata.name = model
        metadata.versions = manager.servables(of: model).map { String($0.servable.id.version) }
        metadata.platform = lease.loaded.platform
        metadata.inputs = signature.inputs.map(Inference_ModelMetadataResponse.TensorMetadata.init)
        metadata.outputs = signature.outputs.map(
            Inference_ModelMetadataResponse.TensorMetadata.init)
        return metadata
    }

    /// How a model is set up.
    func modelConfig(
        _ model: String, _ version: VersionChoice, subject: inout RequestSubject
    ) throws -> Inference_ModelConfig {
        let lease = try lease(model, version)
        subject.version = lease.loaded.servable.id.version
        let signature = try signature(named: nil, of: lease.loaded.servable)
        var config = Inference_ModelConfig()
        config.name = model
        config.platform = lease.loaded.platform
        config.backend = lease.loaded.engine
        if let policy = manager.versionPolicy(of: model) { config.versionPolicy = .init(policy) }
        config.input = signature.inputs.map(Inference_ModelInput.init)
        config.output = signature.outputs.map(Inference_ModelOutput.init)
        var names = Inference_ModelParameter()
        names.stringValue = lease.loaded.servable.signatures.keys.sorted().joined(separator: ",")
        config.parameters["signature_names"] = names
        return config
    }

    // MARK: Statistics and repository

    /// How often and how fast models ran; of all models, if none is named.
    func statistics(
        _ model: String?, _ version: VersionChoice
    ) throws -> Inference_ModelStatisticsResponse {
        var servables = manager.servables(of: model)
        if let model {
            if version != .latest {
                let wanted = try manager.status(model: model, version: version).map(\.version)
                servables.removeAll { !wanted.contains($0.servable.id.version) }
            }
            guard !servables.isEmpty else { throw unknown(model, version) }
        }
        var response = Inference_ModelStatisticsResponse()
        response.modelStats = servables.map(Inference_ModelStatistics.init)
        return response
    }

    /// All models and versions, or those that are ready.
    func repositoryIndex(readyOnly: Bool) -> Inference_RepositoryIndexResponse {
        var response = Inference_RepositoryIndexResponse()
        response.models = (repository?.index ?? [])
            .filter { !readyOnly || $0.state == .available }
            .map { entry in
                var model = Inference_RepositoryIndexResponse.ModelIndex()
                model.name = entry.model
                model.version = entry.version.map(String.init) ?? ""
                model.state =
                    switch entry.state {
                    case .available: "READY"
                    case .loading: "LOADING"
                    case .unloading: "UNLOADING"
                    case .start, .end: "UNAVAILABLE"
                    }
                model.reason = entry.reason
                return model
            }
        return response
    }

    /// Whether a model is to be loaded or unloaded.
    enum RepositoryChange {
        case load
        case unload
    }

    /// Loads or unloads a model.
    ///
    /// - Parameters:
    ///   - change: which of them.
    ///   - model: the model.
    ///   - parameters: names of the request's parameters.
    ///   - remoteAddress: the peer's address.
    ///   - headers: the request's header fields.
    ///   - response: what is answered when it is done.
    /// - Returns: an answer that comes when the model does or does not.
    /// - Throws: `ServingError` when that is not allowed.
    func answer<Response: Sendable>(
        _ change: RepositoryChange, _ model: String, parameters: some Sequence<String>,
        remoteAddress: String, headers: HeaderFields, response: Response
    ) throws -> Answer<Response> {
        try adminAccess.check(remoteAddress: remoteAddress, headers: headers)
        guard let repository else {
            throw ServingError(.unimplemented, "This node does not load models by request")
        }
        for parameter in parameters where parameter == "config" || parameter.hasPrefix("file:") {
            throw ServingError(
                .unimplemented,
                "Parameter '\(parameter)' is not supported: models are loaded as storage holds them"
            )
        }
        return .later { completion in
            let done: ModelRepositoryControl.Completion = { error in
                completion(error.map { .failure($0) } ?? .success(response))
            }
            switch change {
            case .load: repository.load(model, completion: done)
            case .unload: repository.unload(model, completion: done)
            }
        }
    }
}
