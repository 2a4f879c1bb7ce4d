import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway
@testable import MartletTransport

/// Random requests, checks and changes of a pool, against the promises of its breakers.
@Suite("Circuit breakers: simulation")
struct BreakerSimulationTests {
    @Test func randomEvents_neverExceedABoundNorLeakASlot() {
        for seed in SimulationSeeds.first(2000) {
            var world = World(seed: seed)
            let violation = world.run(steps: 80) ?? world.end()
            #expect(violation == nil, "\(violation ?? "") \(SimulationSeeds.replay(seed))")
            if violation != nil { return }
        }
    }
}

/// A pool's endpoints, and beside them the least that is needed to judge what is picked.
private struct World {
    private struct Attempt {
        let address: UpstreamAddress
        let isRetry: Bool
    }

    private static let addresses = (0..<4).map { UpstreamAddress(host: "node-\($0)", port: 1) }
    private static let ready = HealthCheckOutcome(
        isReady: true, isDegraded: false, load: nil, models: nil)
    private static let degraded = HealthCheckOutcome(
        isReady: false, isDegraded: true, load: nil, models: nil)
    private static let failures: [ForwardingFailure] = [
        .connectFailed, .connectionClosed, .unprocessed, .full, .upstreamLost, .refused,
        .serverError, .attemptTimedOut,
    ]

    private var generator: SeededGenerator
    private let limits: CircuitBreakerLimits
    private let directory: EndpointDirectory
    private var attempts: [Attempt] = []

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        limits = CircuitBreakerLimits(
            requests: .random(in: 1...4, using: &generator),
            retries: .random(in: 0...3, using: &generator))
        var configuration = EndpointDirectory.Configuration()
        let algorithms: [BalancingAlgorithm] = [
            .roundRobin, .leastRequest, .dynamicWeightedRoundRobin,
        ]
        configuration.balancing = algorithms.randomElement(using: &generator) ?? .roundRobin
        configuration.outliers = nil
        configuration.panic = PanicThreshold(
            healthyShareMin: Bool.random(using: &generator) ? 0 : 0.5)
        configuration.limits = limits
        directory = EndpointDirectory(
            World.addresses.map { DiscoveredEndpoint(address: $0) }, configuration: configuration,
            seed: generator.next())
    }

    /// Runs random steps, and answers with a description of the first broken promise.
    mutating func run(steps: Int) -> String? {
        for step in 0..<steps {
            if let violation = self.step() { return "step \(step): \(violation)" }
        }
        return nil
    }

    private mutating func step() -> String? {
        switch Int.random(in: 0..<16, using: &generator) {
        case 0, 1: check()
        case 2: changeMembers()
        case 3, 4, 5, 6: endOne()
        case 7, 8: return retry()
        case 9: return begin(directory.pickBeside(tried()), isRetry: true, isBounded: true)
        case 10: _ = directory.pickForCopy()
        default: return first()
        }
        return nil
    }

    // MARK: Events

    private mutating func check() {
        guard let address = World.addresses.randomElement(using: &generator) else { return }
        let outcome =
            [World.ready, World.ready, World.degraded, HealthCheckOutcome.unreachable]
            .randomElement(using: &generator) ?? World.ready
        _ = directory.checkEnded(address, outcome, begunAt: directory.checkBegins(address))
    }

    /// Some go, some come back, with requests under way.
    private mutating func changeMembers() {
        let kept = World.addresses.filter { _ in Int.random(in: 0..<4, using: &generator) > 0 }
        _ = directory.update(to: EndpointSet(kept.map { DiscoveredEndpoint(address: $0) }))
    }

    private mutating func endOne() {
        guard !attempts.isEmpty else { return }
        finish(attempts.remove(at: Int.random(in: 0..<attempts.count, using: &generator)))
    }

    private func finish(_ attempt: Attempt) {
        _ = directory.didEnd(
            EndedAttempt(
                upstream: attempt.address, result: .abandoned, duration: .milliseconds(1),
                isRetry: attempt.isRetry))
    }

    private mutating func tried() -> [UpstreamAddress] {
        World.addresses.filter { _ in Int.random(in: 0..<3, using: &generator) == 0 }
    }

    // MARK: Promises

    private mutating func first() -> String? {
        let room = healthyWithRoom
        let pick = directory.pickFirst()
        if pick.address == nil, !room.isEmpty { return "\(pick), though \(room) have room" }
        return begin(pick.address, isRetry: false, isBounded: true)
    }

    private mutating func retry() -> String? {
        let failure = World.failures.randomElement(using: &generator) ?? .connectFailed
        let failed = FailedForwarding(
            tried: tried(), plan: ForwardingPlan(isIdempotent: true, holdsResponse: true),
            isReplayable: true, responseStarted: false, failure: failure)
        // What an endpoint leaves that is lost is asked once more, however much it is.
        return begin(
            directory.pickNext(after: failed), isRetry: true,
            isBounded: failure != .upstreamLost)
    }

    private mutating func begin(
        _ address: UpstreamAddress?, isRetry: Bool, isBounded: Bool
    ) -> String? {
        guard let address else { return nil }
        let retries = attempts.count(where: \.isRetry)
        attempts.append(Attempt(address: address, isRetry: isRetry))
        let count = attempts.count { $0.address == address }
        if count > limits.requests {
            return "\(count) requests at \(address.host), of \(limits.requests)"
        }
        if isRetry, isBounded, retries >= limits.retries {
            return "one more retry than \(limits.retries)"
        }
        return countViolation()
    }

    /// Hosts that are well and have fewer requests than they may.
    private var healthyWithRoom: [String] {
        directory.status.endpoints.filter(\.healthy).map(\.address).filter { name in
            attempts.count { $0.address.description == name } < limits.requests
        }
    }

    private func countViolation() -> String? {
        for endpoint in directory.status.endpoints {
            let count = attempts.count { $0.address.description == endpoint.address }
            if endpoint.inFlight != count {
                return "\(endpoint.inFlight) counted at \(endpoint.address), not \(count)"
            }
        }
        return nil
    }

    /// With everything over, as much is let in as at the beginning.
    mutating func end() -> String? {
        for attempt in attempts { finish(attempt) }
        attempts = []
        let all = World.addresses.map { DiscoveredEndpoint(address: $0) }
        _ = directory.update(to: EndpointSet(all))
        for address in World.addresses {
            for _ in 0..<4 {
                _ = directory.checkEnded(
                    address, World.ready, begunAt: directory.checkBegins(address))
            }
        }
        let most = all.count * limits.requests
        for number in 0..<most {
            if let violation = first() { return "in the end: \(violation)" }
            if attempts.count != number + 1 { return "in the end only \(number) of \(most)" }
        }
        return directory.pickFirst() == .allFull ? nil : "in the end one more than \(most)"
    }
}
