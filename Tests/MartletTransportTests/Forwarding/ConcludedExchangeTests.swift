import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Requests are counted before their answers leave")
struct ConcludedExchangeTests {
    private let policy = FixedPolicy(
        [1], plan: ForwardingPlan(isIdempotent: true, holdsResponse: false), isEncrypted: false)

    /// Runs a request, and whatever is to happen each time something may have left for its client.
    ///
    /// - Parameters:
    ///   - whenFlushed: what is to happen.
    ///   - run: runs the request, whose head has come.
    /// - Returns: how many requests had been told of as over at each of these times.
    private func toldAtFlushes(
        whenFlushed: @escaping (Exchange<TestWire>?) -> Void = { _ in },
        _ run: (Exchange<TestWire>) -> Void
    ) -> [Int] {
        var told: [Int] = []
        weak var flushed: Exchange<TestWire>?
        let client = NotingClient { [policy] in
            told.append(policy.outcomes.count)
            whenFlushed(flushed)
        }
        let exchange = Exchange(client: client, policy: policy)
        flushed = exchange
        exchange.receiveHead(isEnd: true) { _ in "head" }
        exchange.start()
        run(exchange)
        return told
    }

    /// Who has its answer may ask again at once, and be told that it has asked too often.
    @Test func answerThatEnds_leavesWhenItIsCounted() {
        let told = toldAtFlushes { exchange in
            exchange.receive(.head(TestStatus("200"), isEnd: false), attempt: 1)
            exchange.upstreamReadComplete(attempt: 1)
            exchange.receive(.end(nil), attempt: 1)
        }
        #expect(told == [0, 1])
        #expect(policy.outcomes.map(\.httpStatus) == [200])
    }

    @Test func refusal_leavesWhenItIsCounted() {
        let told = toldAtFlushes { $0.failed(.connectFailed, attempt: 1) }
        #expect(told == [1])
        #expect(policy.outcomes.map(\.httpStatus) == [503])
    }

    @Test func answerThatBreaksOff_leavesWhenItIsCounted() {
        let told = toldAtFlushes { exchange in
            exchange.receive(.head(TestStatus("200"), isEnd: false), attempt: 1)
            exchange.failed(.connectionClosed, attempt: 1)
        }
        #expect(told == [1])
        #expect(policy.outcomes.map(\.isBroken) == [true])
    }

    /// A connection that closes with its answer tells so within the flush.
    @Test func connectionThatClosesWithItsAnswer_isCountedOnce() {
        let told = toldAtFlushes(whenFlushed: { $0?.clientClosed() }) { exchange in
            exchange.receive(.head(TestStatus("200"), isEnd: false), attempt: 1)
            exchange.receive(.end(nil), attempt: 1)
        }
        #expect(told == [1])
        #expect(policy.outcomes.count == 1)
        #expect(policy.ended == [.answered(httpStatus: 200, grpcStatus: nil)])
    }
}
