import MartletCore
import MartletEngines

extension EngineSelection {
    /// Loads a language model in both engines, and keeps the other where it is faster with as many
    /// clients as are expected and says the same; or both, if that is wanted and worth it.
    ///
    /// Nothing that the other engine does fails the load.
    func compareLanguageModel(
        _ artifact: ModelArtifact, with engine: any Engine, mayKeepBoth: Bool
    ) throws -> (any Servable, EngineChoice) {
        let reference = try engine.load(artifact)
        func keep(_ reason: EngineChoice.Reason, _ detail: String) -> (any Servable, EngineChoice) {
            (reference, EngineChoice(engine: engine.name, reason: reason, detail: detail))
        }
        guard let known = reference as? any GenerativeModel & Servable,
            known.description.generates
        else {
            return keep(.untried, "it generates no text")
        }
        let other: any Engine
        do {
            other = try engines.engine(named: Self.other, for: artifact.format)
        } catch {
            return keep(.absent, "\(error)")
        }
        let servable: any Servable
        do {
            servable = try other.load(artifact)
        } catch {
            return keep(.refused, "\(other.name) does not run it: \(error)")
        }
        guard let tried = servable as? any GenerativeModel & Servable else {
            servable.unload()
            return keep(.untried, "\(other.name) generates no text")
        }
        do {
            let trial = LanguageModelTrial(
                expectedConcurrency: settings.expectedConcurrency(of: artifact.id.model))
            let record = try trial.run(tried, against: known)
            if mayKeepBoth,
                let choice = record.pairing(engine: other.name, reference: engine.name)
            {
                let pair = PairedLanguageModel(
                    alone: known, many: tried, names: (engine.name, other.name))
                return (pair, choice)
            }
            let choice = record.verdict(engine: other.name, reference: engine.name)
            guard choice.reason == .faster else {
                servable.unload()
                return (reference, choice)
            }
            reference.unload()
            return (servable, choice)
        } catch {
            servable.unload()
            return keep(.refused, "\(other.name) does not run it: \(error)")
        }
    }
}
