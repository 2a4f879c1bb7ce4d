internal import Foundation

/// How long requests take a node that has so many of them: the latency of its load report.
///
/// For each level of load it keeps the latest answers to requests that found it so loaded, and
/// tells their median, which a few slow or quick ones hardly move. What is told falls towards 0
/// while nothing is answered, so that a node which was slow gets another request in the end.
///
/// Source: the server's side of Prequal (Wydrowski, Kleinberg, Rumble and Archer, "Load is not
/// what you should balance", NSDI 2024): probes are answered with the requests in flight and with
/// the median latency of recent requests that found about as many.
///
/// It holds no clock.
public struct LatencyMeter: Sendable {
    /// The latest answers at one level of load, the next one's place coming after the last.
    private struct Level: Sendable {
        var latest: [Double] = []
        private var next = 0

        mutating func add(_ seconds: Double) {
            if latest.count < LatencyMeter.answersMax {
                latest.append(seconds)
            } else {
                latest[next] = seconds
                next = (next + 1) % LatencyMeter.answersMax
            }
        }
    }

    /// Answers kept of a level, and those that make an estimate where there are so many.
    private static let answersMax = 32
    private static let answersMin = 8
    /// The time after which an estimate counts for 1/e.
    private static let decaySeconds = 10.0

    /// 0, 1, 2 to 3, 4 to 7 requests in flight and so on, the last without an end.
    private var levels = [Level](repeating: Level(), count: 16)
    private var lastAnswer: UInt64 = 0

    /// A meter that has seen nothing.
    public init() {}

    /// A request was answered.
    ///
    /// - Parameters:
    ///   - seconds: how long it took.
    ///   - inFlight: others that were there.
    ///   - instantNanoseconds: when, on a monotonic clock.
    public mutating func record(seconds: Double, inFlight: Int, instantNanoseconds: UInt64) {
        guard seconds.isFinite, seconds >= 0 else { return }
        levels[level(of: inFlight)].add(seconds)
        lastAnswer = max(lastAnswer, instantNanoseconds)
    }

    /// The latency in seconds of a request that finds so many others; `nil` before the first
    /// answer.
    ///
    /// Where few requests have found so many, the nearest levels count, too.
    public func seconds(inFlight: Int, instantNanoseconds: UInt64) -> Double? {
        let level = level(of: inFlight)
        var answers = levels[level].latest
        for distance in 1..<levels.count where answers.count < Self.answersMin {
            for near in [level - distance, level + distance] where levels.indices.contains(near) {
                answers += levels[near].latest
            }
        }
        guard !answers.isEmpty else { return nil }
        let median = answers.sorted()[answers.count / 2]
        let age = instantNanoseconds > lastAnswer ? instantNanoseconds - lastAnswer : 0
        return median * exp(-Double(age) / (Self.decaySeconds * 1e9))
    }

    private func level(of inFlight: Int) -> Int {
        let whole = min(max(inFlight, 0), 65_535)
        return min(Int.bitWidth - whole.leadingZeroBitCount, levels.count - 1)
    }
}
