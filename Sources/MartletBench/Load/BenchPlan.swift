/// One stretch of load: when requests begin, and for how long.
public struct BenchPlan: Sendable {
    /// When requests are due.
    public var arrivals: Arrivals

    /// How long requests are counted, in nanoseconds.
    public var duration: UInt64

    /// How long they are sent before, and not counted, in nanoseconds.
    public var warmUp: UInt64 = 0

    /// How long answers are awaited behind the end, in nanoseconds.
    public var drain: UInt64 = 10_000_000_000

    /// How long a request waits for a connection at most, in nanoseconds.
    public var timeout: UInt64 = 10_000_000_000

    /// How many different requests there are, which take turns.
    public var variants = 1

    /// Whether answers are streams of server-sent events whose times are taken.
    public var isStreaming = false

    /// The length of what the report shows as one point, in nanoseconds.
    public var interval: UInt64

    /// Creates a plan.
    public init(_ arrivals: Arrivals, duration: UInt64) {
        self.arrivals = arrivals
        self.duration = duration
        interval = BenchPlan.interval(for: duration)
    }

    /// So long that a report has some hundred points, and a short one still a few.
    static func interval(for duration: UInt64) -> UInt64 {
        max(100_000_000, duration / 200)
    }
}
