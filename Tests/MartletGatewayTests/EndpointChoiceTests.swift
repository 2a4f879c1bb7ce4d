import MartletCore
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Choice of an endpoint, by all that speaks for and against it")
struct EndpointChoiceTests {
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)
    private let c = UpstreamAddress(host: "c", port: 3)

    private func directory(
        _ endpoints: [DiscoveredEndpoint],
        _ change: (inout EndpointDirectory.Configuration) -> Void = { _ in }
    ) -> EndpointDirectory {
        var configuration = EndpointDirectory.Configuration()
        configuration.balancing = .roundRobin
        change(&configuration)
        let directory = EndpointDirectory(endpoints, configuration: configuration, seed: 1)
        for endpoint in endpoints { check(directory, endpoint.address, models: []) }
        return directory
    }

    private func endpoints(_ addresses: UpstreamAddress...) -> [DiscoveredEndpoint] {
        addresses.map { DiscoveredEndpoint(address: $0) }
    }

    private func check(
        _ directory: EndpointDirectory, _ address: UpstreamAddress, isReady: Bool = true,
        isDegraded: Bool = false, models: [String] = []
    ) {
        let version = ModelVersionStatus(
            version: "1", state: "AVAILABLE", errorCode: "OK", errorMessage: "")
        let outcome = HealthCheckOutcome(
            isReady: isReady, isDegraded: isDegraded, load: nil,
            models: models.map { ModelStatus(name: $0, versions: [version]) })
        _ = directory.checkEnded(address, outcome, begunAt: directory.checkBegins(address))
    }

    private func picks(
        _ directory: EndpointDirectory, _ count: Int, model: String? = nil
    ) -> [String: Int] {
        var picks: [String: Int] = [:]
        for _ in 0..<count {
            let host = directory.pickFirst(model: model).address?.host ?? "none"
            picks[host, default: 0] += 1
        }
        return picks
    }

    private func end(_ directory: EndpointDirectory, _ address: UpstreamAddress, isRetry: Bool) {
        _ = directory.didEnd(
            EndedAttempt(
                upstream: address, result: .answered(httpStatus: 200, grpcStatus: nil),
                duration: .milliseconds(1), isRetry: isRetry))
    }

    private func failed(
        _ tried: UpstreamAddress..., failure: ForwardingFailure = .connectionClosed
    ) -> FailedForwarding {
        FailedForwarding(
            tried: tried, plan: ForwardingPlan(isIdempotent: true, holdsResponse: true),
            isReplayable: true, responseStarted: false, failure: failure)
    }

    // MARK: Limits

    @Test func endpointWithAsManyRequestsAsItMay_getsNoMoreUntilOneEnds() {
        let directory = directory(endpoints(a, b)) {
            $0.limits = CircuitBreakerLimits(requests: 2)
        }
        #expect(picks(directory, 4) == ["a": 2, "b": 2])
        #expect(directory.pickFirst() == .allFull)
        #expect(directory.pickNext(after: failed(a)) == nil)
        #expect(directory.limitRefusals[.requests] == 3)
        end(directory, b, isRetry: false)
        #expect(directory.pickFirst() == .endpoint(b))
        #expect(directory.pickFirst() == .allFull)
    }

    @Test func retriesBeyondTheirLimit_areNotMade() {
        let directory = directory(endpoints(a, b)) {
            $0.limits = CircuitBreakerLimits(retries: 1)
        }
        #expect(directory.pickNext(after: failed(a)) == b)
        #expect(directory.pickNext(after: failed(a)) == nil)
        #expect(directory.pickBeside([a]) == nil)
        #expect(directory.limitRefusals[.retries] == 2)
        end(directory, b, isRetry: true)
        #expect(directory.pickBeside([a]) == b)
    }

    // MARK: Models

    @Test func requestForAModel_goesToThoseThatServeIt() {
        let directory = directory(endpoints(a, b, c))
        check(directory, a, models: ["x"])
        check(directory, b, models: ["x", "y"])
        check(directory, c, models: ["y"])
        #expect(directory.isUneven)
        #expect(picks(directory, 10, model: "x") == ["a": 5, "b": 5])
        #expect(picks(directory, 10, model: "y") == ["b": 5, "c": 5])
        // Of a model that nobody tells of, the endpoints tell more than we could.
        #expect(picks(directory, 9, model: "z").count == 3)
        _ = directory.connectionFailed(a)
        _ = directory.connectionFailed(b)
        #expect(picks(directory, 2, model: "x") == ["c": 2])
    }

    /// Its 404 would count as the answer, before that of the one which is asked already.
    @Test func furtherAttempts_areNotMadeAtEndpointsWithoutTheModel() {
        let directory = directory(endpoints(a, b, c))
        check(directory, a, models: ["x"])
        check(directory, b, models: ["x", "y"])
        check(directory, c, models: ["y"])
        for _ in 0..<5 {
            #expect(directory.pickBeside([a], model: "x") == b)
            #expect(directory.pickNext(after: failed(a), model: "x") == b)
            #expect(directory.pickNext(after: failed(c, failure: .refused), model: "y") == b)
        }
        #expect(directory.alternatives(to: [a], model: "x") == 1)
        #expect(directory.pickBeside([a, b], model: "x") == nil)
        #expect(directory.pickNext(after: failed(a, b, failure: .refused), model: "x") == nil)
        // Who closed a connection may answer on another.
        for _ in 0..<5 {
            let next = directory.pickNext(after: failed(a, b), model: "x")
            #expect(next == a || next == b)
        }
        #expect(directory.alternatives(to: [a, b], model: "x") == 0)
        #expect(directory.alternatives(to: [a, b]) == 1)
    }

    /// Each is not fully ready for a model of its own that is broken.
    @Test func requestForAModel_goesToTheOnesThatServeIt_thoughTheyServeNotAll() {
        let directory = directory(endpoints(a, b, c))
        for _ in 0..<2 {
            check(directory, b, isReady: false, isDegraded: true, models: ["y"])
            check(directory, c, isReady: false, isDegraded: true, models: ["x", "y"])
        }
        check(directory, a, models: ["x"])
        #expect(picks(directory, 10, model: "y") == ["b": 5, "c": 5])
        // Those that are fully ready come first.
        #expect(picks(directory, 10, model: "x") == ["a": 10])
        #expect(picks(directory, 10) == ["a": 10])
        _ = directory.connectionFailed(a)
        #expect(picks(directory, 10, model: "x") == ["c": 10])
        #expect(picks(directory, 10, model: "y") == ["b": 5, "c": 5])
        #expect(picks(directory, 10, model: "z") == ["b": 5, "c": 5])
    }

    @Test func modelOfAnEjectedEndpointAlone_isAskedOfIt() {
        let directory = directory(endpoints(a, b, c))
        check(directory, a, models: ["x"])
        for address in [b, c] { check(directory, address, models: ["y"]) }
        for _ in 0..<5 {
            _ = directory.didEnd(
                EndedAttempt(
                    upstream: a, result: .answered(httpStatus: 500, grpcStatus: nil),
                    duration: .milliseconds(1)))
        }
        #expect(directory.status.endpoints.map(\.ejected) == [true, false, false])
        #expect(picks(directory, 10, model: "x") == ["a": 10])
        #expect(picks(directory, 10, model: "y") == ["b": 5, "c": 5])
        #expect(picks(directory, 10) == ["b": 5, "c": 5])
    }

    @Test func modelOfAFullEndpointAlone_isRefusedAsAllAreWhereAllAreFull() {
        let directory = directory(endpoints(a, b)) {
            $0.limits = CircuitBreakerLimits(requests: 2)
        }
        check(directory, a, models: ["x"])
        check(directory, b, models: ["y"])
        #expect(picks(directory, 2, model: "x") == ["a": 2])
        #expect(directory.pickFirst(model: "x") == .allFull)
        #expect(directory.limitRefusals[.requests] == 1)
        #expect(directory.pickFirst(model: "y") == .endpoint(b))
        end(directory, a, isRetry: false)
        #expect(directory.pickFirst(model: "x") == .endpoint(a))
    }

    /// Else one busy moment of a node would send requests where they are answered by 404.
    @Test func oneCheckThatIsLost_leavesWhatTheEndpointServes() {
        let directory = directory(endpoints(a, b))
        check(directory, a, models: ["x"])
        check(directory, b, models: ["y"])
        _ = directory.checkEnded(b, .unreachable, begunAt: directory.checkBegins(b))
        #expect(directory.isUneven)
        #expect(picks(directory, 10, model: "x") == ["a": 10])
        #expect(picks(directory, 10, model: "y") == ["b": 10])
        // The second in a row makes it unhealthy, and what it serves is forgotten.
        _ = directory.checkEnded(b, .unreachable, begunAt: directory.checkBegins(b))
        #expect(!directory.isUneven)
        #expect(picks(directory, 10, model: "y") == ["a": 10])
    }

    @Test func endpointsWithTheSameModels_areAllEven() {
        let directory = directory(endpoints(a, b))
        for address in [a, b] { check(directory, address, models: ["x"]) }
        #expect(!directory.isUneven)
    }

    // MARK: Weights

    @Test(arguments: [BalancingAlgorithm.roundRobin, .dynamicWeightedRoundRobin])
    func endpointThatIsSaidToCarryMore_getsMore(algorithm: BalancingAlgorithm) {
        let directory = directory([
            DiscoveredEndpoint(address: a, weight: 3000),
            DiscoveredEndpoint(address: b, weight: 1000),
        ]) { $0.balancing = algorithm }
        let weights = directory.status.endpoints.map(\.weight)
        #expect(abs(weights[0] / weights[1] - 3) < 0.001)
        if algorithm == .roundRobin { #expect(picks(directory, 400) == ["a": 300, "b": 100]) }
    }

    // MARK: Nearness

    @Test func nearEndpoints_comeFirst_andOverflowToFartherOnes() {
        let near = Locality(region: "r", zone: "1")
        let far = Locality(region: "r", zone: "2")
        let directory = directory([
            DiscoveredEndpoint(address: a, locality: near),
            DiscoveredEndpoint(address: b, locality: near),
            DiscoveredEndpoint(address: c, locality: far),
        ]) { $0.nearness = .init(own: near) }
        #expect(picks(directory, 100) == ["a": 50, "b": 50])
        _ = directory.connectionFailed(a)
        // Half of the near ones carry 1.4 x 50 % of the requests.
        let shares = picks(directory, 1000)
        #expect(shares["a"] == nil)
        #expect((650...750).contains(shares["b"] ?? 0), "\(shares)")
        _ = directory.connectionFailed(b)
        #expect(picks(directory, 10) == ["c": 10])
    }

    // MARK: Panic

    @Test func withTooFewUsable_thoseThatFailTheirChecksAreUsedToo() {
        let directory = directory(endpoints(a, b, c)) {
            $0.panic = PanicThreshold(healthyShareMin: 0.5)
        }
        for address in [a, b] {
            for _ in 0..<2 { check(directory, address, isReady: false) }
        }
        #expect(picks(directory, 9) == ["a": 3, "b": 3, "c": 3])
        // What cannot be connected to is not.
        _ = directory.connectionFailed(a)
        _ = directory.checkEnded(a, .unreachable, begunAt: directory.checkBegins(a))
        check(directory, a)
        _ = directory.connectionFailed(a)
        #expect(picks(directory, 8) == ["b": 4, "c": 4])
    }

    @Test func withTooFewUsable_theModelStillCounts() {
        let directory = directory(endpoints(a, b, c)) {
            $0.panic = PanicThreshold(healthyShareMin: 0.5)
        }
        for _ in 0..<2 {
            check(directory, a, isReady: false, models: ["x"])
            check(directory, b, isReady: false, models: ["y"])
        }
        check(directory, c, models: ["x"])
        #expect(picks(directory, 8, model: "x") == ["a": 4, "c": 4])
        #expect(picks(directory, 8, model: "y") == ["b": 8])
        #expect(picks(directory, 9, model: "z").count == 3)
    }

    // MARK: Discovery

    /// As a policy that names one endpoint more is read: those of before are warm.
    @Test(arguments: [BalancingAlgorithm.dynamicWeightedRoundRobin, .leastRequest])
    func newcomer_startsSlowlyBesideThoseOfBefore(algorithm: BalancingAlgorithm) {
        let before = directory(endpoints(a, b)) { $0.balancing = algorithm }
        var configuration = EndpointDirectory.Configuration()
        configuration.balancing = algorithm
        let after = EndpointDirectory(endpoints(a, b, c), configuration: configuration, seed: 1)
        after.inherit(from: before)
        check(after, c)
        let weights = after.status.endpoints.map(\.weight)
        #expect(weights[0] == weights[1])
        #expect(abs(weights[2] / weights[0] - 0.1) < 0.001, "\(weights)")
    }

    @Test func endpointsThatComeAndGo_areUsedAccordingly() {
        let directory = directory(endpoints(a, b))
        let difference = directory.update(to: EndpointSet(endpoints(b, c)))
        #expect(difference.added.map(\.address) == [c])
        #expect(difference.removed.map(\.address) == [a])
        #expect(directory.addresses == [b, c])
        #expect(picks(directory, 4) == ["b": 4])
        check(directory, c)
        #expect(picks(directory, 4) == ["b": 2, "c": 2])
        // An attempt from before the removal may end after it.
        end(directory, a, isRetry: false)
        #expect(directory.status.endpoints.map(\.address) == ["b:2", "c:3"])
    }
}
