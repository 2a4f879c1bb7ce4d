import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Since when upstreams alone are waited for")
struct SentRequestTests {
    private let policy = FixedPolicy(
        [1], plan: ForwardingPlan(isIdempotent: true, holdsResponse: false), isEncrypted: false)

    private func exchange() -> Exchange<TestWire> {
        Exchange("POST", client: NotingClient(), policy: policy)
    }

    private func answer(_ exchange: Exchange<TestWire>) {
        exchange.receive(.head(TestStatus("200"), isEnd: false), attempt: 1)
        exchange.receive(.end(nil), attempt: 1)
    }

    @Test func requestThatIsSentAsItComes_countsFromItsEnd() throws {
        let exchange = exchange()
        exchange.receiveHead(isEnd: false) { _ in "head" }
        exchange.start()
        exchange.receive(.body(ByteBuffer(string: "a")))
        let before = ContinuousClock.now
        exchange.receive(.end(nil))
        let after = ContinuousClock.now
        answer(exchange)
        let sent = try #require(policy.outcomes.first?.sent)
        #expect(sent >= before && sent <= after)
    }

    @Test func requestThatWasAtHand_countsFromItsAttempt() throws {
        let exchange = exchange()
        exchange.receiveHead(isEnd: false) { _ in "head" }
        exchange.receive(.body(ByteBuffer(string: "a")))
        exchange.receive(.end(nil))
        let before = ContinuousClock.now
        exchange.start()
        let after = ContinuousClock.now
        answer(exchange)
        let sent = try #require(policy.outcomes.first?.sent)
        #expect(sent >= before && sent <= after)
    }

    @Test func requestThatNeverCameWhole_countsFromNowhere() {
        let exchange = exchange()
        exchange.receiveHead(isEnd: false) { _ in "head" }
        exchange.start()
        answer(exchange)
        #expect(policy.outcomes.count == 1)
        #expect(policy.outcomes.first?.sent == nil)
    }
}
