import NIOCore
import NIOEmbedded
import Testing

@testable import MartletTransport

@Suite("Turns of event loops")
struct LoopTurnTests {
    /// Counts how often it is served, and does something then.
    private final class Member: LoopTurnMember {
        var isInTurn = false
        var served = 0
        var whenServed: (Member) -> Void = { _ in }

        func endTurn() {
            served += 1
            whenServed(self)
        }
    }

    @Test func members_areServedOnce_whenTheTurnEnds() {
        let eventLoop = EmbeddedEventLoop()
        let turn = LoopTurn(eventLoop: eventLoop)
        let members = [Member(), Member()]
        for member in members + members { turn.add(member) }
        #expect(members.map(\.served) == [0, 0])
        eventLoop.run()
        #expect(members.map(\.served) == [1, 1])
        eventLoop.run()
        #expect(members.map(\.served) == [1, 1])
        turn.add(members[0])
        eventLoop.run()
        #expect(members.map(\.served) == [2, 1])
    }

    @Test func whoeverJoinsWhileTheTurnEnds_isServedByIt() {
        let eventLoop = EmbeddedEventLoop()
        let turn = LoopTurn(eventLoop: eventLoop)
        let first = Member()
        let second = Member()
        first.whenServed = { if $0.served == 1 { turn.add(second) } }
        second.whenServed = { if $0.served == 1 { turn.add(first) } }
        turn.add(first)
        eventLoop.run()
        #expect(first.served == 2)
        #expect(second.served == 1)
    }
}
