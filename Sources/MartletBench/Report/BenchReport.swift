import Foundation
import MartletCore

/// What came of a load, as `--json` writes it.
///
/// Times are in milliseconds where a name ends so, else in seconds.
public struct BenchReport: Sendable, Codable, Equatable {
    /// The version of the program that made the load.
    public var martletVersion = MartletCore.martletVersion

    /// When it began, in seconds since 1970.
    public var startedAt: Double

    /// What was asked for.
    public var settings: Settings

    /// The target, or both that are compared.
    public var targets: [TargetReport]

    /// How the second target compares with the first.
    public var comparison: ComparisonReport?

    /// What the search for saturation found.
    public var saturation: SaturationReport?

    /// What a reader has to know before trusting the figures.
    public var warnings: [String] = []

    /// Creates a report.
    public init(startedAt: Double, settings: Settings, targets: [TargetReport]) {
        self.startedAt = startedAt
        self.settings = settings
        self.targets = targets
    }

    /// What was asked for.
    public struct Settings: Sendable, Codable, Equatable {
        /// `closed`, `constant`, `poisson` or `trace`.
        public var loop: String

        /// Requests in flight, of a closed loop.
        public var concurrency: Int?

        /// Requests a second that were due, of an open loop.
        public var rate: Double?

        /// Connections to each target.
        public var connections: Int

        /// Threads that sent.
        public var threads: Int

        /// How long requests were counted.
        public var durationSeconds: Double

        /// What the 99th percentile was to keep to.
        public var sloP99Ms: Double?

        /// Where latency is taken from: `intended start` or `send`.
        public var latencyFrom: String

        /// Creates settings.
        public init(
            _ arrivals: Arrivals, connections: Int, threads: Int, durationSeconds: Double
        ) {
            switch arrivals {
            case .closed(let concurrency):
                loop = "closed"
                self.concurrency = concurrency
            case .constant: loop = "constant"
            case .poisson: loop = "poisson"
            case .trace: loop = "trace"
            }
            rate = arrivals.rate
            latencyFrom = arrivals.isOpen ? "intended start" : "send"
            self.connections = connections
            self.threads = threads
            self.durationSeconds = durationSeconds
        }
    }

    /// The report as JSON.
    public func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
    }
}

/// What came from one target.
public struct TargetReport: Sendable, Codable, Equatable {
    /// The target as it was named.
    public var name: String

    /// How it was asked.
    public var api: String

    /// What was asked.
    public var model: String

    /// What each request held.
    public var request: String

    /// Requests that began while they were counted.
    public var requests: Int

    /// Those that were answered well.
    public var ok: Int

    /// Those that were not, by kind.
    public var errors: [ErrorReport]

    /// Good answers a second.
    public var rate: Double

    /// Bytes of content sent and received a second.
    public var sentBytesPerSecond: Double

    /// Bytes of content received a second.
    public var receivedBytesPerSecond: Double

    /// Latencies of good answers.
    public var latencyMs: LatencyReport

    /// The same as a curve.
    public var percentiles: [PercentileReport]

    /// Latencies of answers that were refusals; nil where there were none.
    public var refusalLatencyMs: LatencyReport?

    /// Streamed answers; nil of others.
    public var stream: StreamReport?

    /// How busy this program was itself.
    public var client: ClientReport

    /// What came when.
    public var series: [PointReport]
}

/// Failures of one kind.
public struct ErrorReport: Sendable, Codable, Equatable {
    /// The kind.
    public var code: String
    /// How many.
    public var count: Int
    /// What one of them said.
    public var sample: String
}

/// A distribution, in milliseconds.
public struct LatencyReport: Sendable, Codable, Equatable {
    /// The least.
    public var min: Double
    /// The average.
    public var mean: Double
    /// The median.
    public var p50: Double
    /// The 90th percentile.
    public var p90: Double
    /// The 95th percentile.
    public var p95: Double
    /// The 99th percentile.
    public var p99: Double
    /// The 99.9th percentile.
    public var p999: Double
    /// The most.
    public var max: Double

    init(_ histogram: LatencyHistogram) {
        func milliseconds(_ quantile: Double) -> Double {
            histogram.value(at: quantile).milliseconds
        }
        min = histogram.min.milliseconds
        mean = histogram.mean / 1e6
        p50 = milliseconds(0.5)
        p90 = milliseconds(0.9)
        p95 = milliseconds(0.95)
        p99 = milliseconds(0.99)
        p999 = milliseconds(0.999)
        max = histogram.max.milliseconds
    }
}

/// A point of the curve of percentiles.
public struct PercentileReport: Sendable, Codable, Equatable {
    /// The share of answers, in percent.
    public var percent: Double
    /// What they did not exceed.
    public var ms: Double
}

/// Times of streamed answers.
public struct StreamReport: Sendable, Codable, Equatable {
    /// Until the first token came.
    public var firstTokenMs: LatencyReport
    /// Between tokens.
    public var betweenTokensMs: LatencyReport
    /// Tokens a second of all streams, or rather the events that carry them.
    public var tokensPerSecond: Double
}

/// How busy the load generator was itself.
public struct ClientReport: Sendable, Codable, Equatable {
    /// Processor time of its sending threads.
    public var processorSeconds: Double
    /// The share of a core that the busiest of them used.
    public var busiestThread: Double
    /// How late requests were begun, 99th percentile; nil in a closed loop.
    public var lagP99Ms: Double?
    /// Requests that waited until a connection was free.
    public var waitedForConnection: Int
}

/// What came in one interval.
public struct PointReport: Sendable, Codable, Equatable {
    /// Its end, in seconds from the start of counting.
    public var at: Double
    /// Good answers a second.
    public var rate: Double
    /// Failures a second.
    public var errors: Double
    /// The median.
    public var p50Ms: Double
    /// The 99th percentile.
    public var p99Ms: Double
    /// The most.
    public var maxMs: Double
}

/// How many times a figure of the second target is that of the first.
public struct ComparisonReport: Sendable, Codable, Equatable {
    /// Turns that each target had.
    public var rounds: Int
    /// Good answers a second.
    public var rate: Estimate?
    /// The average latency.
    public var mean: Estimate?
    /// The median.
    public var p50: Estimate?
    /// The 99th percentile.
    public var p99: Estimate?
}

/// The search for the highest rate that keeps to an objective.
public struct SaturationReport: Sendable, Codable, Equatable {
    /// One rate that was tried.
    public struct Trial: Sendable, Codable, Equatable {
        /// Requests a second that were due.
        public var offered: Double
        /// Good answers a second.
        public var answered: Double
        /// The 99th percentile.
        public var p99Ms: Double
        /// The share of requests that failed.
        public var errorShare: Double
        /// Whether it kept to the objective.
        public var isKept: Bool
    }

    /// The highest rate that kept to it; nil if none did.
    public var rate: Double?

    /// What the 99th percentile had to keep to.
    public var sloP99Ms: Double

    /// All trials in their order.
    public var trials: [Trial]
}

extension UInt64 {
    /// Nanoseconds in milliseconds.
    var milliseconds: Double { Double(self) / 1e6 }
}
