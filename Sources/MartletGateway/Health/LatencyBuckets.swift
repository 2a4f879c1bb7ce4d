/// Counts latencies in a fixed number of buckets, so that a percentile is known to within a
/// sixteenth of its value without keeping the latencies.
///
/// Buckets are as wide as a sixteenth of the power of two they lie in, from microseconds to 19
/// hours; what is longer counts as that. Source: the bucket layout of HdrHistogram (G. Tene).
struct LatencyBuckets: Sendable, Equatable {
    /// Latencies counted.
    private(set) var count = 0
    private var counts = [UInt32](repeating: 0, count: Self.bucketsCount)

    /// Each power of two has 2^4 buckets.
    private static let bucketBits = 4
    private static let longestMicroseconds: UInt64 = (1 << 36) - 1
    private static let bucketsCount = bucket(of: longestMicroseconds) + 1

    /// Counts a latency; a negative one as none.
    mutating func record(_ latency: Duration) {
        let bucket = Self.bucket(of: Self.microseconds(latency))
        guard counts[bucket] < .max else { return }
        counts[bucket] += 1
        count += 1
    }

    /// Adds what another has counted.
    mutating func merge(_ other: LatencyBuckets) {
        for bucket in counts.indices {
            let (sum, overflow) = counts[bucket].addingReportingOverflow(other.counts[bucket])
            count += Int((overflow ? .max : sum) - counts[bucket])
            counts[bucket] = overflow ? .max : sum
        }
    }

    /// Forgets all.
    mutating func reset() {
        guard count > 0 else { return }
        count = 0
        for bucket in counts.indices { counts[bucket] = 0 }
    }

    /// The latency that a share of those counted did not go beyond; nil when there is none.
    ///
    /// `share` is from 0, for the shortest, to 1, for the longest. Within a bucket latencies are
    /// taken to be spread evenly.
    func quantile(_ share: Double) -> Duration? {
        guard count > 0 else { return nil }
        let rank = min(max(1, (Double(count) * min(max(0, share), 1)).rounded(.up)), Double(count))
        var below = 0.0
        for (bucket, number) in counts.enumerated() where number > 0 {
            if below + Double(number) >= rank {
                let place = (rank - below - 0.5) / Double(number)
                let microseconds = Self.start(of: bucket) + Self.width(of: bucket) * place
                return .seconds(microseconds / 1e6)
            }
            below += Double(number)
        }
        return nil
    }

    private static func microseconds(_ latency: Duration) -> UInt64 {
        let (seconds, attoseconds) = latency.components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < Int64(longestMicroseconds) / 1_000_000 else { return longestMicroseconds }
        return UInt64(seconds) * 1_000_000 + UInt64(attoseconds) / 1_000_000_000_000
    }

    private static func bucket(of microseconds: UInt64) -> Int {
        guard microseconds >= 1 << bucketBits else { return Int(microseconds) }
        let power = 63 - microseconds.leadingZeroBitCount
        let place = (microseconds >> UInt64(power - bucketBits)) & ((1 << bucketBits) - 1)
        return (power - bucketBits + 1) << bucketBits + Int(place)
    }

    private static func start(of bucket: Int) -> Double {
        guard bucket >= 1 << bucketBits else { return Double(bucket) }
        let place = bucket & ((1 << bucketBits) - 1)
        return Double((1 << bucketBits) + place) * width(of: bucket)
    }

    private static func width(of bucket: Int) -> Double {
        guard bucket >= 1 << bucketBits else { return 1 }
        return Double(1 << (bucket >> bucketBits - 1))
    }
}
