/// Leaves a server alone that keeps failing: after so many failures in a row it rests, each rest
/// longer than the one before, until a reply comes.
///
/// A rest is followed by one attempt, whose failure begins the next rest. Source: the circuit
/// breaker of Nygard, "Release It!"; the jitter is the "equal jitter" of the AWS Architecture Blog,
/// "Exponential Backoff And Jitter".
struct RedisCircuit: Sendable {
    private let failuresMax: Int
    private let restMin: Duration
    private let restMax: Duration
    private var failures = 0
    private var rests = 0
    private var restEnd: Duration?

    init(failuresMax: Int, restMin: Duration, restMax: Duration) {
        self.failuresMax = max(1, failuresMax)
        self.restMin = min(max(.milliseconds(1), restMin), .seconds(86_400))
        self.restMax = min(max(self.restMin, restMax), .seconds(86_400))
    }

    /// Whether the server has rested and not answered since.
    var isSuspect: Bool { rests > 0 }

    /// Whether the server rests now.
    func isResting(now: Duration) -> Bool {
        guard let restEnd else { return false }
        return now < restEnd
    }

    /// Counts a command that failed.
    ///
    /// - Parameters:
    ///   - now: the time.
    ///   - jitter: a random number from 0 to 1.
    /// - Returns: whether a rest begins.
    mutating func commandFailed(now: Duration, jitter: Double) -> Bool {
        failures = min(failures + 1, failuresMax)
        guard failures == failuresMax else { return false }
        rest(now: now, jitter: jitter)
        return true
    }

    /// Counts a connection that did not come about, which begins a rest at once.
    mutating func connectionFailed(now: Duration, jitter: Double) {
        failures = failuresMax
        rest(now: now, jitter: jitter)
    }

    /// The server gave a reply.
    mutating func succeeded() {
        failures = 0
        rests = 0
        restEnd = nil
    }

    private mutating func rest(now: Duration, jitter: Double) {
        // Beyond twenty doublings every rest is the longest one.
        let longest = min(restMax, restMin * (1 << min(rests, 20)))
        rests += 1
        restEnd = now + longest * (1 - min(max(jitter, 0), 1) / 2)
    }
}
