/// When requests are due.
public enum Arrivals: Sendable, Equatable {
    /// A new request as soon as an answer has come, so many in flight.
    case closed(concurrency: Int)
    /// So many a second at equal distances, whether answers have come or not.
    case constant(rate: Double)
    /// So many a second on average, each independent of the others, as from many clients.
    case poisson(rate: Double, seed: UInt64)
    /// At recorded times, in nanoseconds from the start, in order.
    case trace([UInt64])

    /// Requests a second that are asked for; `nil` where the server sets the pace.
    public var rate: Double? {
        switch self {
        case .closed: nil
        case .constant(let rate), .poisson(let rate, _): rate
        case .trace(let times):
            (times.last).flatMap { $0 == 0 ? nil : Double(times.count) / (Double($0) / 1e9) }
        }
    }

    /// Whether requests are due at times, and not when answers come.
    public var isOpen: Bool {
        if case .closed = self { false } else { true }
    }
}

/// The times at which one of several threads begins requests; it draws them, it does not keep time.
public struct ArrivalSchedule: Sendable {
    private enum Kind: Sendable {
        case never
        case constant(interval: Double, phase: Double)
        case poisson(mean: Double, random: SplitMix)
        case trace([UInt64], step: Int)
    }

    private var kind: Kind
    private var drawn = 0
    private var time: Double = 0

    /// Creates the part of a schedule that falls to one thread.
    ///
    /// - Parameters:
    ///   - arrivals: the whole schedule.
    ///   - index: which thread.
    ///   - count: of how many.
    public init(_ arrivals: Arrivals, index: Int = 0, of count: Int = 1) {
        switch arrivals {
        case .closed: kind = .never
        case .constant(let rate):
            // Threads take turns, so that the whole is even again.
            kind = .constant(
                interval: Double(count) / rate * 1e9, phase: Double(index) / rate * 1e9)
        case .poisson(let rate, let seed):
            // Independent streams of events add up to one of the sum of their rates.
            kind = .poisson(
                mean: Double(count) / rate * 1e9,
                random: SplitMix(seed: seed &+ UInt64(index) &* 0x9e37_79b9))
        case .trace(let times):
            kind = .trace(times, step: count)
            drawn = index
        }
    }

    /// When the next request is due, in nanoseconds from the start; `nil` behind the last.
    public mutating func next() -> UInt64? {
        switch kind {
        case .never: return nil
        case .constant(let interval, let phase):
            defer { drawn += 1 }
            return ArrivalSchedule.whole(phase + Double(drawn) * interval)
        case .poisson(let mean, var random):
            time -= mean * random.logarithm()
            kind = .poisson(mean: mean, random: random)
            return ArrivalSchedule.whole(time)
        case .trace(let times, let step):
            guard drawn < times.count else { return nil }
            defer { drawn += step }
            return times[drawn]
        }
    }

    private static func whole(_ time: Double) -> UInt64? {
        time < 9e18 ? UInt64(time) : nil
    }
}

/// A generator of random numbers that is the same on every machine (SplitMix64).
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Starts a sequence.
    public init(seed: UInt64) {
        state = seed
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to but not including 1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}
