import MartletCore
import NIOCore

/// Serves an HTTP/1.1 connection by a responder.
final class HTTP1ServerHandler: HTTP1ConnectionHandler {
    let responder: any RequestResponder

    var exchange: HTTP1Exchange?
    // Not in the exchange: appending to an array held in an optional would copy it each time.
    var body: RequestBody?
    private(set) var answers: HTTP1AnswerBox?

    /// Begins a connection, whose first head is due since `since`.
    init(
        responder: any RequestResponder, limits: SharedLimits, eventLoop: any EventLoop,
        since: NIODeadline? = nil
    ) {
        self.responder = responder
        super.init(limits: limits, keepsTrailers: false, eventLoop: eventLoop, since: since)
    }

    override func began(on eventLoop: any EventLoop) {
        answers = HTTP1AnswerBox(of: self, eventLoop: eventLoop)
    }

    override func take(_ event: HTTP1Event) {
        switch event {
        case .head(let head, let isEnd): begin(head, isEnd: isEnd)
        case .content(let bytes, let isEnd): receive(bytes, isEnd: isEnd)
        case .failed(let fault): fail(fault)
        }
    }

    override var answerDeadline: NIODeadline? { exchange?.answerDeadline }

    /// The client stops waiting now, so it gets its answer, whatever the engine does, and before
    /// the answer of whoever is cancelled.
    override func expire() {
        guard let exchange, case .responding = exchange.state else { return }
        self.exchange = nil
        connection.answer(.timedOut)
        exchange.context.cancellation.cancel()
    }

    override func refuseSlowBody() { refuse(.bodyTooSlow(limits)) }

    override func writabilityChanged(_ isWritable: Bool) {
        if isWritable { sendContent() }
    }

    override func abandon() {
        answers?.abandon()
        answers = nil
        if case .streaming(let content) = exchange?.state { content.abandon() }
        exchange?.context.cancellation.cancel()
        exchange = nil
        body = nil
    }

    /// Takes the answer of another thread.
    func take(_ response: HTTPResponse, of request: Int) {
        guard context != nil else { return }
        work { finish(response, of: request) }
    }

    /// Sends what another thread has written of an answer's content.
    func takeContent(of request: Int) {
        guard context != nil, exchange?.number == request else { return }
        work { sendContent() }
    }
}
