import Testing

@testable import MartletGateway

@Suite("Prequal: latency by load")
struct LatencyByLoadTests {
    private let decay = Duration.seconds(10)

    /// Attempts that all find so many in flight.
    private func observe(
        _ seconds: [Double], inFlight: Double, in latency: inout LatencyByLoad
    ) {
        for value in seconds {
            latency.didBegin(inFlight: inFlight, now: .seconds(10) - .seconds(value))
            latency.didEnd(
                BalancedAttempt(latency: .seconds(value), hasFailed: false), now: .seconds(10),
                decayTime: decay)
        }
    }

    private func seconds(_ latency: LatencyByLoad, inFlight: Double, now: Int = 10) -> Double {
        latency.seconds(inFlight: inFlight, now: .seconds(now), decayTime: decay)
    }

    @Test func latency_beforeTheFirstAnswer_isNothing() {
        #expect(seconds(LatencyByLoad(), inFlight: 3) == 0)
    }

    @Test func latency_isTheMedianOfTheLatestAtThatLoad() {
        var latency = LatencyByLoad()
        observe([0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 5, 5], inFlight: 0, in: &latency)
        observe([0.9, 0.9, 1, 1, 1, 1.1, 1.1, 7], inFlight: 6, in: &latency)
        #expect(abs(seconds(latency, inFlight: 0) - 0.2) < 1e-9)
        #expect(abs(seconds(latency, inFlight: 7) - 1) < 1e-9)
        // Only the latest 32 count.
        observe([Double](repeating: 3, count: 32), inFlight: 0, in: &latency)
        observe([Double](repeating: 0.1, count: 17), inFlight: 0, in: &latency)
        #expect(abs(seconds(latency, inFlight: 0) - 0.1) < 1e-9)
    }

    @Test func latency_atALoadHardlySeen_isMadeOfTheNearestToo() {
        var latency = LatencyByLoad()
        observe([0.4], inFlight: 1, in: &latency)
        #expect(abs(seconds(latency, inFlight: 0) - 0.4) < 1e-9)
        observe([Double](repeating: 0.1, count: 9), inFlight: 3, in: &latency)
        observe([Double](repeating: 9, count: 9), inFlight: 50, in: &latency)
        // One of 0.4 s and nine of 0.1 s.
        #expect(abs(seconds(latency, inFlight: 1) - 0.13) < 1e-9)
        #expect(abs(seconds(latency, inFlight: 2) - 0.1) < 1e-9)
        #expect(abs(seconds(latency, inFlight: 1e12) - 9) < 1e-9)
    }

    @Test func attempts_thatEndOutOfOrder_countForTheLoadTheyFound() {
        var latency = LatencyByLoad()
        latency.didBegin(inFlight: 0, now: .seconds(1))
        latency.didBegin(inFlight: 8, now: .seconds(2))
        latency.didEnd(
            BalancedAttempt(latency: .seconds(1), hasFailed: false), now: .seconds(3),
            decayTime: decay)
        latency.didEnd(
            BalancedAttempt(latency: .seconds(9), hasFailed: false), now: .seconds(10),
            decayTime: decay)
        observe([Double](repeating: 1, count: 7), inFlight: 8, in: &latency)
        observe([Double](repeating: 9, count: 7), inFlight: 0, in: &latency)
        #expect(abs(seconds(latency, inFlight: 8) - 1) < 1e-9)
        #expect(abs(seconds(latency, inFlight: 0) - 9) < 1e-9)
    }

    @Test func attempts_givenUp_onlyLengthenWhatIsKnown() {
        var latency = LatencyByLoad()
        func giveUp(after seconds: Double) {
            latency.didBegin(inFlight: 0, now: .seconds(10) - .seconds(seconds))
            latency.didEnd(
                BalancedAttempt(latency: .seconds(seconds), hasFailed: false, wasAbandoned: true),
                now: .seconds(10), decayTime: decay)
        }
        giveUp(after: 1)
        #expect(seconds(latency, inFlight: 0) == 0)
        observe([0.5], inFlight: 0, in: &latency)
        giveUp(after: 0.1)
        #expect(seconds(latency, inFlight: 0) == 0.5)
        giveUp(after: 2)
        #expect(seconds(latency, inFlight: 0) == 2)
    }

    @Test func latency_withoutAnswers_fadesAndAFailureBringsItBack() {
        var latency = LatencyByLoad()
        observe([1], inFlight: 0, in: &latency)
        #expect(abs(seconds(latency, inFlight: 0, now: 20) - 0.3679) < 0.0001)
        latency.didBegin(inFlight: 0, now: .seconds(20))
        latency.didEnd(
            BalancedAttempt(latency: .zero, hasFailed: true), now: .seconds(20), decayTime: decay)
        #expect(seconds(latency, inFlight: 0, now: 20) == 1)
    }

    /// An endpoint that says no at once is not fast.
    @Test func attemptsThatAreDeclined_leaveWhatIsKnown() {
        var latency = LatencyByLoad()
        observe([1], inFlight: 0, in: &latency)
        for _ in 0..<40 {
            latency.didBegin(inFlight: 0, now: .seconds(20))
            latency.didEnd(
                BalancedAttempt(latency: .zero, hasFailed: false, wasDeclined: true),
                now: .seconds(20), decayTime: decay)
        }
        #expect(seconds(latency, inFlight: 0, now: 20) == 1)
    }
}
