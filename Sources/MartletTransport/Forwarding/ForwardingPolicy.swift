public import MartletCore

/// Why an attempt at an upstream failed.
public enum ForwardingFailure: Sendable, Hashable {
    /// No connection came about.
    case connectFailed
    /// No connection could be opened, for a fault of this machine: the upstream saw nothing of it.
    case localFault(LocalFault)
    /// The upstream does not speak HTTP/2, which the request needs; it saw nothing of it.
    case noHTTP2
    /// The connection ended before the response was complete.
    case connectionClosed
    /// The upstream said that it did not look at the request.
    case unprocessed
    /// There are as many connections to the upstream as there may be.
    case full
    /// The answer did not come in time.
    case timedOut
    /// The answer did not come in the time of one attempt, and there is time for another.
    case attemptTimedOut
    /// The upstream was found to be dead while its answer was awaited.
    case upstreamLost
    /// The upstream answered that it has no room for the request, or cannot be used.
    case refused
    /// The upstream answered that it failed.
    case serverError
}

/// A failed attempt, for the decision whether there is another.
public struct FailedForwarding: Sendable {
    /// Upstreams tried so far, in order.
    public let tried: [UpstreamAddress]

    /// What the request allows.
    public let plan: ForwardingPlan

    /// Whether the whole request is still at hand.
    public let isReplayable: Bool

    /// Whether the client has seen part of a response.
    public let responseStarted: Bool

    /// Why the attempt failed.
    public let failure: ForwardingFailure
}

/// How an attempt at an upstream ended.
public enum AttemptResult: Sendable, Hashable {
    /// It answered: the HTTP status, and the gRPC status where the response carried one.
    case answered(httpStatus: Int, grpcStatus: StatusCode?)
    /// It did not.
    case failed(ForwardingFailure)
    /// Nobody waited for it any more: the client hung up, or its own deadline passed.
    case abandoned
}

/// An attempt at an upstream that is over.
public struct EndedAttempt: Sendable {
    /// Where the request was sent.
    public let upstream: UpstreamAddress

    /// What came of it.
    public let result: AttemptResult

    /// From when it began until its result was complete.
    public let duration: Duration

    /// Whether it was not the request's first.
    public let isRetry: Bool

    /// When it was over.
    public let end: ContinuousClock.Instant

    /// Creates the end of an attempt.
    public init(
        upstream: UpstreamAddress, result: AttemptResult, duration: Duration, isRetry: Bool = false,
        end: ContinuousClock.Instant = .now
    ) {
        self.upstream = upstream
        self.result = result
        self.duration = duration
        self.isRetry = isRetry
        self.end = end
    }
}

/// How a forwarded request ended.
public struct ForwardedOutcome: Sendable {
    /// Which protocol it came by.
    public let api: RequestAPI

    /// The method, such as `POST`.
    public let method: String

    /// The path as received.
    public let path: String

    /// The HTTP status the client got; 0 when it hung up before.
    public let httpStatus: Int

    /// The gRPC status, where the response carried one.
    public let grpcStatus: StatusCode?

    /// Upstreams tried, in order; the last one answered if any did.
    public let tried: [UpstreamAddress]

    /// Bytes of the request's body.
    public let requestBytes: Int

    /// Bytes of the response's body.
    public let responseBytes: Int

    /// What surrounds the request.
    public let context: RequestContext

    /// The answer of an upstream, where the plan asked for it, it is complete and not too long.
    public let answer: HTTPResponse?

    /// Whether the answer broke off after it had begun, though its client waited for more: the
    /// status is then no success.
    public var isBroken = false

    /// Since when only the upstreams were waited for.
    ///
    /// From when the first one that was asked by the plan at hand could have all of the request;
    /// `nil` where none was, or the request never came whole.
    public var sent: ContinuousClock.Instant?
}

/// A request without an answer, for the decision whether it is sent once more.
public struct WaitingForwarding: Sendable {
    /// Upstreams tried so far, in order.
    public let tried: [UpstreamAddress]

    /// What the request allows.
    public let plan: ForwardingPlan

    /// How long ago it was sent to the last of them.
    public let elapsed: Duration
}

/// Whether a request is sent to another upstream while the first may still answer.
public enum HedgingDecision: Sendable {
    /// It is; that attempt has begun.
    case ask(UpstreamAddress)
    /// It is too early: ask again after this long.
    case wait(Duration)
    /// It is not.
    case leave
}

/// Decides where requests go.
///
/// Called on event loops: returns at once.
public protocol ForwardingPolicy: Sendable {
    /// What may be done with a request, by its head.
    func plan(for request: ForwardedRequest) -> ForwardingPlan

    /// Decides on a request whose plan asked for its whole body.
    ///
    /// - Parameters:
    ///   - plan: what was decided by the head.
    ///   - body: the body; `nil` where it is longer than the plan allowed for.
    ///   - completion: takes the decision, once, on any thread, now or later.
    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void)

    /// The upstream of a request's first attempt, which begins with that.
    ///
    /// - Throws: why there is none.
    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress

    /// The upstream of another attempt, which begins with that; `nil` to give up.
    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress?

    /// Whether a request that has waited for so long is sent to another upstream as well.
    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision

    /// An attempt at an upstream is over; called once for each that has begun.
    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan)

    /// An answer has told how loaded its upstream is, which its client is not told.
    ///
    /// Called before ``didEnd(_:_:)`` where the answer is complete.
    func didReport(
        _ reading: LoadReading, from upstream: UpstreamAddress, _ plan: ForwardingPlan)

    /// A request is over.
    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan)

    /// A client's HTTP/2 connection was ended for a flood.
    func didEnd(_ flood: HTTP2Flood)

    /// How a client is told over REST why the gateway itself refuses its request, or has no answer.
    ///
    /// - Parameters:
    ///   - error: what is wrong.
    ///   - status: the HTTP status.
    ///   - request: the head of the request.
    /// - Returns: the content, of JSON; `nil` for the form that nodes have, `{"error": "MESSAGE"}`.
    func body(telling error: ServingError, status: Int, to request: ForwardedRequest) -> [UInt8]?

    /// What is asked in place of a request that no upstream answers, and of whose answer its client
    /// has seen nothing; `nil` for nothing.
    ///
    /// The attempt at what is asked instead begins with that, and what follows is told with its
    /// plan alone. Asked of requests whose plan says ``ForwardingPlan/mayFallBack``, after
    /// ``firstUpstream(_:)`` or ``nextUpstream(after:)`` had none.
    func fallback(after unanswered: UnansweredForwarding) -> FallbackForwarding?

    /// The event that tells a client over REST why its stream of events ends early; `nil` to break
    /// the stream off.
    ///
    /// - Parameters:
    ///   - error: what is wrong.
    ///   - status: the HTTP status that it would have had.
    ///   - request: the head of the request.
    /// - Returns: its bytes; `nil` to break the stream off.
    func event(telling error: ServingError, status: Int, to request: ForwardedRequest) -> [UInt8]?

    /// How a copy of a request is sent whose plan says that it is kept, and which was answered;
    /// `nil` for not at all.
    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan?
}

extension ForwardingPolicy {
    /// Does nothing: for policies that count no floods.
    public func didEnd(_ flood: HTTP2Flood) {}

    /// The form that nodes have: for policies that know no other.
    public func body(
        telling error: ServingError, status: Int, to request: ForwardedRequest
    ) -> [UInt8]? { nil }

    /// Nothing: for policies whose requests are answered as they are or not at all.
    public func fallback(after unanswered: UnansweredForwarding) -> FallbackForwarding? { nil }

    /// None: for policies that know no form for it.
    public func event(
        telling error: ServingError, status: Int, to request: ForwardedRequest
    ) -> [UInt8]? { nil }

    /// Does nothing: for policies that do not go by load.
    public func didReport(
        _ reading: LoadReading, from upstream: UpstreamAddress, _ plan: ForwardingPlan
    ) {}
}

/// Bounds of forwarding, with their defaults.
public struct ForwardingLimits: Sendable {
    /// Bytes of a request kept for another attempt, and of a response held back until it is
    /// complete, for each request (`--replay-bytes`).
    public var replayBytes = 16 << 20

    /// Bytes kept and held back by all requests together (`--replay-budget-bytes`).
    public var replayBudgetBytes = 512 << 20

    /// Longest wait for a connection (`--connect-timeout-seconds`).
    public var connectTimeout: Duration = .seconds(1)

    /// Longest time for one attempt at a request that may run twice, while there is another
    /// upstream for it (`--attempt-timeout-seconds`); `nil` for none.
    public var attemptTimeout: Duration?

    /// Longest time from a request's head to the end of its response
    /// (`--request-timeout-seconds`).
    public var requestTimeout: Duration = .seconds(300)

    /// How long an upstream's machine may leave bytes unacknowledged before its connection is given
    /// up.
    public var unacknowledgedTimeout: Duration = .seconds(10)

    /// How long an idle connection to an upstream is kept
    /// (`--upstream-idle-timeout-seconds`); shorter than nodes keep theirs.
    public var upstreamIdleTimeout: Duration = .seconds(60)

    /// The defaults.
    public init() {}
}
