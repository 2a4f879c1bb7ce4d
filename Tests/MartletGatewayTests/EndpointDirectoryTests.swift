import MartletCore
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Endpoint directory")
struct EndpointDirectoryTests {
    private let ready = Self.outcome(isReady: true, models: ["a"])
    private let degraded = Self.outcome(isDegraded: true, models: ["a", "b"])
    private let draining = Self.outcome(models: ["a"])
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)
    private let c = UpstreamAddress(host: "c", port: 3)

    private static func outcome(
        isReady: Bool = false, isDegraded: Bool = false, models: [String]?
    ) -> HealthCheckOutcome {
        HealthCheckOutcome(
            isReady: isReady, isDegraded: isDegraded, load: nil,
            models: models?.map { ModelStatus(name: $0, versions: []) })
    }

    private func makeDirectory(
        _ addresses: [UpstreamAddress],
        _ configuration: EndpointDirectory.Configuration = .init()
    ) -> EndpointDirectory {
        EndpointDirectory(
            addresses.map { DiscoveredEndpoint(address: $0) }, configuration: configuration,
            seed: 1)
    }

    private func healthy(
        _ addresses: [UpstreamAddress],
        _ configuration: EndpointDirectory.Configuration = .init()
    ) -> EndpointDirectory {
        let directory = makeDirectory(addresses, configuration)
        for address in addresses { check(directory, address, ready) }
        return directory
    }

    @discardableResult
    private func check(
        _ directory: EndpointDirectory, _ address: UpstreamAddress, _ outcome: HealthCheckOutcome
    ) -> HealthTracker.Transition? {
        let token = directory.checkBegins(address)
        return directory.checkEnded(address, outcome, begunAt: token)?.transition
    }

    private func failed(
        _ tried: [UpstreamAddress], _ failure: ForwardingFailure = .connectionClosed,
        isIdempotent: Bool = true, isReplayable: Bool = true, responseStarted: Bool = false
    ) -> FailedForwarding {
        FailedForwarding(
            tried: tried, plan: ForwardingPlan(isIdempotent: isIdempotent, holdsResponse: true),
            isReplayable: isReplayable, responseStarted: responseStarted, failure: failure)
    }

    private func ended(_ address: UpstreamAddress, _ result: AttemptResult) -> EndedAttempt {
        EndedAttempt(upstream: address, result: result, duration: .milliseconds(5))
    }

    private func picks(_ directory: EndpointDirectory, _ count: Int) -> [String: Int] {
        var picks: [String: Int] = [:]
        for _ in 0..<count { picks[directory.pickFirst().address?.host ?? "none", default: 0] += 1 }
        return picks
    }

    // MARK: Picking

    /// One that was never asked may be well; one whose checks have only ever failed is not tried.
    @Test func pick_beforeAnythingIsKnown_triesAll() {
        let directory = makeDirectory([a, b])
        #expect(Set((0..<10).compactMap { _ in directory.pickFirst().address }) == [a, b])
        #expect(!directory.isReady)
        for _ in 0..<2 { _ = check(directory, a, .unreachable) }
        for _ in 0..<10 { #expect(directory.pickFirst().address == b) }
        for _ in 0..<2 { _ = check(directory, b, .unreachable) }
        #expect(directory.pickFirst().address == nil)
    }

    @Test func pick_amongHealthyOnes_isSharedEvenly() {
        #expect(picks(healthy([a, b, c]), 300) == ["a": 100, "b": 100, "c": 100])
    }

    @Test func pick_leavesUnhealthyOnesOut() {
        let directory = makeDirectory([a, b, c])
        check(directory, b, ready)
        #expect(directory.isReady)
        #expect(picks(directory, 10) == ["b": 10])
    }

    // MARK: Other attempts

    @Test func next_isAnotherThanThoseTried() {
        let directory = healthy([a, b, c])
        for _ in 0..<5 {
            #expect(directory.pickNext(after: failed([a, c])) == b)
        }
    }

    @Test func next_whenAllWereTried_repeatsWhereAConnectionWasClosed() {
        let directory = healthy([a])
        #expect(directory.pickNext(after: failed([a], .connectionClosed)) == a)
        #expect(directory.pickNext(after: failed([a], .unprocessed)) == a)
        #expect(directory.pickNext(after: failed([a], .connectFailed)) == nil)
    }

    // MARK: Health

    @Test func checks_changeTheHealthAsTheTrackerSays() {
        let directory = makeDirectory([a])
        #expect(check(directory, a, ready) == .becameHealthy)
        #expect(check(directory, a, ready) == nil)
        #expect(check(directory, a, .unreachable) == nil)
        #expect(directory.pickFirst().address == a)
        #expect(check(directory, a, .unreachable) == .becameUnhealthy(.checksFailed(count: 2)))
        #expect(!directory.isReady)
        #expect(check(directory, a, ready) == .becameHealthy)
        #expect(directory.pickFirst().address == a)
    }

    /// Checks may be misjudged: where there is no other, one that has answered before is tried.
    @Test func endpointWhoseChecksFail_isTriedWhereThereIsNoOther() {
        let directory = healthy([a, b])
        for _ in 0..<2 { _ = check(directory, a, .unreachable) }
        for _ in 0..<10 { #expect(directory.pickFirst().address == b) }
        for _ in 0..<2 { _ = check(directory, b, .unreachable) }
        #expect(Set((0..<10).compactMap { _ in directory.pickFirst().address }) == [a, b])
        // One that cannot even be connected to is not.
        _ = check(directory, b, ready)
        _ = directory.connectionFailed(b)
        for _ in 0..<10 { #expect(directory.pickFirst().address == a) }
    }

    @Test func connectionThatFails_takesTheEndpointOutAtOnce() {
        let directory = healthy([a, b])
        let change = directory.connectionFailed(a)
        #expect(change?.address == a)
        #expect(change?.transition == .becameUnhealthy(.connectionFailed))
        #expect(directory.connectionFailed(a) == nil)
        #expect(picks(directory, 10) == ["b": 10])
    }

    @Test func checkThatBeganBeforeAConnectionFailed_isDropped() {
        let directory = healthy([a])
        let token = directory.checkBegins(a)
        _ = directory.connectionFailed(a)
        #expect(directory.checkEnded(a, ready, begunAt: token) == nil)
        #expect(directory.pickFirst().address == nil)
        #expect(!directory.isReady)
        #expect(check(directory, a, ready) == .becameHealthy)
        #expect(directory.pickFirst().address == a)
    }

    @Test func check_ofAnUnknownEndpoint_changesNothing() {
        let directory = healthy([a])
        #expect(check(directory, c, ready) == nil)
        #expect(directory.connectionFailed(c) == nil)
        #expect(picks(directory, 5) == ["a": 5])
    }

    // MARK: Degraded endpoints

    @Test func degraded_isUsedOnlyWhileNoneIsReady() {
        let directory = makeDirectory([a, b])
        check(directory, a, degraded)
        #expect(directory.isReady)
        #expect(picks(directory, 5) == ["a": 5])
        check(directory, b, ready)
        #expect(picks(directory, 5) == ["b": 5])
        _ = directory.connectionFailed(b)
        #expect(picks(directory, 5) == ["a": 5])
    }

    @Test func degradedOnes_takeTurns() {
        let directory = makeDirectory([a, b, c])
        check(directory, a, degraded)
        check(directory, c, degraded)
        #expect(picks(directory, 10) == ["a": 5, "c": 5])
    }

    @Test func degraded_thatCannotBeConnectedTo_isUsedNoMore() {
        let directory = makeDirectory([a])
        check(directory, a, degraded)
        _ = directory.connectionFailed(a)
        #expect(directory.pickFirst().address == nil)
        #expect(!directory.isReady)
    }

    @Test func degraded_thatIsUnreachableOrDrains_isUsedNoMore() {
        for outcome in [HealthCheckOutcome.unreachable, draining] {
            let directory = makeDirectory([a])
            check(directory, a, degraded)
            check(directory, a, outcome)
            #expect(directory.pickFirst().address == nil)
        }
    }

    @Test func next_whenOnlyADegradedOneIsLeft_isThatOne() {
        let directory = makeDirectory([a, b])
        check(directory, a, ready)
        check(directory, b, degraded)
        _ = directory.connectionFailed(a)
        #expect(directory.pickNext(after: failed([a], .connectFailed)) == b)
    }

    // MARK: Ejection

    private let broken = AttemptResult.answered(httpStatus: 500, grpcStatus: nil)

    /// What came of so many attempts that end in the same way.
    private func end(
        _ directory: EndpointDirectory, _ address: UpstreamAddress, _ result: AttemptResult,
        times count: Int
    ) -> [EjectionChange] {
        (0..<count).flatMap { _ in directory.didEnd(ended(address, result)) }
    }

    @Test func endpoint_thatFailsOften_isEjectedAndTellsSoOnce() {
        let directory = healthy([a, b, c])
        #expect(end(directory, a, broken, times: 4).isEmpty)
        #expect(end(directory, a, .abandoned, times: 10).isEmpty)
        let news = end(directory, a, broken, times: 3)
        let cause = EjectionCause.consecutiveFailures(5, last: .serverError)
        #expect(news == [.ejected(a.id, cause, time: .seconds(30))])
        #expect(picks(directory, 10) == ["b": 5, "c": 5])
        #expect(directory.status.endpoints.map(\.ejected) == [true, false, false])
        // Its answers to checks say nothing against how it answers requests.
        check(directory, a, ready)
        #expect(directory.sweep(checked: a, isReady: true).isEmpty)
        #expect(picks(directory, 10) == ["b": 5, "c": 5])
    }

    @Test func endpoint_thatWasSilent_returnsOnceItAnswersACheck() {
        let directory = healthy([a, b])
        #expect(end(directory, a, .failed(.timedOut), times: 5).count == 1)
        #expect(picks(directory, 10) == ["b": 10])
        #expect(
            directory.sweep(checked: a, isReady: true) == [.returned(a.id, .checkSucceeded)])
        #expect(picks(directory, 10)["a"] != nil)
    }

    @Test func lastEndpoint_isNeverEjected_andOneThatIsReturnsForIt() {
        let directory = healthy([a, b])
        #expect(end(directory, a, broken, times: 5).count == 1)
        #expect(end(directory, b, broken, times: 50).isEmpty)
        #expect(picks(directory, 4) == ["b": 4])
        _ = directory.connectionFailed(b)
        #expect(
            directory.sweep(checked: b, isReady: false) == [.returned(a.id, .lastLeft)])
        #expect(picks(directory, 4) == ["a": 4])
    }

    @Test func endpoint_thatRecoversWhileEjected_isUsedAgainWhenItReturns() {
        var configuration = EndpointDirectory.Configuration()
        configuration.outliers = OutlierDetectionConfiguration(baseEjectionTime: .milliseconds(1))
        let directory = healthy([a, b, c], configuration)
        #expect(end(directory, a, broken, times: 5).count == 1)
        var news: [EjectionChange] = []
        while news.isEmpty { news = directory.sweep(checked: b, isReady: true) }
        #expect(news == [.returned(a.id, .timeOver)])
        #expect(picks(directory, 30)["a"] != nil)
    }

    @Test func withoutOutliers_nobodyIsEjected() {
        var configuration = EndpointDirectory.Configuration()
        configuration.outliers = nil
        let directory = healthy([a, b], configuration)
        #expect(end(directory, a, broken, times: 50).isEmpty)
        #expect(picks(directory, 10)["a"] == 5)
    }

    // MARK: Status

    @Test func status_countsWhatHappened() {
        let directory = makeDirectory([b, a])
        check(directory, a, ready)
        for _ in 0..<3 { #expect(directory.pickFirst() == .endpoint(a)) }
        _ = directory.didEnd(ended(a, .abandoned))
        directory.didFail(at: a)
        let endpoints = directory.status.endpoints
        #expect(endpoints.map(\.address) == ["b:2", "a:1"])
        #expect(endpoints.map(\.healthy) == [false, true])
        #expect(endpoints.map(\.requests) == [0, 3])
        #expect(endpoints.map(\.inFlight) == [0, 2])
        #expect(endpoints.map(\.failures) == [0, 1])
        #expect(endpoints.map { $0.models.map(\.name) } == [[], ["a"]])
    }

    @Test func models_stayKnownWhenAnAnswerCannotBeRead() {
        let directory = healthy([a])
        check(directory, a, Self.outcome(models: nil))
        #expect(directory.status.endpoints.first?.models.map(\.name) == ["a"])
    }

    @Test func models_areUnknownOnceTheEndpointDoesNotAnswer() {
        let directory = healthy([a])
        check(directory, a, .unreachable)
        #expect(directory.status.endpoints.first?.models.map(\.name) == ["a"])
        check(directory, a, .unreachable)
        #expect(directory.status.endpoints.first?.models == [])
    }
}
