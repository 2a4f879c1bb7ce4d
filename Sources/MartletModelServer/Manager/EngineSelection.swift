import Logging
import MartletCore
import MartletEngines
import MartletTensors

/// Loads a version in the engine that suits it best.
///
/// Each format has an engine of reference. Where the operator leaves the choice and another engine
/// loads the format too, the version is loaded in both, the answers and paces of both are compared,
/// and one of them is unloaded. Nothing that the other engine does fails the load.
struct EngineSelection {
    /// The engine that is tried against those of reference.
    static let other = EngineName.openvino

    let engines: EngineRegistry
    let settings: EngineSettings
    let trial: EngineTrial.Options
    let logger: Logger

    /// Loads a version; blocks as long as that and a trial take.
    ///
    /// - Parameters:
    ///   - artifact: the version; its precision is set here.
    ///   - given: gives requests that came with the model, for a trial.
    /// - Returns: the servable, and why it is of this engine.
    /// - Throws: `ServingError`; a failed load leaves nothing behind.
    func load(
        _ artifact: ModelArtifact,
        given: ([String: Signature]) -> [EngineTrial.Request] = { _ in [] }
    ) throws -> (any Servable, EngineChoice) {
        var artifact = artifact
        let model = artifact.id.model
        artifact.precision = settings.precisions[model] ?? settings.precision
        let (servable, choice): (any Servable, EngineChoice)
        let preference = settings.preference(of: model)
        switch preference {
        case .named(let name) where name.loads(artifact.format):
            (servable, choice) = try load(artifact, named: name)
        case .named(let name) where settings.preferences[model] != nil:
            throw ServingError.invalidArgument(
                "Model \(model) is to be run by \(name.rawValue), which cannot load its format, "
                    + artifact.format.rawValue)
        case .named, .automatic, .both:
            let reference = try engines.engine(for: artifact.format)
            (servable, choice) =
                if reference.name == Self.other.rawValue
                    || !engines.has(Self.other, for: artifact.format)
                    || !Self.other.loads(artifact.format)
                {
                    try load(artifact, only: reference)
                } else if artifact.format == .gguf {
                    try compareLanguageModel(
                        artifact, with: reference, mayKeepBoth: preference == .both)
                } else {
                    try compare(artifact, with: reference, given: given)
                }
        }
        logger.info("engine chosen", metadata: metadata(artifact.id, choice))
        return (servable, choice)
    }

    private func load(
        _ artifact: ModelArtifact, only engine: any Engine
    ) throws -> (any Servable, EngineChoice) {
        let choice = EngineChoice(
            engine: engine.name, precision: precision(of: artifact, in: engine), reason: .only,
            detail: "no other engine here loads \(artifact.format.rawValue)")
        return (try engine.load(artifact), choice)
    }

    private func load(
        _ artifact: ModelArtifact, named name: EngineName
    ) throws -> (any Servable, EngineChoice) {
        let chosen =
            try engines.has(name, for: artifact.format)
            ? engines.engine(named: name, for: artifact.format)
            : engines.engine(for: artifact.format)
        var choice = EngineChoice(
            engine: chosen.name, precision: precision(of: artifact, in: chosen), reason: .named,
            detail: "the operator named it")
        let servable = try chosen.load(artifact)
        if choice.precision == .fast { report(servable, artifact, in: chosen, to: &choice) }
        return (servable, choice)
    }

    /// Notes how far 16-bit answers are from those of the same engine in full.
    private func report(
        _ servable: any Servable, _ artifact: ModelArtifact, in engine: any Engine,
        to choice: inout EngineChoice
    ) {
        var exact = artifact
        exact.precision = .exact
        guard let reference = try? engine.load(exact) else { return }
        defer { reference.unload() }
        let trial = EngineTrial(options: trial)
        var agreement = OutputAgreement(tolerance: OutputAgreement.tolerance(of: .fast))
        for request in trial.requests(for: reference) {
            guard let expected = try? request.run(in: reference),
                let found = try? request.run(in: servable)
            else { return }
            agreement.compare(reference: expected, other: found)
        }
        choice.error = agreement.error
        choice.detail +=
            "; in 16 bits it is off by " + TrialRecord.text(agreement.error)
            + " of the outputs' range" + (agreement.fault.map { ": \($0)" } ?? "")
    }

    private func precision(of artifact: ModelArtifact, in engine: any Engine) -> EnginePrecision {
        engine.hasFastPrecision ? artifact.precision : .exact
    }

    private func metadata(_ id: ServableID, _ choice: EngineChoice) -> Logger.Metadata {
        [
            "model": "\(id.model)", "version": "\(id.version)", "engine": "\(choice.engine)",
            "precision": "\(choice.precision.rawValue)", "reason": "\(choice.reason.rawValue)",
            "detail": "\(choice.detail)",
        ]
    }
}

// MARK: Comparing

extension EngineSelection {
    private func compare(
        _ artifact: ModelArtifact, with engine: any Engine,
        given: ([String: Signature]) -> [EngineTrial.Request]
    ) throws -> (any Servable, EngineChoice) {
        let reference: any Servable
        do {
            reference = try engine.load(artifact)
        } catch {
            return try loadInstead(artifact, of: engine, after: error)
        }
        let trial = EngineTrial(options: trial)
        if let effect = artifact.effect {
            let detail = "its operation \(effect) has effects, or never does the same twice"
            return (
                reference, EngineChoice(engine: engine.name, reason: .untried, detail: detail)
            )
        }
        let requests = trial.requests(for: reference, given: given(reference.signatures))
        func keep(_ reason: EngineChoice.Reason, _ detail: String) -> (any Servable, EngineChoice) {
            (reference, EngineChoice(engine: engine.name, reason: reason, detail: detail))
        }
        guard !requests.isEmpty else {
            return keep(.untried, "no inputs that can be made up run on it")
        }
        guard !trial.isSmall(reference, requests) else {
            return keep(.small, "a run takes so little that nothing is to be gained")
        }
        let other: any Engine
        do {
            other = try engines.engine(named: Self.other, for: artifact.format)
        } catch {
            return keep(.absent, "\(error)")
        }
        let attempts: [EnginePrecision] =
            precision(of: artifact, in: other) == .fast ? [.fast, .exact] : [.exact]
        var verdicts: [EngineChoice] = []
        for precision in attempts {
            var attempt = artifact
            attempt.precision = precision
            let (servable, verdict) = self.attempt(
                attempt, in: other, against: (reference, engine), trial, requests)
            guard let servable else {
                verdicts.append(verdict)
                continue
            }
            reference.unload()
            var choice = verdict
            choice.detail = (verdicts.map(\.detail) + [verdict.detail]).joined(separator: "; ")
            return (servable, choice)
        }
        var choice = verdicts.last ?? keep(.untried, "nothing was tried").1
        choice.detail = verdicts.map(\.detail).joined(separator: "; ")
        return (reference, choice)
    }

    /// Loads a version in the other engine and tries it.
    ///
    /// - Returns: the servable if it is chosen, and why or why not.
    private func attempt(
        _ artifact: ModelArtifact, in other: any Engine,
        against reference: (servable: any Servable, engine: any Engine), _ trial: EngineTrial,
        _ requests: [EngineTrial.Request]
    ) -> (servable: (any Servable)?, choice: EngineChoice) {
        func refused(_ error: any Error) -> EngineChoice {
            EngineChoice(
                engine: reference.engine.name, reason: .refused,
                detail: "\(other.name) does not run it: \(error)")
        }
        let servable: any Servable
        do {
            servable = try other.load(artifact)
        } catch {
            return (nil, refused(error))
        }
        do {
            let record = try trial.run(
                servable, against: reference.servable, on: requests,
                tolerance: OutputAgreement.tolerance(of: artifact.precision))
            let verdict = record.verdict(
                engine: other.name, precision: artifact.precision,
                reference: reference.engine.name)
            if verdict.reason == .faster { return (servable, verdict) }
            servable.unload()
            return (nil, verdict)
        } catch {
            servable.unload()
            return (nil, refused(error))
        }
    }

    /// TFLite models that LiteRT cannot load, OpenVINO may; a SavedModel that TensorFlow refuses is
    /// broken.
    private func loadInstead(
        _ artifact: ModelArtifact, of engine: any Engine, after error: any Error
    ) throws -> (any Servable, EngineChoice) {
        guard artifact.format == .tfLite,
            let other = try? engines.engine(named: Self.other, for: .tfLite),
            let servable = try? other.load(artifact)
        else { throw error }
        let choice = EngineChoice(
            engine: other.name, precision: precision(of: artifact, in: other), reason: .only,
            detail: "\(engine.name) cannot load it: \(error)")
        return (servable, choice)
    }
}
