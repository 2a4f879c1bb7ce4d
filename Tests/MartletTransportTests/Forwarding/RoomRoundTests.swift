import Synchronization
import Testing

@testable import MartletTransport

@Suite("Asking event loops for room")
struct RoomRoundTests {
    private final class Outcomes: Sendable {
        private let all = Mutex<[RoomRound.Outcome]>([])

        var values: [RoomRound.Outcome] { all.withLock { $0 } }

        func add(_ outcome: RoomRound.Outcome) { all.withLock { $0.append(outcome) } }
    }

    private let outcomes = Outcomes()

    private func round(of eventLoops: Int) -> RoomRound {
        RoomRound(eventLoops: eventLoops) { [outcomes] in outcomes.add($0) }
    }

    @Test func connection_isClaimedOnce_andTellsWhenItIsClosed() {
        let round = round(of: 3)
        round.decline()
        #expect(round.claim() == true)
        #expect(round.claim() == false)
        round.decline()
        // Nobody is told before it is closed.
        #expect(outcomes.values == [])
        round.didClose()
        #expect(outcomes.values == [.made])
    }

    @Test func connectionThatClosesBeforeOthersAnswer_isNotWaitedFurther() {
        let round = round(of: 2)
        #expect(round.claim() == true)
        round.didClose()
        #expect(outcomes.values == [.made])
        round.decline()
        #expect(outcomes.values == [.made])
    }

    @Test func loopsThatAllHaveNone_sayItOnceTheLastHasAnswered() {
        let round = round(of: 2)
        round.decline()
        #expect(outcomes.values == [])
        round.decline()
        #expect(outcomes.values == [.none])
    }
}
