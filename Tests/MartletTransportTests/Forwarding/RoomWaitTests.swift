import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Waiting for room at an upstream")
struct RoomWaitTests {
    /// Whoever asked for room, and is not answered yet.
    private final class Asked: Sendable {
        typealias Completion = @Sendable (RoomRound.Outcome) -> Void
        private let all = Mutex<[Completion]>([])

        var count: Int { all.withLock { $0.count } }

        func add(_ completion: @escaping Completion) { all.withLock { $0.append(completion) } }

        func answerAll(_ outcome: RoomRound.Outcome) {
            let answered = all.withLock { all in
                defer { all = [] }
                return all
            }
            for completion in answered { completion(outcome) }
        }
    }

    private let address = UpstreamAddress(host: "a", port: 1)
    private let upstreams = SharedUpstreams()
    private let asked = Asked()
    private let eventLoop = EmbeddedEventLoop()

    init() {
        var options = UpstreamOptions()
        options.connectionsMax = 1
        upstreams.set(options, for: address)
        upstreams.makeRoom { [asked] _, completion in asked.add(completion) }
    }

    private func wait(timeout: Duration = .seconds(5)) -> RoomWait {
        RoomWait(at: address, of: upstreams, timeout: timeout, on: eventLoop)
    }

    @Test func loopThatIsBusy_isWaitedForLongerThanAMoment() {
        #expect(upstreams[address].begin() == true)
        var tries: [Bool] = []
        wait().next { tries.append($0) }
        eventLoop.advanceTime(by: .seconds(4))
        #expect(tries == [] && asked.count == 1)
        asked.answerAll(.made)
        eventLoop.run()
        #expect(tries == [true])
    }

    @Test func loopThatNeverAnswers_isWaitedForAsLongAsAConnection() {
        #expect(upstreams[address].begin() == true)
        var tries: [Bool] = []
        wait().next { tries.append($0) }
        eventLoop.advanceTime(by: .milliseconds(4999))
        #expect(tries == [])
        eventLoop.advanceTime(by: .milliseconds(1))
        #expect(tries == [false])
        // What it says then is too late.
        asked.answerAll(.made)
        eventLoop.advanceTime(by: .seconds(10))
        #expect(tries == [false])
    }

    @Test func loopsThatHaveNone_areAskedAgainForAMomentAlone() {
        #expect(upstreams[address].begin() == true)
        let wait = wait()
        var tries = 0
        var isOver = false
        func next() {
            wait.next { isWorthATry in
                guard isWorthATry else {
                    isOver = true
                    return
                }
                tries += 1
                next()
            }
        }
        next()
        for _ in 0..<200 {
            asked.answerAll(.none)
            eventLoop.advanceTime(by: .milliseconds(1))
        }
        #expect(isOver)
        #expect((2...50).contains(tries), "\(tries)")
        #expect(asked.count == 0)
    }

    @Test func closedConnection_givesAnotherMoment_toWhoWasNotTheFirst() {
        #expect(upstreams[address].begin() == true)
        let wait = wait()
        var tries: [Bool] = []
        wait.next { tries.append($0) }
        eventLoop.advanceTime(by: .seconds(1))
        asked.answerAll(.made)
        eventLoop.run()
        wait.next { tries.append($0) }
        asked.answerAll(.none)
        eventLoop.advanceTime(by: .milliseconds(10))
        #expect(tries == [true, true])
    }

    @Test func upstreamThatIsNotFull_makesNobodyCloseAConnection() {
        var tries: [Bool] = []
        wait().next { tries.append($0) }
        eventLoop.advanceTime(by: .seconds(1))
        #expect(tries == [true] && asked.count == 0)
    }
}
