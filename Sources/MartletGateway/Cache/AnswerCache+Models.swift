import MartletCore
import Synchronization

/// What the cache is told of the models that endpoints serve.
extension AnswerCache {
    /// Whether it is told when a version of a model becomes another one.
    ///
    /// A label may come to mean another version that was there all along.
    func isKnownToChange(_ model: String, _ version: CacheKey.Version, in pool: String) -> Bool {
        guard case .label = version else { return true }
        return state.withLock { $0.ledger.tellsLabels(of: model, in: pool) }
    }

    /// Takes in what an endpoint serves: what a model answered before it changed is of the past.
    func note(_ models: [ModelStatus], at member: ModelVersionLedger.Member) {
        let now = now
        var servings: [String: ModelVersionLedger.Serving] = [:]
        for model in models {
            let available = model.versions.filter { $0.state == "AVAILABLE" }
            servings[model.name] = ModelVersionLedger.Serving(
                versions: Set(available.compactMap { Int64($0.version) }), labels: model.labels)
        }
        state.withLock { state in
            for model in state.ledger.report(servings, by: member) {
                state.cache.invalidate(model: model, now: now)
            }
        }
    }

    /// An endpoint is no longer part of its pool.
    func forget(_ member: ModelVersionLedger.Member) {
        let now = now
        state.withLock { state in
            for model in state.ledger.forget(member) {
                state.cache.invalidate(model: model, now: now)
            }
        }
    }

    /// How many endpoints it knows what they serve of.
    var memberCount: Int { state.withLock { $0.ledger.memberCount } }
}
