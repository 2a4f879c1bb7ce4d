import Foundation
import MartletTestKit

@testable import MartletGateway

/// A node as a simulation runs it: some workers, a bounded queue before them, and times of service
/// of a log-normal distribution.
struct SimulatedNode {
    /// What tells one node from another.
    struct Traits: Sendable {
        /// Seconds of a request, on average.
        var seconds = 0.020
        /// The standard deviation of the logarithm of the seconds.
        var spread = 0.5
        /// Requests that run at once.
        var workers = 4
        /// Requests that wait; one more is refused.
        var queueMax = 64
        /// Whether it answers every request with an error, at once.
        var failsFast = false
        /// When it stands still, in seconds from the start.
        var frozen: Range<Double>?
    }

    /// Seconds that it takes to say no.
    static let refusalSeconds = 0.001

    let traits: Traits
    private var running = 0
    private var waiting: [Int] = []
    private var waitingHead = 0
    // Since the last report.
    private var busySeconds = 0.0
    private var lastChange = 0.0
    private var lastReport = 0.0
    private var ended = 0
    private var failed = 0
    private var latency = LatencyByLoad()

    init(_ traits: Traits) {
        self.traits = traits
    }

    /// Requests that run or wait.
    var inFlight: Int { running + waiting.count - waitingHead }

    /// What it would tell a probe of its latency.
    func latency(now: Double) -> Duration {
        .seconds(
            latency.seconds(
                inFlight: Double(inFlight), now: .seconds(now), decayTime: .seconds(10)))
    }

    /// What becomes of a request that has just come, or whose turn it is.
    enum Fate: Equatable {
        case runs(until: Double)
        case waits
        case refused(at: Double)
    }

    mutating func arrive(_ request: Int, now: Double, random: inout SeededGenerator) -> Fate {
        if traits.failsFast || waiting.count - waitingHead >= traits.queueMax {
            return .refused(at: thawed(now) + Self.refusalSeconds)
        }
        latency.didBegin(inFlight: Double(inFlight), now: .seconds(now))
        if running < traits.workers { return .runs(until: start(now: now, random: &random)) }
        waiting.append(request)
        return .waits
    }

    /// A request was refused.
    mutating func didRefuse() {
        ended += 1
        failed += 1
    }

    /// A request has run; answers with the one that runs now in its place, and until when.
    mutating func didRun(
        seconds: Double, now: Double, random: inout SeededGenerator
    ) -> (request: Int, until: Double)? {
        ended += 1
        latency.didEnd(
            BalancedAttempt(latency: .seconds(seconds), hasFailed: false), now: .seconds(now),
            decayTime: .seconds(10))
        count(now: now)
        running -= 1
        guard waitingHead < waiting.count else { return nil }
        let request = waiting[waitingHead]
        waitingHead += 1
        if waitingHead == waiting.count {
            waiting = []
            waitingHead = 0
        }
        return (request, start(now: now, random: &random))
    }

    /// What it says of its load since the last report; nil while it stands still.
    mutating func report(now: Double) -> LoadSample? {
        guard thawed(now) == now, now > lastReport else { return nil }
        count(now: now)
        let seconds = now - lastReport
        let busy = busySeconds / seconds / Double(traits.workers)
        let sample = LoadSample(
            rps: Double(ended) / seconds, eps: Double(failed) / seconds,
            utilization: max(busy, 0.01))
        (ended, failed, busySeconds, lastReport) = (0, 0, 0, now)
        return sample
    }

    // MARK: Time

    private mutating func start(now: Double, random: inout SeededGenerator) -> Double {
        count(now: now)
        running += 1
        let mean = log(traits.seconds) - traits.spread * traits.spread / 2
        let begin = thawed(now)
        let end = begin + exp(mean + traits.spread * random.normal())
        guard let frozen = traits.frozen, begin < frozen.lowerBound, end > frozen.lowerBound
        else { return end }
        return end + frozen.upperBound - frozen.lowerBound
    }

    /// The time from which on something that is due now can happen.
    private func thawed(_ now: Double) -> Double {
        guard let frozen = traits.frozen, frozen.contains(now) else { return now }
        return frozen.upperBound
    }

    private mutating func count(now: Double) {
        busySeconds += Double(running) * (now - lastChange)
        lastChange = now
    }
}

extension SeededGenerator {
    /// A number from 0 up to but not including 1.
    mutating func unit() -> Double { Double.random(in: 0..<1, using: &self) }

    /// A number of the standard normal distribution.
    mutating func normal() -> Double {
        (-2 * log(1 - unit())).squareRoot() * cos(2 * Double.pi * unit())
    }

    /// The time to the next of events that come at random at a rate.
    mutating func interval(rate: Double) -> Double { -log(1 - unit()) / rate }
}
