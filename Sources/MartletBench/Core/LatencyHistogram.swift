/// How often which latency came, to three significant digits, from a nanosecond to hours.
///
/// Counters are linear within each power of two, as in the HDR histogram: recording is an addition,
/// and histograms of threads and intervals are added up without loss.
public struct LatencyHistogram: Sendable, Equatable {
    // 1,024 counters for each power of two: what is reported is off by less than 0.1 %.
    private static let precisionBits = 10
    private static let perOctave = 1 << precisionBits
    private static let valueMax = UInt64(1) << 43
    private static let size = index(of: valueMax) + 1

    private var counts: [UInt64]
    private var lowest = Int.max
    private var highest = -1

    /// How many were recorded.
    public private(set) var count: UInt64 = 0

    /// The sum of all recorded, in nanoseconds.
    public private(set) var sum: Double = 0

    /// The least recorded, exactly; 0 of nothing.
    public var min: UInt64 { count == 0 ? 0 : least }

    /// The most recorded, exactly; 0 of nothing.
    public private(set) var max: UInt64 = 0

    private var least = UInt64.max

    /// Creates an empty histogram.
    public init() {
        counts = Array(repeating: 0, count: LatencyHistogram.size)
    }

    /// Whether nothing was recorded.
    public var isEmpty: Bool { count == 0 }

    /// The average in nanoseconds; 0 of nothing.
    public var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// Counts a latency in nanoseconds; what takes more than two hours is counted as that.
    public mutating func record(_ nanoseconds: UInt64) {
        let value = Swift.min(nanoseconds, LatencyHistogram.valueMax)
        let index = LatencyHistogram.index(of: value)
        counts[index] += 1
        lowest = Swift.min(lowest, index)
        highest = Swift.max(highest, index)
        count += 1
        sum += Double(value)
        least = Swift.min(least, value)
        max = Swift.max(max, value)
    }

    /// Adds what another histogram has counted.
    public mutating func add(_ other: LatencyHistogram) {
        guard other.count > 0 else { return }
        for index in other.lowest...other.highest { counts[index] += other.counts[index] }
        lowest = Swift.min(lowest, other.lowest)
        highest = Swift.max(highest, other.highest)
        count += other.count
        sum += other.sum
        least = Swift.min(least, other.least)
        max = Swift.max(max, other.max)
    }

    /// Forgets everything, and keeps the memory.
    public mutating func removeAll() {
        guard count > 0 else { return }
        for index in lowest...highest { counts[index] = 0 }
        (lowest, highest, count, sum, least, max) = (Int.max, -1, 0, 0, UInt64.max, 0)
    }

    /// The latency that a share of all did not exceed.
    ///
    /// - Parameter quantile: the share, from 0 to 1.
    /// - Returns: nanoseconds; 0 of nothing.
    public func value(at quantile: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let bounded = Swift.min(Swift.max(quantile, 0), 1)
        let rank = Swift.max(1, UInt64((bounded * Double(count)).rounded(.up)))
        guard rank < count else { return max }
        var seen: UInt64 = 0
        for index in lowest...highest {
            seen += counts[index]
            guard seen >= rank else { continue }
            return Swift.min(Swift.max(LatencyHistogram.middle(of: index), least), max)
        }
        return max
    }

    /// Counters are exact up to 2,047 ns; above, each power of two has as many.
    private static func index(of value: UInt64) -> Int {
        let bits = UInt64.bitWidth - value.leadingZeroBitCount
        let shift = Swift.max(0, bits - precisionBits - 1)
        return shift * perOctave + Int(value >> UInt64(shift))
    }

    private static func middle(of index: Int) -> UInt64 {
        guard index >= 2 * perOctave else { return UInt64(index) }
        let shift = UInt64(index / perOctave - 1)
        let low = UInt64(index % perOctave + perOctave) << shift
        return low + (UInt64(1) << shift) / 2
    }
}
