import Logging
import MartletTransport
import ServiceLifecycle

/// Watches over all pools until shutdown, and looks after canaries.
struct HealthChecker: Service {
    let policy: GatewayPolicy
    let eventLoops: EventLoops
    /// Tells of rules that took the place of others.
    let changes: AsyncStream<Void>

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await watchCanaries() }
                var watched: [ObjectIdentifier: PoolWatch] = [:]
                watch(&watched, &group)
                for await _ in changes {
                    watch(&watched, &group)
                    if Task.isCancelled { break }
                }
                group.cancelAll()
            }
        }
    }

    /// Begins to watch new pools, and lets those go that are no more.
    private func watch(
        _ watched: inout [ObjectIdentifier: PoolWatch], _ group: inout TaskGroup<Void>
    ) {
        let pools = policy.current.pools
        for (id, watch) in watched where !pools.contains(where: { $0 === watch.pool }) {
            watch.end()
            watched[id] = nil
        }
        for pool in pools where watched[ObjectIdentifier(pool)] == nil {
            let watch = PoolWatch(pool, policy: policy, eventLoops: eventLoops)
            watched[ObjectIdentifier(pool)] = watch
            group.addTask { await watch.run() }
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
