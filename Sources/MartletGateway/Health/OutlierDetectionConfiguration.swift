/// The knobs of ``OutlierDetection``.
///
/// Figures out of range are brought into it.
public struct OutlierDetectionConfiguration: Sendable, Equatable {
    /// Failures in a row that eject an endpoint, at least 1 (default 5); nil to look at none.
    public let consecutiveFailures: Int?
    /// How often endpoints are compared with each other (default 10 s).
    public let interval: Duration
    /// How long the first ejection lasts; a second in short order lasts twice as long, and so on
    /// (default 30 s).
    public let baseEjectionTime: Duration
    /// The longest ejection, at least the base time (default 300 s).
    public let ejectionTimeMax: Duration
    /// The part of the healthy endpoints that may be ejected at once (default 0.5).
    ///
    /// One may be ejected however few there are, but never the last. Envoy's default of a tenth is
    /// for larger clusters; half never goes below ``PanicThreshold``'s default.
    public let ejectedShareMax: Double
    /// How endpoints are compared by success rate; nil for not at all.
    public let successRate: SuccessRate?
    /// How endpoints are judged by their share of failures; nil for not at all.
    public let failureShare: FailureShare?
    /// How endpoints are compared by latency; nil for not at all.
    public let latency: Latency?
    /// Which ejections end as soon as an active check succeeds (default those of silent endpoints).
    public let endedByCheck: EndedByCheck

    /// Which ejections a successful active check ends before their time.
    public enum EndedByCheck: String, Sendable, Hashable, CaseIterable {
        /// None: a check is not a prediction, and each ejection lasts its time.
        case none
        /// Those of endpoints that did not answer, which the check disproves.
        case ofSilence = "of_silence"
        /// All, as Envoy's `successful_active_health_check_uneject_host` has it.
        case all
    }

    /// Finds endpoints whose success rate is too many standard deviations below the mean.
    public struct SuccessRate: Sendable, Equatable {
        /// Standard deviations below the mean that are allowed, 0 or more (default 1.9).
        public let deviations: Double
        /// How far below the mean a rate must be besides, from 0 to 1 (default 0.05).
        ///
        /// Without it, one failure in a thousand would be an outlier among endpoints without any.
        public let marginMin: Double
        /// Endpoints with enough requests that it takes to compare them, at least 2 (default 5).
        ///
        /// Among four or fewer no endpoint can be 1.9 deviations below the mean.
        public let endpointsMin: Int
        /// Requests in the interval that are enough, at least 1 (default 100).
        public let requestsMin: Int

        /// The defaults, but for what is given.
        public init(
            deviations: Double = 1.9, marginMin: Double = 0.05, endpointsMin: Int = 5,
            requestsMin: Int = 100
        ) {
            self.deviations = max(0, deviations)
            self.marginMin = min(max(0, marginMin), 1)
            self.endpointsMin = max(2, endpointsMin)
            self.requestsMin = max(1, requestsMin)
        }
    }

    /// Finds endpoints at which too large a part of the requests failed.
    public struct FailureShare: Sendable, Equatable {
        /// The part from which on it is too large, above 0 to 1 (default 0.85).
        public let threshold: Double
        /// Endpoints with enough requests that it takes, at least 1 (default 3; gRFC A50 has 5).
        public let endpointsMin: Int
        /// Requests in the interval that are enough, at least 1 (default 50).
        public let requestsMin: Int

        /// The defaults, but for what is given.
        public init(threshold: Double = 0.85, endpointsMin: Int = 3, requestsMin: Int = 50) {
            self.threshold = min(max(0.001, threshold), 1)
            self.endpointsMin = max(1, endpointsMin)
            self.requestsMin = max(1, requestsMin)
        }
    }

    /// Finds endpoints whose median latency is many times that of the others.
    public struct Latency: Sendable, Equatable {
        /// How many times the median of the others' medians is too many, above 1 (default 5).
        ///
        /// Endpoints of different hardware differ by less, and weights see to those.
        public let factor: Double
        /// How much longer it must be besides (default 10 ms).
        public let marginMin: Duration
        /// Endpoints with enough requests that it takes to compare them, at least 2 (default 3).
        public let endpointsMin: Int
        /// Answers in the interval that are enough, at least 1 (default 50).
        public let requestsMin: Int

        /// The defaults, but for what is given.
        public init(
            factor: Double = 5, marginMin: Duration = .milliseconds(10), endpointsMin: Int = 3,
            requestsMin: Int = 50
        ) {
            self.factor = min(max(1.01, factor), 1e6)
            self.marginMin = max(.zero, marginMin)
            self.endpointsMin = max(2, endpointsMin)
            self.requestsMin = max(1, requestsMin)
        }
    }

    /// The defaults, but for what is given.
    public init(
        consecutiveFailures: Int? = 5,
        interval: Duration = .seconds(10),
        baseEjectionTime: Duration = .seconds(30),
        ejectionTimeMax: Duration = .seconds(300),
        ejectedShareMax: Double = 0.5,
        successRate: SuccessRate? = SuccessRate(),
        failureShare: FailureShare? = FailureShare(),
        latency: Latency? = Latency(),
        endedByCheck: EndedByCheck = .ofSilence
    ) {
        self.consecutiveFailures = consecutiveFailures.map { max(1, $0) }
        self.interval = min(max(.milliseconds(1), interval), Self.longest)
        self.baseEjectionTime = min(max(.milliseconds(1), baseEjectionTime), Self.longest)
        self.ejectionTimeMax = min(max(self.baseEjectionTime, ejectionTimeMax), Self.longest)
        self.ejectedShareMax = min(max(0, ejectedShareMax), 1)
        self.successRate = successRate
        self.failureShare = failureShare
        self.latency = latency
        self.endedByCheck = endedByCheck
    }

    /// Beyond anything meant, and such that sums of times never overflow.
    private static let longest: Duration = .seconds(86_400 * 365)

    /// How long an endpoint's ejection lasts that is its `number`th, the first being 1.
    func ejectionTime(number: Int) -> Duration {
        // Beyond this many the longest has long been reached, or the base time is next to nothing.
        min(baseEjectionTime * min(max(1, number), 1_000_000), ejectionTimeMax)
    }

    /// How many of so many healthy endpoints may be ejected at once.
    func ejectionsMax(of endpoints: Int) -> Int {
        let share = Int(Double(endpoints) * ejectedShareMax)
        return max(0, min(max(1, share), endpoints - 1))
    }
}
