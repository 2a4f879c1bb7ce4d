import NIOHTTP2
import Testing

@testable import MartletTransport

@Suite("How an HTTP/2 connection takes its leave")
struct HTTP2FarewellTests {
    @Test func withoutStreams_announcesThenNamesNoneThenCloses() {
        var farewell = HTTP2Farewell()
        #expect(farewell.begin() == .announce)
        #expect(farewell.closeIfDone() == .nothing)
        #expect(farewell.clientKnows() == .nameLast(.rootStream))
        #expect(farewell.closeIfDone() == .close)
        #expect(farewell.closeIfDone() == .nothing)
    }

    @Test func begun_doesNotBeginAgain() {
        var farewell = HTTP2Farewell()
        #expect(farewell.begin() == .announce)
        #expect(farewell.begin() == .nothing)
        #expect(farewell.clientKnows() == .nameLast(.rootStream))
        #expect(farewell.clientKnows() == .nothing)
        #expect(farewell.begin() == .nothing)
    }

    @Test func acknowledgement_withoutAFarewell_isNothing() {
        var farewell = HTTP2Farewell()
        #expect(farewell.clientKnows() == .nothing)
        #expect(farewell.admit(1) == true)
    }

    @Test func streams_areAdmittedUntilTheLastIsNamed() {
        var farewell = HTTP2Farewell()
        #expect(farewell.admit(1) == true)
        #expect(farewell.begin() == .announce)
        #expect(farewell.admit(3) == true)
        // All have ended, but the client may have opened another.
        #expect(farewell.streamEnded(1) == .nothing)
        #expect(farewell.streamEnded(3) == .nothing)
        #expect(farewell.isIdle)
        #expect(farewell.admit(5) == true)
        #expect(farewell.clientKnows() == .nameLast(5))
        #expect(farewell.admit(7) == false)
        #expect(farewell.streamEnded(7) == .nothing)
        #expect(farewell.streamEnded(5) == .close)
        #expect(farewell.admit(9) == false)
    }
}
