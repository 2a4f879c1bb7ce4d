import Logging
import MartletTransport
import ServiceLifecycle

/// Checks every endpoint at an interval until shutdown.
struct HealthChecker: Service {
    let directory: EndpointDirectory
    let journal: GatewayJournal
    let client: ControlClient
    let pools: UpstreamPools
    let interval: Duration
    let timeout: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                for address in directory.addresses {
                    group.addTask { await check(address) }
                }
            }
        }
    }

    private func check(_ address: UpstreamAddress) async {
        while !Task.isCancelled {
            let token = directory.checkBegins(address)
            let outcome = await HealthCheckOutcome.check(
                address, client: client, timeout: timeout)
            guard !Task.isCancelled else { return }
            if let change = directory.checkEnded(address, outcome, begunAt: token) {
                logger.log(change)
                if case .becameUnhealthy = change.transition { pools.retire(address) }
            }
            for change in directory.sweep(checked: address, isReady: outcome.isReady) {
                journal.note(change, logger)
            }
            try? await Task.sleep(for: interval)
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
