import MartletCore
import NIOCore
import Testing

@testable import MartletTransport

@Suite("Exchanges whose upstream fails as it is written to")
struct ExchangeReentryTests {
    @Test func requestThatIsAskedElsewhereMeanwhile_isSentThereOnce() {
        let connector = FailingConnector()
        let plan = ForwardingPlan(isIdempotent: true, holdsResponse: false)
        let policy = FixedPolicy([1, 2], plan: plan, isEncrypted: false)
        let exchange = Exchange(
            "POST", client: SilentClient(), connector: connector, policy: policy)
        exchange.receiveHead(isEnd: false) { _ in "head" }
        exchange.receive(.body(ByteBuffer(string: "body")))
        exchange.receive(.end(nil))
        exchange.start()
        #expect(connector.upstreams.count == 2)
        #expect(connector.upstreams.last?.text == "<head>body.")
        #expect(policy.ended == [.failed(.unprocessed)])
        exchange.clientClosed()
    }
}

/// Opens attempts at once, of which the first fails with the first that is sent.
private final class FailingConnector: UpstreamConnector {
    typealias Wire = TestWire

    private(set) var upstreams: [FailingUpstream] = []

    func open(_ address: UpstreamAddress, for exchange: Exchange<TestWire>, attempt: Int) {
        let upstream = FailingUpstream(
            upstreams.isEmpty ? exchange : nil, attempt: attempt)
        upstreams.append(upstream)
        exchange.opened(upstream, attempt: attempt)
    }
}

/// Notes what it is sent.
private final class FailingUpstream: UpstreamExchange {
    typealias Wire = TestWire

    private var exchange: Exchange<TestWire>?
    private let attempt: Int
    private(set) var text = ""

    /// Fails where there is an exchange to tell.
    init(_ exchange: Exchange<TestWire>?, attempt: Int) {
        self.exchange = exchange
        self.attempt = attempt
    }

    var isWritable: Bool { true }

    func send(_ part: TestRequestPart) {
        text += part.text
        let told = exchange
        exchange = nil
        told?.failed(.unprocessed, attempt: attempt)
    }

    func flush() {}

    func cancel() { exchange = nil }

    func setReading(_ isReading: Bool) {}

    func didFinish(isReusable: Bool) {}
}

/// A client to whom all is the same.
private final class SilentClient: ExchangeClient {
    typealias Wire = TestWire

    func send(_ part: TestResponsePart) {}

    func flush() {}

    func sendError(_ error: ServingError, fields: HeaderFields) {}

    func sendAnswer(_ answer: HTTPResponse) {}

    func didDecide() {}

    func didBegin() {}

    func abort() {}

    func setReading(_ isReading: Bool) {}

    func didFinish(requestEnded: Bool) {}
}
