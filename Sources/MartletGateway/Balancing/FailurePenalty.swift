/// What a failed attempt costs an endpoint with the balancers that go by latency or by requests in
/// flight.
///
/// See ``FailureDebt`` for how the four figures work together.
public struct FailurePenalty: Sendable, Equatable {
    /// The requests in flight that a failure counts as, 0 or more (default 10).
    public let requests: Double
    /// The most requests that failures can add up to, 0 or more (default 1000).
    public let requestsMax: Double
    /// The part of them that a success takes away, from 0 to 1 (default 0.1).
    public let forgiveness: Double
    /// How long they take to fade to 1/e by themselves, 1 ms or more (default 10 s).
    public let decayTime: Duration

    /// The defaults, but for what is given.
    ///
    /// Figures out of range are brought into it.
    public init(
        requests: Double = 10,
        requestsMax: Double = 1000,
        forgiveness: Double = 0.1,
        decayTime: Duration = .seconds(10)
    ) {
        self.requests = max(requests, 0)
        self.requestsMax = max(requestsMax, 0)
        self.forgiveness = min(max(forgiveness, 0), 1)
        self.decayTime = max(decayTime, .milliseconds(1))
    }
}

/// The requests that an endpoint is charged with for its failures, beside those that run there.
///
/// An endpoint that fails fast has nothing in flight and answers in no time. By these alone it
/// would look like the best of all, and draw all requests into their failure. So each failure
/// counts as some requests in flight, which fade with time, and of which each success takes a part
/// away.
///
/// With a steady share `p` of failures the debt settles near
/// `requests × p / (forgiveness × (1 - p))`, whatever the rate of requests: rare failures are
/// hardly felt, one in ten weighs as much as eleven requests. Where nothing succeeds it grows until
/// the endpoint is no longer picked, and only time makes it be tried again.
struct FailureDebt: Sendable {
    /// The requests charged as of the last change.
    private var charged = 0.0
    private var lastChange = Duration.zero

    /// Less than this is nothing, so that old failures do not decide what chance should.
    private static let least = 0.01

    /// The requests charged as of now.
    func requests(now: Duration, _ penalty: FailurePenalty) -> Double {
        guard charged > 0 else { return 0 }
        let left = charged * (now - lastChange).decay(within: penalty.decayTime)
        return left < Self.least ? 0 : left
    }

    /// An attempt failed.
    mutating func didFail(now: Duration, _ penalty: FailurePenalty) {
        set(requests(now: now, penalty) + penalty.requests, now: now, penalty)
    }

    /// An attempt succeeded.
    mutating func didSucceed(now: Duration, _ penalty: FailurePenalty) {
        guard charged > 0 else { return }
        set(requests(now: now, penalty) * (1 - penalty.forgiveness), now: now, penalty)
    }

    private mutating func set(_ requests: Double, now: Duration, _ penalty: FailurePenalty) {
        charged = min(requests, penalty.requestsMax)
        lastChange = max(now, lastChange)
    }
}
