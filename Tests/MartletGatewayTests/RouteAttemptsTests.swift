import MartletCore
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("Attempts that a route allows")
struct RouteAttemptsTests {
    private let a = UpstreamAddress(host: "a", port: 1)
    private let b = UpstreamAddress(host: "b", port: 2)

    private func route(
        _ change: (inout TrafficPolicy.Route) -> Void = { _ in }
    ) -> RouteRuntime {
        var settings = TrafficPolicy.Route(name: "r")
        change(&settings)
        return RouteRuntime(settings, pools: [:], now: .zero)
    }

    private func failed(
        _ tried: [UpstreamAddress], _ failure: ForwardingFailure = .connectionClosed,
        isIdempotent: Bool = true, isReplayable: Bool = true, responseStarted: Bool = false
    ) -> FailedForwarding {
        FailedForwarding(
            tried: tried, plan: ForwardingPlan(isIdempotent: isIdempotent, holdsResponse: true),
            isReplayable: isReplayable, responseStarted: responseStarted, failure: failure)
    }

    @Test func afterTheLastAttemptAllowed_thereIsNone() {
        let route = route { $0.retries.attemptsMax = 2 }
        #expect(route.allowsRetry(after: failed([a]), now: .zero))
        #expect(!route.allowsRetry(after: failed([a, b]), now: .zero))
    }

    @Test func whatMustNotBeRepeated_isNot() {
        let route = route()
        #expect(!route.allowsRetry(after: failed([a], isIdempotent: false), now: .zero))
        #expect(!route.allowsRetry(after: failed([a], isReplayable: false), now: .zero))
        #expect(!route.allowsRetry(after: failed([a], responseStarted: true), now: .zero))
        #expect(!route.allowsRetry(after: failed([a], .timedOut), now: .zero))
    }

    @Test func whatTheEndpointNeverSaw_isRepeatedThoughItMayNotRunTwice() {
        for failure in [ForwardingFailure.connectFailed, .unprocessed] {
            let failed = failed([a], failure, isIdempotent: false)
            #expect(route().allowsRetry(after: failed, now: .zero), "\(failure)")
        }
    }

    @Test func beyondTheBudget_thereIsNone() {
        let route = route {
            $0.retries.budgetMin = 4
            $0.retries.budgetShare = 0.1
        }
        var granted = 0
        while granted < 1000, route.allowsRetry(after: failed([a]), now: .zero) { granted += 1 }
        #expect(granted == 4)
        for _ in 0..<100 { route.deposit(now: .zero) }
        while granted < 1000, route.allowsRetry(after: failed([a]), now: .zero) { granted += 1 }
        #expect(granted == 10)
    }

    @Test func retryThatNobodyIsAskedFor_costsNothing() {
        let route = route { $0.retries.budgetMin = 1 }
        for _ in 0..<3 {
            #expect(route.allowsRetry(after: failed([a], .refused), now: .zero))
            route.didNotRetry(after: .refused, now: .zero)
        }
        #expect(route.allowsRetry(after: failed([a], .refused), now: .zero))
        // What costs nothing gives nothing back.
        route.didNotRetry(after: .upstreamLost, now: .zero)
        #expect(!route.allowsRetry(after: failed([a], .refused), now: .zero))
    }

    @Test func failureThatIsNotNamed_isNotRepeated() {
        let route = route { $0.retries.failures = [.connectFailed] }
        #expect(route.allowsRetry(after: failed([a], .connectFailed), now: .zero))
        #expect(!route.allowsRetry(after: failed([a], .connectionClosed), now: .zero))
    }

    /// What may be named and would never be tried again would mean nothing.
    @Test func everyFailureThatMayBeNamed_isRepeated_andAllAreUnlessSomeAreNamed() {
        for failure in AttemptFailure.allCases {
            let attempt = FailedAttempt(tried: [], attempt: 1, failure: failure)
            let isRepeated = RetryDecision.decide(after: attempt) == .retry(excluding: [])
            #expect(isRepeated == AttemptFailure.retriable.contains(failure), "\(failure)")
        }
        #expect(route().retriedFailures == Set(AttemptFailure.retriable))
    }

    @Test func failuresThatAreNamed_areRepeated_andNoOthers() {
        let named: [AttemptFailure] = [
            .connectFailed, .streamUnprocessed, .connectionClosedBeforeResponse,
        ]
        let route = route { $0.retries.failures = named }
        #expect(route.allowsRetry(after: failed([a], .connectionClosed), now: .zero))
        for failure in [ForwardingFailure.serverError, .refused, .attemptTimedOut, .upstreamLost] {
            #expect(!route.allowsRetry(after: failed([a], failure), now: .zero), "\(failure)")
        }
    }

    // MARK: Hedging

    private func waiting(_ tried: [UpstreamAddress], _ elapsed: Duration) -> WaitingForwarding {
        WaitingForwarding(
            tried: tried, plan: ForwardingPlan(isIdempotent: true, holdsResponse: true),
            elapsed: elapsed)
    }

    @Test func hedge_comesAfterTheDelay_andNotTwice() {
        let route = route { $0.hedging = TrafficPolicy.Hedging(delay: .fixed(.seconds(1))) }
        for _ in 0..<20 { route.deposit(now: .zero) }
        #expect(route.hedgingDelay(now: .zero) == .seconds(1))
        let early = route.hedge(waiting([a], .milliseconds(400)), alternatives: 1, now: .zero)
        #expect(early == .wait(.milliseconds(600)))
        let due = route.hedge(waiting([a], .seconds(1)), alternatives: 1, now: .zero)
        #expect(due == .hedge(excluding: [a.id]))
        let again = route.hedge(waiting([a, b], .seconds(1)), alternatives: 1, now: .zero)
        #expect(again == .leave(.alreadyHedged))
        let alone = route.hedge(waiting([a], .seconds(1)), alternatives: 0, now: .zero)
        #expect(alone == .leave(.noOtherEndpoint))
    }

    @Test func withoutHedging_nothingIsHedged() {
        #expect(route().hedgingDelay(now: .zero) == nil)
        let decision = route().hedge(waiting([a], .seconds(9)), alternatives: 1, now: .zero)
        #expect(decision == .leave(.alreadyHedged))
    }
}
