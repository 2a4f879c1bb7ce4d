import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Answers that break off")
struct BrokenAnswerTests {
    private let policy = FixedPolicy(
        [1], plan: ForwardingPlan(isIdempotent: true, holdsResponse: false), isEncrypted: false)

    /// A request whose answer has begun.
    private func answered() -> Exchange<TestWire> {
        let exchange = Exchange(client: NotingClient(), policy: policy)
        exchange.receiveHead(isEnd: true) { _ in "head" }
        exchange.start()
        exchange.receive(.head(TestStatus("200"), isEnd: false), attempt: 1)
        exchange.receive(.body(ByteBuffer(string: "a")), attempt: 1)
        return exchange
    }

    /// Its status alone would count as a success.
    @Test func whatTheUpstreamBreaksOff_isToldOf() {
        answered().failed(.connectionClosed, attempt: 1)
        #expect(policy.outcomes.map(\.httpStatus) == [200])
        #expect(policy.outcomes.map(\.isBroken) == [true])
    }

    @Test func whatComesToItsEnd_isNotBroken() {
        answered().receive(.end(nil), attempt: 1)
        #expect(policy.outcomes.map(\.isBroken) == [false])
    }

    @Test func whatItsClientLeaves_isNotTheUpstreamsFault() {
        answered().clientClosed()
        #expect(policy.outcomes.map(\.isBroken) == [false])
    }
}
