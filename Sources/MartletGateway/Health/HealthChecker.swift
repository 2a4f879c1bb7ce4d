import Logging
import MartletTransport
import ServiceLifecycle
import Synchronization

/// Checks the endpoints of all pools at their intervals until shutdown, and looks after canaries.
struct HealthChecker: Service {
    let policy: GatewayPolicy
    let eventLoops: EventLoops
    /// Tells of rules that took the place of others.
    let changes: AsyncStream<Void>

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await watchCanaries() }
                var watched: [ObjectIdentifier: CheckedPool] = [:]
                watch(&watched, &group)
                for await _ in changes {
                    watch(&watched, &group)
                    if Task.isCancelled { break }
                }
                group.cancelAll()
            }
        }
    }

    /// Begins to check new pools, and lets those go that are no more.
    private func watch(
        _ watched: inout [ObjectIdentifier: CheckedPool], _ group: inout TaskGroup<Void>
    ) {
        let pools = policy.current.pools
        for (id, pool) in watched where !pools.contains(where: { $0 === pool.pool }) {
            pool.isOver.store(true, ordering: .relaxed)
            watched[id] = nil
        }
        for pool in pools where watched[ObjectIdentifier(pool)] == nil {
            let checked = CheckedPool(pool)
            watched[ObjectIdentifier(pool)] = checked
            for address in pool.directory.addresses {
                group.addTask { await check(address, of: checked) }
            }
        }
    }

    private func check(_ address: UpstreamAddress, of checked: CheckedPool) async {
        let directory = checked.pool.directory
        let health = checked.pool.settings.health
        let tls = checked.pool.settings.tls
        // Files were read before, for requests; a client in the clear would only fail.
        guard let check = try? HealthCheck(health, tls: tls?.clientTLS, eventLoops: eventLoops)
        else { return }
        while !Task.isCancelled, !checked.isOver.load(ordering: .relaxed) {
            let token = directory.checkBegins(address)
            let outcome = await check.outcome(of: address)
            guard !Task.isCancelled else { return }
            take(outcome, of: address, begunAt: token, in: directory)
            try? await Task.sleep(for: health.interval)
        }
    }

    private func take(
        _ outcome: HealthCheckOutcome, of address: UpstreamAddress, begunAt token: Int,
        in directory: EndpointDirectory
    ) {
        if let change = directory.checkEnded(address, outcome, begunAt: token) {
            policy.logger.log(change)
            if case .becameUnhealthy = change.transition { policy.pools?.retire(address) }
        }
        if let models = outcome.models { policy.current.cache?.note(models, at: address.id) }
        for change in directory.sweep(checked: address, isReady: outcome.isReady) {
            policy.journal.note(change, policy.logger)
            // What it was asked is asked elsewhere.
            if case .ejected(_, .silence, _) = change { policy.pools?.retire(address) }
        }
    }

    private func watchCanaries() async {
        while !Task.isCancelled {
            for route in policy.current.routes {
                policy.journal.note(
                    route.tick(now: policy.now), of: route.settings.name, policy.logger)
            }
            try? await Task.sleep(for: .seconds(1))
        }
    }
}

/// A pool that is checked, until it is over.
private final class CheckedPool: Sendable {
    let pool: PoolRuntime
    let isOver = Atomic<Bool>(false)

    init(_ pool: PoolRuntime) {
        self.pool = pool
    }
}

extension HealthTracker.UnhealthyCause {
    /// The cause in words.
    var text: String {
        switch self {
        case .checksFailed(let count): "\(count) health checks failed"
        case .connectionFailed: "a request could not be connected"
        }
    }
}

extension Logger {
    /// Logs that an endpoint came or went.
    func log(_ change: EndpointDirectory.HealthChange) {
        let endpoint: Logger.Metadata = ["endpoint": "\(change.address)"]
        switch change.transition {
        case .becameHealthy: info("endpoint is healthy", metadata: endpoint)
        case .becameUnhealthy(let cause):
            warning(
                "endpoint is unhealthy",
                metadata: endpoint.merging(["cause": "\(cause.text)"]) { first, _ in first })
        }
    }
}
