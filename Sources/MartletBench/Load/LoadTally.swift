import MartletCore
import MartletTransport

/// What came of requests: counted by one thread for a short while, then added to the whole.
public struct LoadTally: Sendable {
    /// Failures of one kind.
    public struct Failure: Sendable, Equatable {
        /// How many.
        public var count: Int
        /// What one of them said.
        public var sample: String
    }

    /// Latencies of good answers to requests that began while it counted, in nanoseconds.
    public var latency = LatencyHistogram()

    /// Good answers that came while it counted, whenever their requests began.
    public var answeredInTime = 0

    /// Failures by kind.
    public var failures: [String: Failure] = [:]

    /// Latencies of answers that were refusals, in nanoseconds.
    public var refusal = LatencyHistogram()

    /// Bytes of content that came.
    public var bytes = 0

    /// How late requests were begun by this program, in nanoseconds; of an open loop.
    public var lag = LatencyHistogram()

    /// Requests that had to wait until a connection was free; of an open loop.
    public var waited = 0

    /// Time to the first token of a stream, in nanoseconds.
    public var firstToken = LatencyHistogram()

    /// Time between tokens of a stream, in nanoseconds.
    public var betweenTokens = LatencyHistogram()

    /// Tokens that came, or rather the events that carry them.
    public var tokens = 0

    /// Creates an empty tally.
    public init() {}

    /// How many requests failed.
    public var failed: Int { failures.values.reduce(0) { $0 + $1.count } }

    /// Whether there is nothing to add.
    var isEmpty: Bool {
        latency.isEmpty && answeredInTime == 0 && failures.isEmpty && bytes == 0 && lag.isEmpty
            && waited == 0 && firstToken.isEmpty && tokens == 0
    }

    /// Counts a failure.
    mutating func fail(_ code: String, _ sample: @autoclosure () -> String) {
        if failures[code] == nil { failures[code] = Failure(count: 0, sample: sample()) }
        failures[code]?.count += 1
    }

    /// Counts tokens.
    mutating func add(_ times: [StreamClock.TokenTime]) {
        tokens += times.count
        for time in times {
            switch time {
            case .first(let time): firstToken.record(time)
            case .next(let time): betweenTokens.record(time)
            }
        }
    }

    /// Adds another tally.
    mutating func add(_ other: LoadTally) {
        latency.add(other.latency)
        answeredInTime += other.answeredInTime
        for (code, failure) in other.failures {
            failures[code, default: Failure(count: 0, sample: failure.sample)].count +=
                failure.count
        }
        refusal.add(other.refusal)
        bytes += other.bytes
        lag.add(other.lag)
        waited += other.waited
        firstToken.add(other.firstToken)
        betweenTokens.add(other.betweenTokens)
        tokens += other.tokens
    }

    /// Forgets everything, and keeps the memory.
    mutating func removeAll() {
        latency.removeAll()
        answeredInTime = 0
        failures.removeAll()
        refusal.removeAll()
        bytes = 0
        lag.removeAll()
        waited = 0
        firstToken.removeAll()
        betweenTokens.removeAll()
        tokens = 0
    }
}

extension LoadOutcome {
    /// A failure as reports name it.
    ///
    /// - Parameter wire: decides whose codes a refusal has.
    /// - Returns: its kind and its words; `nil` for a success.
    func failure(_ wire: LoadWire) -> (code: String, text: String)? {
        switch self {
        case .success: nil
        case .refused(let code, let text):
            switch wire {
            case .http1: ("HTTP \(code)", text)
            case .grpc: (StatusCode(rawValue: code)?.name ?? "STATUS \(code)", text)
            }
        case .failed(let failure): failure.named
        }
    }
}

extension LoadFailure {
    fileprivate var named: (code: String, text: String) {
        switch self {
        case .notConnected(let text): ("NOT_CONNECTED", text)
        case .closed: ("CONNECTION_CLOSED", "The server closed the connection before its answer")
        case .timedOut: ("TIMEOUT", "No answer in time")
        case .notBegun: ("NOT_BEGUN", "The server said that it had not begun")
        case .reset(let code): ("STREAM_RESET", "The server reset the stream, by code \(code)")
        case .malformed(let text): ("MALFORMED", text)
        }
    }
}
