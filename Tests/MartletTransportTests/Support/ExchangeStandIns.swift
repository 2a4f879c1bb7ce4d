import MartletCore
import MartletTelemetry
import NIOEmbedded

@testable import MartletTransport

extension Exchange where Wire == TestWire {
    /// An exchange about a request without a body worth the name, on a loop of its own.
    convenience init(
        _ method: String = "GET", client: any ExchangeClient<TestWire>,
        connector: any UpstreamConnector<TestWire> = OpeningConnector(),
        policy: any ForwardingPolicy
    ) {
        self.init(
            subject: ForwardedRequest(
                api: .rest, method: method, path: "/",
                context: RequestContext(remoteAddress: "")),
            client: client,
            forwarder: ForwarderCore(policy: policy, limits: ForwardingLimits()),
            connector: connector, messageBytesMax: 1000, eventLoop: EmbeddedEventLoop())
    }
}

/// Opens attempts at once.
final class OpeningConnector: UpstreamConnector {
    typealias Wire = TestWire

    private(set) var upstreams: [OpenUpstream] = []

    func open(_ address: UpstreamAddress, for exchange: Exchange<TestWire>, attempt: Int) {
        let upstream = OpenUpstream()
        upstreams.append(upstream)
        exchange.opened(upstream, attempt: attempt)
    }
}

final class OpenUpstream: UpstreamExchange {
    typealias Wire = TestWire

    private(set) var isCancelled = false

    var isWritable: Bool { true }

    func send(_ part: TestRequestPart) {}

    func flush() {}

    func cancel() { isCancelled = true }

    func setReading(_ isReading: Bool) {}

    func didFinish(isReusable: Bool) {}
}

/// Notes what it is sent.
final class NotingClient: ExchangeClient {
    typealias Wire = TestWire

    private(set) var text = ""
    /// What happens when something may leave.
    private let whenFlushed: () -> Void

    init(whenFlushed: @escaping () -> Void = {}) { self.whenFlushed = whenFlushed }

    func send(_ part: TestResponsePart) { text += part.text }

    func flush() { whenFlushed() }

    func sendError(_ error: ServingError, fields: HeaderFields) {
        text += "\(error.code)"
        flush()
    }

    func sendAnswer(_ answer: HTTPResponse) { flush() }

    func didDecide() {}

    func didBegin() {}

    func abort() { flush() }

    func setReading(_ isReading: Bool) {}

    func didFinish(requestEnded: Bool) {}
}
