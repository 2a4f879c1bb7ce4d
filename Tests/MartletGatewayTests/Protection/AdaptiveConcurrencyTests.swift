import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Adaptive concurrency")
struct AdaptiveConcurrencyTests {
    /// A limit that stands still: nothing is ever learned.
    private func fixed(_ limit: Int) -> AdaptiveConcurrency {
        AdaptiveConcurrency(
            configuration: AdaptiveConcurrencyConfiguration(
                limitMin: limit, limitMax: limit, limitInitial: limit))
    }

    /// Runs windows in which so many requests are in flight at once and each takes so long.
    private func run(
        _ concurrency: inout AdaptiveConcurrency, windows: Int, inFlight: Int, latency: Duration,
        now: inout Duration
    ) {
        for _ in 0..<windows {
            for _ in 0..<3 {
                var admitted = 0
                for _ in 0..<inFlight
                where concurrency.admit(.critical, now: now) == .admitted { admitted += 1 }
                now += latency
                for _ in 0..<admitted { concurrency.release(latency: latency, now: now) }
            }
        }
    }

    // MARK: Priorities

    @Test func admit_upToTheLimit_thenRefuses() {
        var concurrency = fixed(10)
        for _ in 0..<10 { #expect(concurrency.admit(.critical, now: .zero) == .admitted) }
        #expect(concurrency.admit(.critical, now: .zero) != .admitted)
        #expect(concurrency.inFlight == 10)
        concurrency.release(latency: nil, now: .zero)
        #expect(concurrency.admit(.critical, now: .zero) == .admitted)
    }

    @Test func priorities_areRefusedTheLowestFirst() {
        var concurrency = fixed(100)
        var refusedAt: [RequestPriority: Int] = [:]
        for inFlight in 0..<100 {
            for priority in [RequestPriority.low, .normal, .high] {
                var copy = concurrency
                if copy.admit(priority, now: .zero) != .admitted, refusedAt[priority] == nil {
                    refusedAt[priority] = inFlight
                }
            }
            #expect(concurrency.admit(.critical, now: .zero) == .admitted)
        }
        #expect(refusedAt == [.low: 70, .normal: 85, .high: 95])
    }

    @Test func everyPriority_isAdmittedToAnIdleEndpoint() {
        for priority in RequestPriority.allCases {
            var concurrency = fixed(1)
            #expect(concurrency.admit(priority, now: .zero) == .admitted)
        }
    }

    @Test func priorities_sortByImportance() {
        #expect(
            RequestPriority.allCases.reversed().sorted() == [.critical, .high, .normal, .low])
    }

    // MARK: When to try again

    @Test func refusal_asksToWaitAsLongAsThoseAheadTake() throws {
        var concurrency = fixed(10)
        var now = Duration.zero
        run(&concurrency, windows: 4, inFlight: 10, latency: .milliseconds(200), now: &now)
        for _ in 0..<10 { _ = concurrency.admit(.critical, now: now) }
        // One ahead of ten that 200 ms bring: the request itself. Then those refused before it.
        var waits: [Double] = []
        for _ in 0..<3 {
            guard case .refused(let wait) = concurrency.admit(.critical, now: now) else { return }
            waits.append((wait.seconds * 1000).rounded())
        }
        #expect(waits == [20, 40, 60])
    }

    @Test func refusal_ofALowerPriority_asksToWaitLonger() {
        var concurrency = fixed(100)
        for _ in 0..<100 { _ = concurrency.admit(.critical, now: .zero) }
        var waits: [Duration] = []
        for priority in RequestPriority.allCases {
            var copy = concurrency
            guard case .refused(let wait) = copy.admit(priority, now: .zero) else { return }
            waits.append(wait)
        }
        #expect(waits.count == 4 && waits == waits.sorted() && Set(waits).count == 4)
    }

    @Test func refusal_neverAsksToWaitLongerThanTheLongest() {
        var concurrency = fixed(4)
        for _ in 0..<4 { _ = concurrency.admit(.critical, now: .zero) }
        var longest = Duration.zero
        for _ in 0..<100_000 {
            guard case .refused(let wait) = concurrency.admit(.low, now: .zero) else { return }
            longest = max(longest, wait)
        }
        #expect(longest == .seconds(30))
    }

    // MARK: The limit

    @Test func limit_underLightUse_staysAsItIs() {
        var concurrency = AdaptiveConcurrency()
        var now = Duration.zero
        run(&concurrency, windows: 100, inFlight: 16, latency: .milliseconds(50), now: &now)
        #expect(concurrency.limit == 32)
    }

    @Test func limit_underUseThatDoesNotSlowAnything_grows() {
        var concurrency = AdaptiveConcurrency()
        var now = Duration.zero
        run(&concurrency, windows: 5, inFlight: 10, latency: .milliseconds(50), now: &now)
        run(&concurrency, windows: 20, inFlight: 60, latency: .milliseconds(60), now: &now)
        #expect(concurrency.limit > 32)
        // Beyond twice what is asked for it would mean nothing.
        run(&concurrency, windows: 500, inFlight: 60, latency: .milliseconds(60), now: &now)
        #expect((120...140).contains(concurrency.limit))
    }

    @Test func limit_onceAnswersTakeTooLong_shrinks() {
        var concurrency = AdaptiveConcurrency()
        var now = Duration.zero
        run(&concurrency, windows: 5, inFlight: 10, latency: .milliseconds(50), now: &now)
        run(&concurrency, windows: 20, inFlight: 200, latency: .milliseconds(500), now: &now)
        #expect(concurrency.limit < 20)
    }

    @Test func limit_neverLeavesItsBounds() {
        let configuration = AdaptiveConcurrencyConfiguration(limitMin: 10, limitMax: 90)
        var concurrency = AdaptiveConcurrency(configuration: configuration)
        var now = Duration.zero
        run(&concurrency, windows: 5, inFlight: 10, latency: .milliseconds(50), now: &now)
        run(&concurrency, windows: 30, inFlight: 200, latency: .seconds(1), now: &now)
        #expect(concurrency.limit == 10)
        run(&concurrency, windows: 300, inFlight: 200, latency: .milliseconds(20), now: &now)
        #expect(concurrency.limit == 90)
    }

    @Test func requestsThatTellNothing_doNotMoveTheLimit() {
        var concurrency = AdaptiveConcurrency()
        var now = Duration.zero
        run(&concurrency, windows: 5, inFlight: 10, latency: .milliseconds(50), now: &now)
        for _ in 0..<10_000 {
            _ = concurrency.admit(.critical, now: now)
            now += .milliseconds(1)
            concurrency.release(latency: nil, now: now)
        }
        #expect(concurrency.limit == 32)
    }

    @Test func odd_figures_doNoHarm() {
        var concurrency = AdaptiveConcurrency()
        for latency: Duration in [.zero, .seconds(-3), .seconds(1 << 40), .nanoseconds(1)] {
            for _ in 0..<50 {
                _ = concurrency.admit(.critical, now: .zero)
                concurrency.release(latency: latency, now: .seconds(1 << 41))
                concurrency.release(latency: latency, now: .seconds(-5))
            }
        }
        #expect(concurrency.inFlight == 0)
        #expect((4...4096).contains(concurrency.limit))
    }

    @Test func configuration_outOfRange_isBroughtIntoIt() {
        let configuration = AdaptiveConcurrencyConfiguration(
            limitMin: 0, limitMax: -1, limitInitial: .max, tolerance: .nan, smoothing: .infinity,
            windowMin: .zero, samplesMin: -1, baselineWindows: 0, probeInterval: .seconds(-1),
            probeShare: 0, probeSamplesMin: 0,
            shares: .init(critical: 0.5, high: 0.9, normal: .nan, low: 0.4),
            retryAfterMax: .zero)
        #expect(configuration.limitMin == 1 && configuration.limitMax == 1)
        #expect(configuration.limitInitial == 1)
        #expect(configuration.tolerance == 1 && configuration.smoothing == 1)
        #expect(configuration.windowMin == .milliseconds(1))
        #expect(configuration.probeSamplesMin == 1)
        #expect(configuration.samplesMin == 1 && configuration.baselineWindows == 1)
        #expect(configuration.probeInterval == .zero && configuration.probeShare == 0.01)
        #expect(configuration.retryAfterMax == .milliseconds(1))
        // None above that of a higher priority.
        #expect(RequestPriority.allCases.map { configuration.shares.of($0) } == [0.5, 0.5, 0, 0])
    }

    @Test func randomEvents_neverBreakAPromise() {
        for seed in SimulationSeeds.first(1000) {
            var generator = SeededGenerator(seed: seed)
            var concurrency = AdaptiveConcurrency(
                configuration: AdaptiveConcurrencyConfiguration(
                    limitMax: 60, probeInterval: .seconds(1)))
            var now = Duration.zero
            var inFlight: [Duration] = []
            var isKept = true
            for _ in 0..<300 {
                now += .milliseconds(Int.random(in: 0...20, using: &generator))
                if Int.random(in: 0..<5, using: &generator) < 3 {
                    let number = Int.random(in: 0..<4, using: &generator)
                    let priority = RequestPriority.allCases[number]
                    let mayEnter = inFlight.count < concurrency.limit(of: priority)
                    let admission = concurrency.admit(priority, now: now)
                    isKept = isKept && (admission == .admitted) == mayEnter
                    if admission == .admitted { inFlight.append(now) }
                } else if let index = inFlight.indices.randomElement(using: &generator) {
                    let begun = inFlight.remove(at: index)
                    let isKnown = Bool.random(using: &generator)
                    concurrency.release(latency: isKnown ? now - begun : nil, now: now)
                }
                let limits = RequestPriority.allCases.map { concurrency.limit(of: $0) }
                isKept = isKept && concurrency.inFlight == inFlight.count
                isKept = isKept && (4...60).contains(concurrency.limit)
                isKept = isKept && limits == limits.sorted(by: >)
            }
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }
}
