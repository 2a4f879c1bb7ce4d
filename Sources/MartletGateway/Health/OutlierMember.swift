/// Why an endpoint was ejected, with the figures for the log.
enum EjectionCause: Sendable, Hashable {
    /// It failed so many requests in a row, the last one in this way.
    case consecutiveFailures(Int, last: EndpointFailure)
    /// So large a part of its requests succeeded, less than the bound derived from all endpoints.
    case successRate(Double, below: Double)
    /// So large a part of its requests failed.
    case failureShare(Double)
    /// Its median latency, and the median of the others' medians.
    case latency(Duration, others: Duration)
    /// It answered none of so many requests for so long, while others answered theirs.
    case silence(requests: Int, Duration)

    /// The label in metrics and logs.
    var label: String {
        switch self {
        case .consecutiveFailures: "consecutive_failures"
        case .successRate: "success_rate"
        case .failureShare: "failure_share"
        case .latency: "latency"
        case .silence: "silence"
        }
    }

    /// Whether the endpoint did not answer, so that an answer to a check disproves the cause.
    var isSilence: Bool {
        guard case .consecutiveFailures(_, let last) = self else { return false }
        return last.isSilence
    }
}

/// A change to be carried out by the endpoint picker and told to the log.
enum EjectionChange: Sendable, Hashable {
    /// The endpoint must not be used for this long.
    case ejected(EndpointID, EjectionCause, time: Duration)
    /// The endpoint can be used again.
    case returned(EndpointID, ReturnCause)

    /// Why an ejection ended; the raw values are labels of metrics and logs.
    enum ReturnCause: String, Sendable, Hashable, CaseIterable {
        /// It lasted as long as it was to.
        case timeOver = "time_over"
        /// An active check succeeded.
        case checkSucceeded = "check_succeeded"
        /// No other endpoint was left.
        case lastLeft = "last_left"
    }
}

/// What ``OutlierDetection`` knows of one endpoint.
struct OutlierMember: Sendable {
    struct Ejection: Sendable {
        let cause: EjectionCause
        let end: Duration
    }

    /// Whether active checks find it well.
    var isHealthy = false
    /// Set while it is ejected.
    private(set) var ejection: Ejection?
    /// Ejections, less the intervals spent without since.
    private(set) var ejections = 0
    private(set) var consecutiveFailures = 0
    private var requests = 0
    private var failures = 0
    private var latencies = LatencyBuckets()
    /// Whether it was ejected in a part of the running interval.
    private var wasEjected = false

    /// Counts an outcome.
    mutating func record(_ outcome: EndpointOutcome) {
        requests += 1
        switch outcome {
        case .answered(let latency):
            consecutiveFailures = 0
            latencies.record(latency)
        case .declined:
            consecutiveFailures = 0
        case .failed:
            consecutiveFailures += 1
            failures += 1
        }
    }

    /// What it did in the running interval.
    func tally(id: EndpointID) -> OutlierTally {
        OutlierTally(
            id: id, requests: requests, failures: failures, answers: latencies.count,
            latencyMedian: latencies.quantile(0.5))
    }

    mutating func eject(_ cause: EjectionCause, end: Duration) {
        ejections += 1
        ejection = Ejection(cause: cause, end: end)
        wasEjected = true
    }

    /// Lets it begin anew: what it did before is what it was ejected for, and what it did since was
    /// sent before, or in a panic.
    mutating func endEjection() {
        ejection = nil
        beginAnew()
    }

    /// Forgets how requests ended, but not that it was ejected.
    mutating func beginAnew() {
        consecutiveFailures = 0
        resetCounts()
    }

    mutating func beginInterval() {
        if !wasEjected { ejections = max(0, ejections - 1) }
        wasEjected = ejection != nil
        resetCounts()
    }

    private mutating func resetCounts() {
        requests = 0
        failures = 0
        latencies.reset()
    }
}
