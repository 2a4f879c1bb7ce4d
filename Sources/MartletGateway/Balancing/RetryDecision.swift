/// How an attempt at a request failed, as far as that matters to a retry.
///
/// The raw values are the `reason` labels of metrics and logs.
public enum AttemptFailure: String, Sendable, Hashable, CaseIterable {
    /// No connection was made, so the endpoint saw nothing of the request.
    case connectFailed = "connect_failed"
    /// The connection ended before the first byte of a response. The endpoint may have acted.
    case connectionClosedBeforeResponse = "connection_closed"
    /// The endpoint said that it did not process the stream: `REFUSED_STREAM`, or a `GOAWAY` with a
    /// lower last stream (RFC 9113, section 8.7).
    case streamUnprocessed = "stream_unprocessed"
    /// The endpoint did not answer in time. It may still be at work.
    case timeout = "timeout"
    /// The endpoint answered with something that is no response.
    case badResponse = "bad_response"
    /// The endpoint did not answer in the time of one attempt, and there is time for another.
    case attemptTimeout = "attempt_timeout"
    /// The endpoint was found to be dead by its checks while its answer was awaited.
    case endpointLost = "endpoint_lost"
    /// The endpoint answered that it has no room, or cannot be used.
    case refused = "refused"
    /// The endpoint answered that it failed.
    case serverError = "server_error"

    /// Those after which there may be another attempt at all.
    static let retriable: [AttemptFailure] = [
        .connectFailed, .streamUnprocessed, .connectionClosedBeforeResponse, .attemptTimeout,
        .endpointLost, .refused, .serverError,
    ]

    /// The attempts that such a failure may have led to at most, whatever else is allowed: a request
    /// that breaks every endpoint it meets is not to meet many.
    var attemptsMax: Int { self == .serverError ? 2 : .max }

    /// Whether the retry is not one too many: the endpoint that is lost gets no requests any more,
    /// so what it had is asked again once, and no more.
    var isFree: Bool { self == .endpointLost }
}

/// Whether a request that ran twice leaves the same state as one that ran once.
public enum Idempotency: Sendable, Hashable, CaseIterable {
    /// It does. Predictions are of this kind, and so is whatever only reads.
    case idempotent
    /// It may not.
    case notIdempotent
}

/// One failed attempt at a request, with all that decides whether there may be another.
public struct FailedAttempt: Sendable, Equatable {
    /// The endpoints tried up to now, the one that just failed among them.
    public var tried: Set<EndpointID>
    /// How many attempts were made, this one included; the first is 1.
    public var attempt: Int
    /// How many attempts are allowed altogether.
    public var attemptsMax: Int
    /// Whether any part of a response was passed to the client.
    public var responseStarted: Bool
    /// Whether the request body can be sent again from its first byte.
    public var bodyReplayable: Bool
    /// Whether the request may run twice.
    public var idempotency: Idempotency
    /// How the attempt failed.
    public var failure: AttemptFailure

    /// A failed attempt with these properties.
    public init(
        tried: Set<EndpointID>,
        attempt: Int,
        attemptsMax: Int = 3,
        responseStarted: Bool = false,
        bodyReplayable: Bool = true,
        idempotency: Idempotency = .idempotent,
        failure: AttemptFailure
    ) {
        self.tried = tried
        self.attempt = attempt
        self.attemptsMax = attemptsMax
        self.responseStarted = responseStarted
        self.bodyReplayable = bodyReplayable
        self.idempotency = idempotency
        self.failure = failure
    }
}

/// What becomes of a request after a failed attempt.
///
/// Sources: RFC 9110, section 9.2.2 (a proxy repeats idempotent requests only) and RFC 9113,
/// section 8.7 (unprocessed streams are safe to repeat).
public enum RetryDecision: Sendable, Equatable {
    /// Try again, at an endpoint that is not among these.
    case retry(excluding: Set<EndpointID>)
    /// Answer the client with the failure, for this reason.
    case fail(FailReason)

    /// Why a request is not tried again.
    public enum FailReason: String, Sendable, Hashable, CaseIterable {
        /// The client has seen part of a response, which cannot be taken back.
        case responseStarted = "response_started"
        /// The body is no longer there to be sent again.
        case bodyNotReplayable = "body_not_replayable"
        /// Another attempt would not help or would add load where there is too much.
        case failureNotRetryable = "failure_not_retryable"
        /// The endpoint may have acted, and acting twice may do harm.
        case notIdempotent = "not_idempotent"
        /// All attempts allowed were made.
        case attemptsExhausted = "attempts_exhausted"
        /// Too many requests are being retried; see ``RetryBudget``.
        case budgetExhausted = "budget_exhausted"
    }

    /// Decides without regard to the budget.
    ///
    /// The first reason that applies, in the order of ``FailReason``, is the one given.
    public static func decide(after attempt: FailedAttempt) -> RetryDecision {
        if attempt.responseStarted { return .fail(.responseStarted) }
        if !attempt.bodyReplayable { return .fail(.bodyNotReplayable) }
        switch attempt.failure {
        case .connectFailed, .streamUnprocessed:
            break
        case .connectionClosedBeforeResponse, .attemptTimeout, .endpointLost, .refused,
            .serverError:
            if attempt.idempotency == .notIdempotent { return .fail(.notIdempotent) }
        case .timeout, .badResponse:
            return .fail(.failureNotRetryable)
        }
        if attempt.attempt >= min(attempt.attemptsMax, attempt.failure.attemptsMax) {
            return .fail(.attemptsExhausted)
        }
        return .retry(excluding: attempt.tried)
    }

    /// Decides, and takes the retry out of `budget` if there is to be one.
    public static func decide(
        after attempt: FailedAttempt,
        budget: inout RetryBudget,
        now: Duration
    ) -> RetryDecision {
        let decision = decide(after: attempt)
        guard case .retry = decision, !attempt.failure.isFree else { return decision }
        return budget.withdraw(now: now) ? decision : .fail(.budgetExhausted)
    }
}
