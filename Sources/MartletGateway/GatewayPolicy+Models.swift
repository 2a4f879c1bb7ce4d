import MartletCore
import MartletTransport

/// What checks tell of the models that endpoints serve, for the cache.
extension GatewayPolicy {
    /// Takes in what an endpoint of a pool serves.
    func note(_ models: [ModelStatus], at address: UpstreamAddress, of pool: PoolRuntime) {
        current.cache?.note(
            models, at: .init(pool: pool.settings.name, endpoint: address.id))
    }

    /// Forgets what an endpoint serves that is no longer checked for a pool, unless it is part of
    /// that, or of what has taken its place.
    func forgetModels(of address: UpstreamAddress, in pool: PoolRuntime) {
        let rules = current
        let name = pool.settings.name
        let isMember = rules.pools.contains { pool in
            pool.settings.name == name && pool.directory.addresses.contains(address)
        }
        guard !isMember else { return }
        rules.cache?.forget(.init(pool: name, endpoint: address.id))
    }
}
