import NIOCore
import Testing

@testable import MartletTransport

@Suite("Life of a forwarded request")
struct ExchangeMachineTests {
    private func expect(
        holdLimit: Int = 10, replayLimit: Int = 10, _ transcript: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let replayed = ExchangeTranscript.replay(
            transcript, holdLimit: holdLimit, replayLimit: replayLimit)
        #expect(replayed == transcript, sourceLocation: sourceLocation)
    }

    // MARK: One attempt

    @Test func whenHeld_theResponseGoesOutWhole() {
        expect(
            """
            begin | -
            request <post> | -
            opened | upstream <post>
            request abc | upstream abc
            request . | upstream .
            response <200> | -
            response x | -
            response yz | -
            response . | client <200>xyz., finish reusable
            """)
    }

    @Test func whenHeldBytesReachTheLimit_theyStillWaitAndOneMoreStreams() {
        expect(
            holdLimit: 3,
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <200> | -
            response abc | -
            response d | client <200>abcd
            response e | client e
            response . | client ., finish reusable
            """)
    }

    @Test func whenNotHeld_eachPartGoesOutAsItComes() {
        expect(
            holdLimit: 0,
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <200> | client <200>
            response abc | client abc
            response . | client ., finish reusable
            """)
    }

    @Test func messagesInOnePiece_goOutAsTheyAre() {
        expect(
            """
            begin | -
            request <post>abc. | -
            opened | upstream <post>abc.
            response <200>xyz. | client <200>xyz., finish reusable
            """)
    }

    @Test func requestInOnePiece_isSentAgain() {
        expect(
            """
            begin | -
            request <post>abc. | -
            opened | upstream <post>abc.
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <post>abc.
            response <200.> | client <200.>, finish reusable
            """)
    }

    @Test func whenTheHeadIsAll_itEndsTheExchange() {
        expect(
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <204.> | client <204.>, finish reusable
            """)
    }

    @Test func whenTheRequestComesBeforeTheConnection_itIsSentInOrder() {
        expect(
            """
            begin | -
            request <post> | -
            request a | -
            request b | -
            request . | -
            opened | upstream <post>ab.
            """)
    }

    @Test func whenTheResponseComesBeforeTheRequestsEnd_theConnectionIsNotUsedAgain() {
        expect(
            """
            begin | -
            request <post> | -
            opened | upstream <post>
            request a | upstream a
            response <413> | -
            response . | client <413>., finish
            request b | -
            request . | -
            """)
    }

    @Test func whenItIsOver_nothingMoreHappens() {
        expect(
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <204.> | client <204.>, finish reusable
            response <200> | -
            response x | -
            response . | -
            failed | -
            opened | -
            request x | -
            client closed | -
            """)
    }

    // MARK: Other attempts

    @Test func whenAnAttemptFails_theNextGetsTheWholeRequestAndTheClientOneResponse() {
        expect(
            """
            begin | -
            request <post> | -
            opened | upstream <post>
            request abc | upstream abc
            request . | upstream .
            response <200> | -
            response fir | -
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <post>abc.
            response <200> | -
            response second | -
            response . | client <200>second., finish reusable
            """)
    }

    @Test func whenAnAttemptFailsAmidTheRequest_theNextGetsAllOfIt() {
        expect(
            """
            begin | -
            request <post> | -
            request a | -
            opened | upstream <post>a
            request b | upstream b
            failed | decide connectionClosed replayable
            request c | -
            retry | -
            request d | -
            opened | upstream <post>abcd
            request . | upstream .
            response <204.> | client <204.>, finish reusable
            """)
    }

    @Test func whenEveryAttemptFails_theRequestIsSentWholeEachTime() {
        expect(
            """
            begin | -
            request <post> | -
            request a | -
            request . | -
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <post>a.
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <post>a.
            failed | decide connectionClosed replayable
            give up | -
            failed | -
            response <200> | -
            request x | -
            """)
    }

    @Test func whenStreamingHasBegun_aFailureBreaksTheResponseOff() {
        expect(
            holdLimit: 0,
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <200> | client <200>
            response a | client a
            failed | abort client
            failed | -
            response b | -
            """)
    }

    @Test func whenNotHeldAndNothingCameYet_aFailureLeavesAnotherAttempt() {
        expect(
            holdLimit: 0,
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <get.>
            response <200> | client <200>
            response . | client ., finish reusable
            """)
    }

    @Test func whenMoreIsHeldThanAllowed_aFailureBreaksTheResponseOff() {
        expect(
            holdLimit: 2,
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <200> | -
            response abc | client <200>abc
            failed | abort client
            """)
    }

    // MARK: Keeping

    @Test func whenTheRequestIsLongerThanKept_itCannotBeSentAgain() {
        expect(
            replayLimit: 3,
            """
            begin | -
            request <post> | -
            opened | upstream <post>
            request abc | upstream abc
            request d | upstream d
            failed | decide connectionClosed
            give up | -
            """)
    }

    @Test func whenTheRequestIsJustAsLongAsKept_itCanBeSentAgain() {
        expect(
            replayLimit: 3,
            """
            begin | -
            request <post> | -
            opened | upstream <post>
            request abc | upstream abc
            request . | upstream .
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <post>abc.
            """)
    }

    @Test func whenALongRequestWaitsForTheConnection_noneOfItIsLost() {
        expect(
            replayLimit: 3,
            """
            begin | -
            request <post> | -
            request abcd | -
            request e | -
            opened | upstream <post>abcde
            request . | upstream .
            response <204.> | client <204.>, finish reusable
            """)
    }

    /// Nothing has been sent and nothing forgotten, so the whole request is still at hand.
    @Test func whenALongRequestFindsNoConnection_itCanBeSentElsewhere() {
        expect(
            replayLimit: 3,
            """
            begin | -
            request <post> | -
            request abcd | -
            failed | decide connectionClosed replayable
            retry | -
            opened | upstream <post>abcd
            failed | decide connectionClosed
            """)
    }

    @Test func whenMemoryIsShort_whatIsHeldGoesOutWithTheNextPart() {
        expect(
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <200> | -
            response a | -
            stop keeping | -
            response b | client <200>ab
            response c | client c
            failed | abort client
            """)
    }

    @Test func whenMemoryIsShort_theRequestCannotBeSentAgain() {
        expect(
            """
            begin | -
            request <post> | -
            opened | upstream <post>
            request a | upstream a
            stop keeping | -
            request b | upstream b
            failed | decide connectionClosed
            """)
    }

    @Test func whenMemoryIsShortBeforeTheConnection_theRequestIsStillSentOnce() {
        expect(
            """
            begin | -
            request <post> | -
            request a | -
            stop keeping | -
            request b | -
            opened | upstream <post>ab
            request . | upstream .
            response <204.> | client <204.>, finish reusable
            """)
    }

    @Test func keptBytes_areTheRequestsAndTheHeldResponses() {
        var machine = ExchangeMachine<TestWire>(holdLimit: 10, replayLimit: 10)
        machine.beginAttempt()
        _ = machine.receive(TestRequestPart.body(ByteBuffer(string: "abc")))
        _ = machine.opened()
        #expect(machine.keptBytes == 3)
        _ = machine.receive(TestResponsePart.body(ByteBuffer(string: "12345")))
        #expect(machine.keptBytes == 8)
        _ = machine.failed(.connectionClosed)
        machine.retry()
        #expect(machine.keptBytes == 3)
        machine.stopKeeping()
        _ = machine.opened()
        #expect(machine.keptBytes == 0)
    }

    @Test func bytes_areCountedOnceForTheRequestAndForTheAttemptThatCounts() {
        var machine = ExchangeMachine<TestWire>(holdLimit: 10, replayLimit: 10)
        machine.beginAttempt()
        _ = machine.receive(TestRequestPart.body(ByteBuffer(string: "abc")))
        _ = machine.opened()
        _ = machine.receive(TestResponsePart.body(ByteBuffer(string: "12345")))
        _ = machine.failed(.connectionClosed)
        machine.retry()
        _ = machine.opened()
        _ = machine.receive(TestResponsePart.body(ByteBuffer(string: "12")))
        #expect(machine.requestBytes == 3)
        #expect(machine.responseBytes == 2)
    }

    @Test func wantsMoreRequest_untilThereIsAsMuchAsIsKeptAndNoConnection() {
        var machine = ExchangeMachine<TestWire>(holdLimit: 10, replayLimit: 3)
        machine.beginAttempt()
        _ = machine.receive(TestRequestPart.body(ByteBuffer(string: "abc")))
        #expect(machine.wantsMoreRequest)
        _ = machine.receive(TestRequestPart.body(ByteBuffer(string: "d")))
        #expect(!machine.wantsMoreRequest)
        _ = machine.opened()
        #expect(machine.wantsMoreRequest)
        machine.giveUp()
        #expect(!machine.wantsMoreRequest)
    }

    // MARK: Clients that go

    @Test func whenTheClientGoes_theAttemptIsCancelled() {
        expect(
            """
            begin | -
            request <get.> | -
            opened | upstream <get.>
            response <200> | -
            client closed | cancel upstream
            client closed | -
            response x | -
            failed | -
            """)
    }

    @Test func whenTheClientGoesWhileConnecting_theAttemptIsCancelledAndNothingIsSent() {
        expect(
            """
            begin | -
            request <get.> | -
            client closed | cancel upstream
            opened | -
            """)
    }

    @Test func whenTheClientGoesBetweenAttempts_thereIsNothingToCancel() {
        expect(
            """
            begin | -
            request <get.> | -
            failed | decide connectionClosed replayable
            client closed | -
            """)
    }
}
