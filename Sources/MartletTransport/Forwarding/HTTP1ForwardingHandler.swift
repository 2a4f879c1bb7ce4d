import MartletCore
import MartletTelemetry
import NIOCore

/// The client's side of exchanges on an HTTP/1.1 connection, one after the other.
final class HTTP1ForwardingHandler: HTTP1ConnectionHandler {
    typealias Wire = HTTP1Wire

    private let core: ForwarderCore
    private let pool: HTTP1UpstreamPool
    private var exchange: Exchange<HTTP1Wire>?
    private var deadline: NIODeadline?
    private var requestBytes = 0
    private var isReadingPaused = false
    private var clientAddress: String?
    /// What upstreams get of the head that the client sent last, which is often its next one, too.
    private var lastHead: (of: HTTP1Head, forwarded: HTTP1ForwardedHead)?

    init(
        core: ForwarderCore, pool: HTTP1UpstreamPool, limits: Limits, eventLoop: any EventLoop,
        since: NIODeadline? = nil
    ) {
        self.core = core
        self.pool = pool
        super.init(limits: limits, keepsTrailers: true, eventLoop: eventLoop, since: since)
    }

    // MARK: The connection

    override func began(on eventLoop: any EventLoop) {
        clientAddress = context?.channel.remoteAddress?.ipAddress
    }

    override func take(_ event: HTTP1Event) {
        switch event {
        case .head(let head, let isEnd): begin(head, isEnd: isEnd)
        case .content(let bytes, let isEnd): receive(bytes, isEnd: isEnd)
        case .failed(let fault): refuse(fault.requestFault)
        }
    }

    override func didTakeAll() { exchange?.clientReadComplete() }

    override var answerDeadline: NIODeadline? {
        guard let attempt = exchange?.attemptDeadline else { return deadline }
        return min(now + TimeAmount(attempt - start), deadline ?? .distantFuture)
    }

    override func expire() {
        if let deadline, deadline <= now {
            exchange?.timedOut()
        } else {
            exchange?.attemptTimedOut()
        }
    }

    override func writabilityChanged(_ isWritable: Bool) {
        exchange?.clientWritabilityChanged(isWritable)
    }

    override func abandon() {
        let closed = exchange
        exchange = nil
        deadline = nil
        closed?.clientClosed()
    }

    override var isPaused: Bool { isReadingPaused }

    // MARK: Requests

    private func begin(_ head: HTTP1Head, isEnd: Bool) {
        requestBytes = 0
        if case .length(let length) = head.framing, length > limits.messageBytes {
            refuse(RequestFault(RequestValidation(limits: limits).bodyTooLarge))
            return
        }
        let exchange = Exchange<HTTP1Wire>(
            subject: .init(
                api: .rest, method: head.method, path: head.path,
                context: RequestContext(remoteAddress: remoteAddress, start: start)),
            client: self, forwarder: core, connector: pool)
        self.exchange = exchange
        deadline = now + exchange.patience(core.limits.requestTimeout)
        if !isEnd { connection.wantContent() }
        exchange.receive(.head(forwarded(head), isEnd: isEnd))
        exchange.start()
    }

    private func forwarded(_ head: HTTP1Head) -> HTTP1ForwardedHead {
        if let lastHead, lastHead.of === head { return lastHead.forwarded }
        let forwarded = HTTP1ForwardedHead(head, clientAddress: clientAddress)
        lastHead = (head, forwarded)
        return forwarded
    }

    private func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        guard let exchange else { return }
        requestBytes += bytes.readableBytes
        guard requestBytes <= limits.messageBytes || connection.isTunnel else {
            refuse(RequestFault(RequestValidation(limits: limits).bodyTooLarge))
            return
        }
        if bytes.readableBytes > 0 { exchange.receive(.body(bytes)) }
        if isEnd { exchange.receive(.end(connection.trailers)) }
    }

    private func refuse(_ fault: RequestFault) {
        if connection.streamed != nil {
            // Part of an answer has left: there is no room for another.
            abort()
            return
        }
        let refused = exchange
        exchange = nil
        deadline = nil
        refused?.clientClosed()
        connection.refuse(fault.httpResponse)
    }
}

extension HTTP1ForwardingHandler: ExchangeClient {
    func send(_ parts: [ResponsePart<HTTP1Wire>]) {
        for part in parts {
            switch part {
            case .head(let head, let isEnd):
                connection.begin(head)
                // What is no longer HTTP lasts as long as its ends like.
                if head.status == 101 { deadline = nil }
                if isEnd { connection.endAnswer(trailers: nil) }
            case .body(let bytes): for large in connection.send(bytes) { write(large) }
            case .end(let trailers): connection.endAnswer(trailers: trailers)
            }
        }
    }

    func sendError(_ error: ServingError) {
        exchange = nil
        deadline = nil
        let fault = RequestFault(error, status: error.code.httpStatus)
        work {
            if connection.isAnswerable {
                connection.answer(fault.httpResponse)
            } else {
                connection.refuse(fault.httpResponse)
            }
        }
    }

    func abort() {
        let aborted = exchange
        exchange = nil
        deadline = nil
        aborted?.clientClosed()
        context?.close(promise: nil)
    }

    func setReading(_ isReading: Bool) {
        isReadingPaused = !isReading
        if isReading { readIfOwed() }
    }

    func didFinish(requestEnded: Bool) {
        exchange = nil
        deadline = nil
        work {}
    }
}
