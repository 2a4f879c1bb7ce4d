import MartletCore

/// Finds by latency how many requests may be in flight at once, and refuses those beyond, the least
/// important first.
///
/// What is sent beyond the capacity of an endpoint only waits there. The sign of it is that answers
/// take longer than they do in light use, the baseline. Once per window the limit moves to
/// `limit × gradient + √limit`, where the gradient is what the baseline allows for, divided by the
/// latency seen, and from a half to 1; the root is the queue that keeps an endpoint busy, and the
/// way up.
///
/// Source: the gradient of Netflix's concurrency-limits (its second version) and of Envoy's
/// adaptive concurrency, and the square root of the latter. A baseline that follows all latencies,
/// as in the former, takes a long overload for the normal state; so ours follows light use only,
/// and where there is none, a window with a part of the limit makes some, much as the latter
/// measures its minimum.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
struct AdaptiveConcurrency: Sendable {
    /// Whether a request was admitted.
    enum Admission: Sendable, Hashable {
        /// It counts until it is released.
        case admitted
        /// The requests of its priority are at their limit, and it may be sent again after this
        /// long.
        case refused(retryAfter: Duration)
    }

    let configuration: AdaptiveConcurrencyConfiguration
    /// Requests admitted and not yet released.
    private(set) var inFlight = 0
    private var estimate: Double
    private var window = LatencyWindow(start: nil)
    private var latency = LightLatency()
    /// When the running probe began; nil without one.
    private var probeStart: Duration?

    /// Begins with the initial limit.
    init(configuration: AdaptiveConcurrencyConfiguration = AdaptiveConcurrencyConfiguration()) {
        self.configuration = configuration
        estimate = Double(configuration.limitInitial)
    }

    /// Requests that may be in flight now.
    var limit: Int {
        guard probeStart != nil else { return Int(estimate) }
        return max(configuration.limitMin, Int(estimate * configuration.probeShare))
    }

    /// Requests of all priorities that may be in flight when one of this priority comes; never less
    /// than 1, so that no priority is shut out of an idle endpoint.
    func limit(of priority: RequestPriority) -> Int {
        max(1, Int(Double(limit) * configuration.shares.of(priority)))
    }

    /// Admits a request or refuses it.
    mutating func admit(_ priority: RequestPriority, now: Duration) -> Admission {
        window.begin(now)
        let allowed = limit(of: priority)
        guard inFlight < allowed else {
            let retryAfter = retryAfter(beyond: allowed)
            window.refused += 1
            return .refused(retryAfter: retryAfter)
        }
        inFlight += 1
        window.peak = max(window.peak, inFlight)
        return .admitted
    }

    /// A request that was admitted is over.
    ///
    /// `latency` is how long it took, or nil where that tells nothing: it failed at once, or its
    /// client hung up. For one that timed out it is how long that took.
    mutating func release(latency: Duration?, now: Duration) {
        inFlight = max(0, inFlight - 1)
        guard let latency else { return }
        // During a probe only those count that were sent in it: the others saw the full limit.
        if let probeStart, now - latency < probeStart { return }
        window.add(latency)
        let samplesMin =
            probeStart == nil ? configuration.samplesMin : configuration.probeSamplesMin
        guard window.isOver(now: now, windowLength, samplesMin: samplesMin) else { return }
        closeWindow(now: now)
    }

    /// The time in which as many requests are answered as are ahead: those beyond the limit, and
    /// those refused in this window, which will come again too.
    private func retryAfter(beyond allowed: Int) -> Duration {
        let ahead = Double(inFlight - allowed + 1 + window.refused)
        let seconds = (latency.last ?? configuration.windowMin.seconds) * ahead / Double(limit)
        return .seconds(min(max(0.001, seconds), configuration.retryAfterMax.seconds))
    }

    /// An hour's latency is as long as any, and keeps sums of times in range.
    private var windowLength: Duration {
        max(configuration.windowMin, .seconds(2 * min(latency.last ?? 0, 3600)))
    }

    private mutating func closeWindow(now: Duration) {
        let seen = window
        window = LatencyWindow(start: now)
        latency.last = seen.mean
        if probeStart != nil {
            probeStart = nil
            latency.set(seen.mean, now: now)
        } else if !seen.isLimited(by: limit) {
            latency.follow(seen.mean, windows: configuration.baselineWindows, now: now)
        } else {
            adjust(to: seen.mean)
            probeIfDue(now: now)
        }
    }

    private mutating func adjust(to mean: Double) {
        let baseline = latency.baseline ?? mean
        let gradient = min(max(0.5, configuration.tolerance * baseline / max(mean, 1e-9)), 1)
        let target = estimate * gradient + estimate.squareRoot()
        let next = estimate + (target - estimate) * configuration.smoothing
        estimate = min(max(Double(configuration.limitMin), next), Double(configuration.limitMax))
    }

    private mutating func probeIfDue(now: Duration) {
        let interval =
            latency.isSettled
            ? max(configuration.probeInterval, windowLength * 50) : windowLength * 5
        if let measured = latency.measured, now - measured < interval { return }
        probeStart = now
    }
}

/// What was seen in one window.
private struct LatencyWindow: Sendable {
    /// When it began; nil until something happens in it.
    private(set) var start: Duration?
    private var sum = 0.0
    private var samples = 0
    /// Most requests in flight at once.
    var peak = 0
    /// Requests refused.
    var refused = 0

    init(start: Duration?) {
        self.start = start
    }

    mutating func begin(_ now: Duration) {
        if start == nil { start = now }
    }

    mutating func add(_ latency: Duration) {
        sum += max(0, latency.seconds)
        samples += 1
    }

    /// The mean latency in seconds; 0 without any.
    var mean: Double { samples > 0 ? sum / Double(samples) : 0 }

    func isOver(now: Duration, _ length: Duration, samplesMin: Int) -> Bool {
        guard let start, samples >= samplesMin else { return false }
        return now - start >= length
    }

    /// Whether a limit was in the way, or may have been: only then does the latency tell whether it
    /// is the right one.
    func isLimited(by limit: Int) -> Bool { refused > 0 || peak > limit / 2 }
}

/// The latency of light use, in seconds, and that of the last window.
private struct LightLatency: Sendable {
    private(set) var baseline: Double?
    /// When the baseline was last measured.
    private(set) var measured: Duration?
    /// Whether it can be relied on: a part of a limit that is far too high is still too high.
    private(set) var isSettled = false
    var last: Double?
    private var windows = 0

    /// Takes what a probe measured for the truth: the endpoint may have become faster or slower.
    mutating func set(_ mean: Double, now: Duration) {
        isSettled = baseline.map { mean >= 0.85 * $0 } ?? false
        baseline = mean
        windows = 1
        measured = now
    }

    /// Averages a window in, exponentially; as a plain mean while there are few.
    mutating func follow(_ mean: Double, windows most: Int, now: Duration) {
        windows = min(windows + 1, most)
        let before = baseline ?? 0
        baseline = before + (mean - before) / Double(windows)
        measured = now
        isSettled = true
    }
}
