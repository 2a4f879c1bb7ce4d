import MartletCore
import NIOCore

/// The client of a copy of a request, whose answer nobody waits for.
///
/// The policy is told of the answer in the end, as of any.
final class ShadowClient<Wire: ForwardingWire>: ExchangeClient {
    private var timer: Scheduled<Void>?

    private init() {}

    /// Sends a copy.
    ///
    /// - Parameters:
    ///   - subject: the request that it is a copy of.
    ///   - head: the head as upstreams get it.
    ///   - content: what follows.
    ///   - plan: where it goes.
    ///   - forwarder: what all exchanges share.
    ///   - connector: opens the attempt.
    ///   - eventLoop: where all of it happens.
    static func send(
        subject: ForwardedRequest, head: Wire.RequestHead, content: [RequestPart<Wire>],
        plan: ForwardingPlan, forwarder: ForwarderCore, connector: any UpstreamConnector<Wire>,
        eventLoop: any EventLoop
    ) {
        let client = ShadowClient()
        let exchange = Exchange(
            subject: subject, client: client, forwarder: forwarder, connector: connector,
            messageBytesMax: 0, eventLoop: eventLoop, plan: plan)
        exchange.receiveHead(isEnd: content.isEmpty) { _ in head }
        for part in content { exchange.receive(part) }
        let timeout = TimeAmount(plan.timeout ?? forwarder.limits.requestTimeout)
        client.timer = eventLoop.assumeIsolated().scheduleTask(in: timeout) { exchange.timedOut() }
        exchange.start()
        exchange.clientReadComplete()
    }

    func send(_ part: ResponsePart<Wire>) {}

    func flush() {}

    func sendError(_ error: ServingError, fields: HeaderFields) { timer?.cancel() }

    func sendAnswer(_ answer: HTTPResponse) { timer?.cancel() }

    func didDecide() {}

    func didBegin() {}

    func abort() { timer?.cancel() }

    func setReading(_ isReading: Bool) {}

    func didFinish(requestEnded: Bool) { timer?.cancel() }
}
