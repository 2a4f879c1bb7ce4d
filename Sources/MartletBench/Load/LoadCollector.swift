import Synchronization

/// Adds up what all threads of a stretch of load have counted, and shows it to whoever looks.
public final class LoadCollector: Sendable {
    /// What came in one interval.
    public struct Point: Sendable, Equatable {
        /// Good answers.
        public var answered = 0
        /// Failures.
        public var failed = 0
        /// Percentiles and the longest of the good answers' latencies, in nanoseconds.
        public var p50: UInt64 = 0
        /// The 99th percentile.
        public var p99: UInt64 = 0
        /// The longest.
        public var max: UInt64 = 0
    }

    /// What is known so far.
    public struct Snapshot: Sendable {
        /// Everything that is counted.
        public var total = LoadTally()

        /// Intervals, warm-up left out.
        public var points: [Point] = []

        /// Processor time of each thread while it counted, as a share of a core's.
        public var busy: [Double] = []

        /// Processor time of all threads while they counted, in seconds.
        public var processorSeconds = 0.0

        /// Nothing is known yet.
        public init() {}
    }

    private struct State {
        var snapshot = Snapshot()
        var current = LoadTally()
    }

    private let state = Mutex(State())
    private let interval: UInt64

    /// Creates an empty collector.
    public init(interval: UInt64) {
        self.interval = interval
    }

    /// Adds what a thread has counted.
    ///
    /// - Parameters:
    ///   - tally: its tally.
    ///   - time: nanoseconds since counting began; negative during the warm-up.
    func add(_ tally: LoadTally, at time: Int64) {
        state.withLock { state in
            state.snapshot.total.add(tally)
            let index = Int(max(0, time)) / Int(interval)
            while state.snapshot.points.count < index {
                state.snapshot.points.append(Point(state.current))
                state.current.removeAll()
            }
            state.current.add(tally)
        }
    }

    /// Notes how much a thread had to do.
    func addProcessorTime(_ seconds: Double, of wall: Double) {
        state.withLock { state in
            state.snapshot.busy.append(wall > 0 ? seconds / wall : 0)
            state.snapshot.processorSeconds += seconds
        }
    }

    /// Ends the last interval: nothing more is added.
    func finish() {
        state.withLock { state in
            guard !state.current.isEmpty else { return }
            state.snapshot.points.append(Point(state.current))
            state.current.removeAll()
        }
    }

    /// What is known so far; intervals that have ended.
    public func snapshot() -> Snapshot {
        state.withLock { $0.snapshot }
    }
}

extension LoadCollector.Point {
    fileprivate init(_ tally: LoadTally) {
        answered = tally.answeredInTime
        failed = tally.failed
        p50 = tally.latency.value(at: 0.5)
        p99 = tally.latency.value(at: 0.99)
        max = tally.latency.max
    }
}
