import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Circuit breaker")
struct CircuitBreakerTests {
    @Test func defaults_areThoseOfTheDocument() {
        let limits = CircuitBreakerLimits()
        #expect(
            CircuitBreaker.Resource.allCases.map { "\($0.rawValue) \(limits.of($0))" }
                == ["connections 1024", "pending_requests 1024", "requests 1024", "retries 256"])
    }

    @Test(arguments: [CircuitBreaker.Resource.connections, .pendingRequests, .requests])
    func admit_upToTheLimit_thenRefusesThatResourceAlone(resource: CircuitBreaker.Resource) {
        let limits = CircuitBreakerLimits(connections: 3, pendingRequests: 3, requests: 3)
        var breaker = CircuitBreaker(limits: limits)
        let admissions = (0..<5).map { _ in breaker.admit(resource) }
        let refused = CircuitBreaker.Admission.refused(resource, limit: 3)
        #expect(admissions == [.admitted, .admitted, .admitted, refused, refused])
        #expect(breaker.inUse(resource) == 3)
        #expect(breaker.refusals(resource) == 2)
        for other in CircuitBreaker.Resource.allCases where other != resource {
            #expect(!breaker.isOpen(other) && breaker.refusals(other) == 0)
        }
    }

    @Test func release_makesRoomAgain() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(requests: 1))
        _ = breaker.admit(.requests)
        #expect(breaker.isOpen(.requests))
        breaker.release(.requests)
        #expect(breaker.admit(.requests) == .admitted)
    }

    @Test func retry_countsAsARequestAndARetry() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(requests: 5, retries: 1))
        #expect(breaker.admit(.requests, asRetry: true) == .admitted)
        #expect(breaker.admit(.requests, asRetry: true) == .refused(.retries, limit: 1))
        #expect(breaker.inUse(.requests) == 1)
        #expect(breaker.admit(.requests) == .admitted)
        breaker.release(.requests, asRetry: true)
        #expect(breaker.inUse(.requests) == 1 && breaker.inUse(.retries) == 0)
    }

    @Test func retry_whereRequestsAreUsedUp_isRefusedForThat() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(requests: 0, retries: 0))
        #expect(breaker.admit(.requests, asRetry: true) == .refused(.requests, limit: 0))
    }

    @Test func pendingRequest_isSentOnceThereIsRoom() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(requests: 1))
        _ = breaker.admit(.pendingRequests, asRetry: true)
        _ = breaker.admit(.requests)
        #expect(breaker.sendPending() == .refused(.requests, limit: 1))
        #expect(breaker.inUse(.pendingRequests) == 1)
        breaker.release(.requests)
        #expect(breaker.sendPending() == .admitted)
        #expect(breaker.inUse(.pendingRequests) == 0)
        #expect(breaker.inUse(.requests) == 1 && breaker.inUse(.retries) == 1)
    }

    @Test func limits_thatAreLowered_holdForWhatComesNext() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(requests: 3))
        for _ in 0..<3 { _ = breaker.admit(.requests) }
        breaker.limits = CircuitBreakerLimits(requests: 2)
        breaker.release(.requests)
        #expect(breaker.admit(.requests) == .refused(.requests, limit: 2))
        breaker.release(.requests)
        #expect(breaker.admit(.requests) == .admitted)
    }

    @Test func limits_belowZero_allowNothing() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(connections: -1))
        #expect(breaker.admit(.connections) == .refused(.connections, limit: 0))
    }

    @Test func releaseTooMany_letsNoMoreIn() {
        var breaker = CircuitBreaker(limits: CircuitBreakerLimits(requests: 1))
        for resource in CircuitBreaker.Resource.allCases {
            breaker.release(resource, asRetry: true)
        }
        #expect(breaker.admit(.requests) == .admitted)
        #expect(breaker.admit(.requests) == .refused(.requests, limit: 1))
    }

    /// Each life of a request is taken to its end; what is in use must be what is alive.
    @Test func randomRequests_areCountedExactlyAndNeverBeyondTheLimits() {
        for seed in SimulationSeeds.first(2000) {
            var world = BreakerWorld(seed: seed)
            for _ in 0..<100 where world.complaint == nil { world.step() }
            #expect(world.complaint == nil, "\(SimulationSeeds.replay(seed))")
            guard world.complaint == nil else { return }
        }
    }
}

/// Requests and connections that come and go at random.
private struct BreakerWorld {
    private struct Life {
        var resource: CircuitBreaker.Resource
        let isRetry: Bool
    }

    private var generator: SeededGenerator
    private var breaker: CircuitBreaker
    private var lives: [Life] = []
    private(set) var complaint: String?

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let limits = (0..<4).map { _ in Int.random(in: 0...6, using: &generator) }
        breaker = CircuitBreaker(
            limits: CircuitBreakerLimits(
                connections: limits[0], pendingRequests: limits[1], requests: limits[2],
                retries: limits[3]))
        self.generator = generator
    }

    mutating func step() {
        switch Int.random(in: 0..<5, using: &generator) {
        case 0, 1: begin()
        case 2: send()
        default: end()
        }
        for resource in CircuitBreaker.Resource.allCases {
            let alive = lives.count {
                resource == .retries ? $0.isRetry : $0.resource == resource
            }
            if breaker.inUse(resource) != alive {
                complaint = "\(breaker.inUse(resource)) \(resource), not \(alive)"
            }
            if alive > breaker.limits.of(resource) { complaint = "too many \(resource)" }
        }
    }

    private mutating func begin() {
        let kinds: [CircuitBreaker.Resource] = [.connections, .pendingRequests, .requests]
        let resource = kinds[Int.random(in: 0..<3, using: &generator)]
        let isRetry = resource != .connections && Bool.random(using: &generator)
        let mayBegin =
            !breaker.isOpen(resource) && !(isRetry && breaker.isOpen(.retries))
        let admission = breaker.admit(resource, asRetry: isRetry)
        if (admission == .admitted) != mayBegin { complaint = "\(admission)" }
        if admission == .admitted { lives.append(Life(resource: resource, isRetry: isRetry)) }
    }

    private mutating func send() {
        guard let index = lives.firstIndex(where: { $0.resource == .pendingRequests }) else {
            return
        }
        if breaker.sendPending() == .admitted { lives[index].resource = .requests }
    }

    private mutating func end() {
        guard let index = lives.indices.randomElement(using: &generator) else { return }
        let life = lives.remove(at: index)
        breaker.release(life.resource, asRetry: life.isRetry)
    }
}
