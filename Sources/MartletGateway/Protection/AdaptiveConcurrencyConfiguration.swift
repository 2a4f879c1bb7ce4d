/// The knobs of ``AdaptiveConcurrency``.
///
/// Figures out of range are brought into it.
public struct AdaptiveConcurrencyConfiguration: Sendable, Equatable {
    /// The lowest limit, at least 1 (default 4).
    public let limitMin: Int
    /// The highest limit, at least the lowest and at most a million (default 4096).
    public let limitMax: Int
    /// The limit before anything is known (default 32).
    public let limitInitial: Int
    /// How many times the latency of light use is still no sign of overload, from 1 to 100 (default
    /// 2).
    ///
    /// Endpoints that batch answer more at once more slowly each; they may need more.
    public let tolerance: Double
    /// How much of the way to the new limit is taken in one window, above 0 to 1 (default 0.5).
    public let smoothing: Double
    /// The shortest window over which latency is averaged (default 100 ms).
    ///
    /// A window lasts at least twice the latency, so that it sees what the one before has changed.
    public let windowMin: Duration
    /// The fewest answers in a window, at least 1 (default 10).
    public let samplesMin: Int
    /// Over how many windows the latency of light use is averaged, at least 1 (default 100).
    public let baselineWindows: Int
    /// After how long without light use the limit is lowered for one window, to learn the latency
    /// of light use again (default 30 s), and at least fifty windows.
    ///
    /// While that shows that the latency was too high, after five windows.
    public let probeInterval: Duration
    /// The part of the limit that is used in such a window, above 0 to 1 (default 1/3).
    public let probeShare: Double
    /// The fewest answers in such a window, at least 1 (default 30): what it finds counts for long.
    public let probeSamplesMin: Int
    /// The part of the limit up to which each priority is admitted.
    public let shares: PriorityShares
    /// The longest wait that a refusal asks for (default 30 s); at least 1 ms.
    public let retryAfterMax: Duration

    /// The parts of a limit up to which each priority is admitted, each from 0 to 1 and none above
    /// that of a higher priority.
    public struct PriorityShares: Sendable, Equatable {
        private let byRank: [Double]

        /// The defaults, but for what is given.
        public init(
            critical: Double = 1, high: Double = 0.95, normal: Double = 0.85, low: Double = 0.7
        ) {
            var bound = 1.0
            byRank = [critical, high, normal, low].map { share in
                bound = min(max(0, share), bound)
                return bound
            }
        }

        /// The part of a priority.
        public func of(_ priority: RequestPriority) -> Double { byRank[priority.rank] }
    }

    /// The defaults, but for what is given.
    public init(
        limitMin: Int = 4,
        limitMax: Int = 4096,
        limitInitial: Int = 32,
        tolerance: Double = 2,
        smoothing: Double = 0.5,
        windowMin: Duration = .milliseconds(100),
        samplesMin: Int = 10,
        baselineWindows: Int = 100,
        probeInterval: Duration = .seconds(30),
        probeShare: Double = 1.0 / 3,
        probeSamplesMin: Int = 30,
        shares: PriorityShares = PriorityShares(),
        retryAfterMax: Duration = .seconds(30)
    ) {
        self.limitMin = min(max(1, limitMin), 1_000_000)
        self.limitMax = min(max(self.limitMin, limitMax), 1_000_000)
        self.limitInitial = min(max(self.limitMin, limitInitial), self.limitMax)
        self.tolerance = min(max(1, tolerance), 100)
        self.smoothing = min(max(0.01, smoothing), 1)
        self.windowMin = min(max(.milliseconds(1), windowMin), .seconds(3600))
        self.samplesMin = max(1, samplesMin)
        self.baselineWindows = max(1, baselineWindows)
        self.probeInterval = min(max(.zero, probeInterval), .seconds(86_400))
        self.probeShare = min(max(0.01, probeShare), 1)
        self.probeSamplesMin = max(1, probeSamplesMin)
        self.shares = shares
        self.retryAfterMax = min(max(.milliseconds(1), retryAfterMax), .seconds(86_400))
    }
}
