import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Clocks of HTTP/1.1 connections")
struct HTTP1ClockTests {
    private let start = NIODeadline.uptimeNanoseconds(1)

    private func makeClock(rate: Int = 0) -> HTTP1Clock {
        var limits = Limits()
        limits.headerTimeout = .seconds(10)
        limits.bodyTimeout = .seconds(60)
        limits.idleTimeout = .seconds(300)
        limits.bodyBytesPerSecondMin = rate
        limits.bodyGrace = .seconds(5)
        return HTTP1Clock(SharedLimits(limits), since: start)
    }

    private func at(_ seconds: Int64) -> NIODeadline { start + .seconds(seconds) }

    @Test func firstHead_isDueFromTheBeginning() {
        var clock = makeClock()
        clock.update(.request, requestCount: 0, readBytes: 0, now: at(1))
        #expect(clock.end == at(10))
        clock.update(.head, requestCount: 0, readBytes: 1, now: at(9))
        #expect(clock.end == at(10))
    }

    @Test func laterHead_isDueFromItsFirstByte() {
        var clock = makeClock()
        clock.update(.answer, requestCount: 1, readBytes: 1, now: at(1))
        #expect(clock.end == nil)
        clock.update(.request, requestCount: 1, readBytes: 0, now: at(2))
        #expect(clock.end == at(302))
        clock.update(.head, requestCount: 1, readBytes: 1, now: at(100))
        clock.update(.head, requestCount: 1, readBytes: 1, now: at(105))
        #expect(clock.end == at(110))
        // Another one, whose beginning came with the end of the one before.
        clock.update(.head, requestCount: 2, readBytes: 1, now: at(107))
        #expect(clock.end == at(117))
    }

    @Test func content_isDueFromItsLastBytes() {
        var clock = makeClock()
        clock.update(.content, requestCount: 1, readBytes: 1, now: at(1))
        clock.update(.content, requestCount: 1, readBytes: 0, now: at(5))
        #expect(clock.end == at(61))
        clock.update(.content, requestCount: 1, readBytes: 1, now: at(50))
        #expect(clock.end == at(110))
    }

    @Test func content_isDueByItsRate() {
        var clock = makeClock(rate: 100)
        clock.update(.content, requestCount: 1, readBytes: 9, now: at(1))
        #expect(clock.end == at(6))
        clock.update(.content, requestCount: 1, readBytes: 200, now: at(2))
        #expect(clock.end == at(8))
        // What is not read is not slow, and goes on where it was.
        clock.update(.answer, requestCount: 1, readBytes: 0, now: at(4))
        #expect(clock.end == nil)
        clock.update(.content, requestCount: 1, readBytes: 0, now: at(100))
        #expect(clock.end == at(104))
        clock.update(.content, requestCount: 2, readBytes: 0, now: at(103))
        #expect(clock.end == at(108))
    }

    @Test func clientThatTakesItsAnswer_hasMoreTimeWithAnyProgress() {
        var clock = makeClock()
        clock.update(.room, requestCount: 1, readBytes: 0, now: at(1))
        clock.update(unsentBytes: 1000, now: at(30))
        #expect(clock.end == at(90))
        clock.update(unsentBytes: 1000, now: at(90))
        #expect(clock.end == at(90))
        clock.update(unsentBytes: 999, now: at(90))
        #expect(clock.end == at(150))
    }

    @Test func idleConnectionThatIsToEnd_waitsAMoment() {
        var clock = makeClock()
        clock.update(.request, requestCount: 1, readBytes: 0, now: at(1))
        clock.startDraining(now: at(5))
        #expect(clock.end == at(5) + .milliseconds(250))
        clock.update(.head, requestCount: 1, readBytes: 1, now: at(5))
        #expect(clock.end == at(15))
    }
}
