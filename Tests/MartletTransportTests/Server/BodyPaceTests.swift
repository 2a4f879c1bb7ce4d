import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Pace of request bodies")
struct BodyPaceTests {
    private let start = NIODeadline.uptimeNanoseconds(1)

    private func makePace(rate: Int = 240, connectionBytes: Int = 0) -> BodyPace {
        var limits = Limits()
        limits.bodyTimeout = .seconds(60)
        limits.bodyBytesPerSecondMin = rate
        limits.bodyGrace = .seconds(5)
        return BodyPace(limits, connectionBytes: connectionBytes, now: start)
    }

    private func at(_ seconds: Double) -> NIODeadline {
        start + .nanoseconds(Int64(seconds * 1e9))
    }

    /// When a client is given up that sends so much, so often; nil within an hour.
    private func end(_ bytes: Int, every seconds: Double, rate: Int = 240) -> Double? {
        var pace = makePace(rate: rate)
        var time = seconds
        while time < 3600 {
            if let end = pace.end, end <= at(time) {
                return Double((end - start).nanoseconds) / 1e9
            }
            pace.receive(bytes, now: at(time))
            time += seconds
        }
        return nil
    }

    @Test func end_whenNothingComes_isThatOfTheGrace() {
        #expect(makePace().end == at(5))
        #expect(makePace(rate: 0).end == at(60))
    }

    @Test(arguments: [(1, 0.9), (1, 4.9), (100, 1), (239, 1), (1000, 4.9)])
    func drip_isGivenUp(bytes: Int, seconds: Double) throws {
        let given = try #require(end(bytes, every: seconds))
        // The grace, and what the bytes have earned.
        #expect(given < 5 / (1 - Double(bytes) / 240 / seconds) + seconds)
    }

    @Test(arguments: [(240, 1.0), (480, 2), (1200, 4.5), (65536, 4.9), (24, 0.1)])
    func steadyBody_isNotGivenUp(bytes: Int, seconds: Double) {
        #expect(end(bytes, every: seconds) == nil)
    }

    @Test func withoutRate_anyByteInTimeIsEnough() {
        #expect(end(1, every: 59, rate: 0) == nil)
        #expect(end(1, every: 61, rate: 0) == 60)
    }

    @Test func manyBytes_earnNoMoreThanAPause() {
        var pace = makePace()
        pace.receive(1 << 40, now: at(1))
        #expect(pace.end == at(61))
        pace.receive(.max, now: at(2))
        #expect(pace.end == at(62))
        // Neither does it drip on from there.
        pace.receive(1, now: at(61))
        #expect(pace.end.map { $0 < at(62.1) } == true)
    }

    @Test func timeThatIsNotRead_isNotCounted() {
        var pace = makePace()
        pace.pause(now: at(3))
        #expect(pace.end == nil)
        pace.pause(now: at(50))
        pace.receive(240, now: at(60))
        #expect(pace.end == nil)
        pace.resume(now: at(1000))
        pace.resume(now: at(1001))
        #expect(pace.end == at(1003))
    }

    @Test func bodyThatWaitsForOthers_isNotSlowWhileEnoughComes() {
        var pace = makePace(connectionBytes: 1000)
        #expect(pace.isTooSlow(connectionBytes: 1000, bodies: 4, now: at(4)) == false)
        // Four bodies for five seconds.
        var busy = pace
        #expect(busy.isTooSlow(connectionBytes: 1000 + 4800, bodies: 4, now: at(5)) == false)
        #expect(busy.end == at(10))
        // What has come before counts no more.
        #expect(busy.isTooSlow(connectionBytes: 1000 + 4801, bodies: 4, now: at(10)) == true)
        #expect(pace.isTooSlow(connectionBytes: 1000 + 4799, bodies: 4, now: at(5)) == true)
        var alone = makePace()
        #expect(alone.isTooSlow(connectionBytes: 1 << 30, bodies: 1, now: at(5)) == true)
    }
}
