/// Latencies counted in ranges, each at most a thirty-second part of its lower bound wide.
///
/// Source: the log-linear ranges of HdrHistogram (G. Tene).
struct LatencyHistogram: Sendable {
    /// Ranges for each doubling.
    private static let parts = 32
    /// Exponents of the finest and the coarsest doubling, in microseconds: 32 µs to 19 h.
    private static let exponents = 5...36

    private var counts = [Int](
        repeating: 0, count: (Self.exponents.count + 1) * Self.parts)

    /// How many there are.
    private(set) var total = 0

    /// Counts one; what is longer than the ranges reach is in the last.
    mutating func record(_ latency: Duration) {
        counts[Self.index(of: latency)] += 1
        total += 1
    }

    /// The upper end of the range in which so large a share of all latencies has come; nil if there
    /// are none.
    func quantile(_ share: Double) -> Duration? {
        guard total > 0 else { return nil }
        let wanted = max(1, Int((share * Double(total)).rounded(.up)))
        var seen = 0
        for (index, count) in counts.enumerated() {
            seen += count
            if seen >= wanted { return Self.upperEnd(of: index) }
        }
        return nil
    }

    /// How many were certainly longer.
    func count(above latency: Duration) -> Int {
        counts[(Self.index(of: latency) + 1)...].reduce(0, +)
    }

    /// The shortest upper end of a range that no more than a share of all latencies is above, with
    /// the confidence of a bound; nil if there are too few to tell.
    func upperBound(ofQuantile share: Double, _ bound: BinomialBound) -> Duration? {
        var above = total
        for (index, count) in counts.enumerated() {
            above -= count
            // Bounds of ranges in which nothing is were looked at before.
            guard count > 0, bound.upper(above, of: total) <= 1 - share else { continue }
            return Self.upperEnd(of: index)
        }
        return nil
    }

    private static func index(of latency: Duration) -> Int {
        let microseconds = latency / .microseconds(1)
        let limit = Double(UInt64(1) << UInt64(exponents.upperBound + 1)) - 1
        // NaN cannot come about: both durations are finite and one is not 0.
        let value = UInt64(min(max(microseconds, 0), limit))
        guard value >= parts else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let part = Int(value >> UInt64(exponent - exponents.lowerBound)) - parts
        return (exponent - exponents.lowerBound + 1) * parts + part
    }

    private static func upperEnd(of index: Int) -> Duration {
        let doubling = index / parts
        guard doubling > 0 else { return .microseconds(index + 1) }
        return .microseconds((index % parts + parts + 1) << (doubling - 1))
    }
}
