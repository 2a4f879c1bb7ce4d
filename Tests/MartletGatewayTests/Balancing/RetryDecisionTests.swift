import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")

@Suite("Retries")
struct RetryDecisionTests {
    /// One line for each failure: what becomes of an idempotent and of another request.
    @Test func decide_byFailureAndIdempotency() {
        let table = AttemptFailure.allCases.map { failure in
            let outcomes = Idempotency.allCases.map { idempotency in
                summary(
                    RetryDecision.decide(
                        after: FailedAttempt(
                            tried: [a], attempt: 1, idempotency: idempotency, failure: failure)))
            }
            return "\(failure.rawValue): \(outcomes.joined(separator: ", "))"
        }
        #expect(
            table == [
                "connect_failed: retry, retry",
                "connection_closed: retry, not_idempotent",
                "stream_unprocessed: retry, retry",
                "timeout: failure_not_retryable, failure_not_retryable",
                "bad_response: failure_not_retryable, failure_not_retryable",
                "attempt_timeout: retry, not_idempotent",
                "endpoint_lost: retry, not_idempotent",
                "refused: retry, not_idempotent",
                "server_error: retry, not_idempotent",
            ])
    }

    /// A request that breaks every endpoint it meets is not to meet many.
    @Test func decide_afterTwoServerErrors_fails() {
        var attempt = FailedAttempt(
            tried: [a], attempt: 1, attemptsMax: 9, failure: .serverError)
        #expect(RetryDecision.decide(after: attempt) == .retry(excluding: [a]))
        attempt.attempt = 2
        #expect(RetryDecision.decide(after: attempt) == .fail(.attemptsExhausted))
    }

    /// What a lost endpoint had is asked again once, however much that is.
    @Test func decide_whenAnEndpointIsLost_isBeyondTheBudget() {
        var budget = RetryBudget(ratio: 0, retriesMin: 0)
        let lost = FailedAttempt(tried: [a], attempt: 1, failure: .endpointLost)
        #expect(
            RetryDecision.decide(after: lost, budget: &budget, now: .zero)
                == .retry(excluding: [a]))
        let closed = FailedAttempt(
            tried: [a], attempt: 1, failure: .connectionClosedBeforeResponse)
        #expect(
            RetryDecision.decide(after: closed, budget: &budget, now: .zero)
                == .fail(.budgetExhausted))
    }

    @Test(arguments: AttemptFailure.allCases)
    func decide_onceTheResponseStarted_fails(failure: AttemptFailure) {
        let attempt = FailedAttempt(
            tried: [a], attempt: 1, responseStarted: true, failure: failure)
        #expect(RetryDecision.decide(after: attempt) == .fail(.responseStarted))
    }

    @Test(arguments: AttemptFailure.allCases)
    func decide_whenTheBodyIsGone_fails(failure: AttemptFailure) {
        let attempt = FailedAttempt(
            tried: [a], attempt: 1, bodyReplayable: false, failure: failure)
        #expect(RetryDecision.decide(after: attempt) == .fail(.bodyNotReplayable))
    }

    @Test func decide_atTheLastAttempt_fails() {
        let outcomes = (1...4).map { number in
            summary(
                RetryDecision.decide(
                    after: FailedAttempt(
                        tried: [a], attempt: number, attemptsMax: 3, failure: .connectFailed)))
        }
        #expect(outcomes == ["retry", "retry", "attempts_exhausted", "attempts_exhausted"])
    }

    @Test func decide_excludesAllThatWereTried() {
        let attempt = FailedAttempt(tried: [a, b], attempt: 2, failure: .connectFailed)
        #expect(RetryDecision.decide(after: attempt) == .retry(excluding: [a, b]))
    }

    @Test func decide_withAnEmptyBudget_fails() {
        var budget = RetryBudget(ratio: 0.2, retriesMin: 1)
        let attempt = FailedAttempt(tried: [a], attempt: 1, failure: .connectFailed)
        let outcomes = (0..<2).map { _ in
            summary(RetryDecision.decide(after: attempt, budget: &budget, now: .zero))
        }
        #expect(outcomes == ["retry", "budget_exhausted"])
    }

    @Test func decide_whenItFailsAnyway_leavesTheBudgetAlone() {
        var budget = RetryBudget(ratio: 0.2, retriesMin: 1)
        let attempt = FailedAttempt(tried: [a], attempt: 1, failure: .timeout)
        _ = RetryDecision.decide(after: attempt, budget: &budget, now: .zero)
        let isLeft = budget.withdraw(now: .zero)
        #expect(isLeft)
    }

    private func summary(_ decision: RetryDecision) -> String {
        switch decision {
        case .retry: "retry"
        case .fail(let reason): reason.rawValue
        }
    }
}
