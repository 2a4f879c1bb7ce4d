import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Clocks of HTTP/1.1 connections")
struct HTTP1ClockTests {
    private let start = NIODeadline.uptimeNanoseconds(1)

    private func makeClock() -> HTTP1Clock {
        var limits = Limits()
        limits.headerTimeout = .seconds(10)
        limits.bodyTimeout = .seconds(60)
        limits.idleTimeout = .seconds(300)
        return HTTP1Clock(limits, since: start)
    }

    private func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    @Test func firstHead_isDueFromTheBeginning() {
        var clock = makeClock()
        clock.update(.request, requestCount: 0, didRead: false, now: at(1))
        #expect(clock.end == at(10))
        clock.update(.head, requestCount: 0, didRead: true, now: at(9))
        #expect(clock.end == at(10))
    }

    @Test func laterHead_isDueFromItsFirstByte() {
        var clock = makeClock()
        clock.update(.answer, requestCount: 1, didRead: true, now: at(1))
        #expect(clock.end == nil)
        clock.update(.request, requestCount: 1, didRead: false, now: at(2))
        #expect(clock.end == at(302))
        clock.update(.head, requestCount: 1, didRead: true, now: at(100))
        clock.update(.head, requestCount: 1, didRead: true, now: at(105))
        #expect(clock.end == at(110))
        // Another one, whose beginning came with the end of the one before.
        clock.update(.head, requestCount: 2, didRead: true, now: at(107))
        #expect(clock.end == at(117))
    }

    @Test func content_isDueFromItsLastBytes() {
        var clock = makeClock()
        clock.update(.content, requestCount: 1, didRead: true, now: at(1))
        clock.update(.content, requestCount: 1, didRead: false, now: at(5))
        #expect(clock.end == at(61))
        clock.update(.content, requestCount: 1, didRead: true, now: at(50))
        #expect(clock.end == at(110))
    }

    @Test func clientThatTakesItsAnswer_hasMoreTimeWithAnyProgress() {
        var clock = makeClock()
        clock.update(.room, requestCount: 1, didRead: false, now: at(1))
        clock.update(unsentBytes: 1000, now: at(30))
        #expect(clock.end == at(90))
        clock.update(unsentBytes: 1000, now: at(90))
        #expect(clock.end == at(90))
        clock.update(unsentBytes: 999, now: at(90))
        #expect(clock.end == at(150))
    }

    @Test func idleConnectionThatIsToEnd_waitsAMoment() {
        var clock = makeClock()
        clock.update(.request, requestCount: 1, didRead: false, now: at(1))
        clock.startDraining(now: at(5))
        #expect(clock.end == at(5) + .milliseconds(250))
        clock.update(.head, requestCount: 1, didRead: true, now: at(5))
        #expect(clock.end == at(15))
    }
}
