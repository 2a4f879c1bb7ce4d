@testable import MartletGateway

extension Balancer {
    /// Adds endpoints and says that they are healthy.
    mutating func addHealthy(_ ids: EndpointID..., now: Duration = .zero) {
        for id in ids {
            add(id, now: now)
            setHealthy(id, true, now: now)
        }
    }

    /// Begins so many attempts at an endpoint.
    mutating func begin(_ count: Int, at id: EndpointID, now: Duration = .zero) {
        for _ in 0..<count { didBegin(id, now: now) }
    }

    /// Begins an attempt at an endpoint and ends it, well.
    mutating func answer(_ id: EndpointID, seconds: Double, endingAt now: Duration) {
        didBegin(id, now: now - .seconds(seconds))
        didEnd(id, BalancedAttempt(latency: .seconds(seconds), hasFailed: false), now: now)
    }

    /// Begins an attempt at an endpoint and ends it by a failure, in no time.
    mutating func fail(_ id: EndpointID, now: Duration) {
        didBegin(id, now: now)
        didEnd(id, BalancedAttempt(latency: .zero, hasFailed: true), now: now)
    }

    /// How often each endpoint is picked while nothing else happens.
    mutating func tally(
        _ count: Int, excluding excluded: Set<EndpointID> = [], now: Duration = .zero
    ) -> [EndpointID: Int] {
        var tally: [EndpointID: Int] = [:]
        for _ in 0..<count {
            guard let id = pick(excluding: excluded, now: now) else { continue }
            tally[id, default: 0] += 1
        }
        return tally
    }
}
