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
    private var lastHead:
        (of: HTTP1Head, changes: ForwardingChanges?, forwarded: HTTP1ForwardedHead)?
    var keptHeadPlace: Int?
    private var requestsWhenAsked = 0
    private let eventLoop: any EventLoop
    private var bodyBytesMax = 0
    private var clientNames: [ClientName] = []
    /// The memory of an answer that waits for the client.
    ///
    /// There is one at most: no further request is read before it has left.
    private var unsent: KeptMemory?

    init(
        core: ForwarderCore, pool: HTTP1UpstreamPool, limits: SharedLimits,
        eventLoop: any EventLoop, since: NIODeadline? = nil
    ) {
        self.core = core
        self.pool = pool
        self.eventLoop = eventLoop
        super.init(limits: limits, keepsTrailers: true, eventLoop: eventLoop, since: since)
    }

    // MARK: The connection

    override func began(on eventLoop: any EventLoop) {
        clientAddress = context?.channel.remoteAddress?.ipAddress
        clientNames = context.map { ClientName.names(of: $0.channel) } ?? []
    }

    override func take(_ event: HTTP1Event) {
        switch event {
        case .head(let head, let isEnd): begin(head, isEnd: isEnd)
        case .content(let bytes, let isEnd): receive(bytes, isEnd: isEnd)
        case .failed(let fault): refuse(fault.requestFault)
        }
    }

    override var keepsContent: Bool { true }

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

    override func refuseSlowBody() { refuse(.bodyTooSlow(limits)) }

    override func writabilityChanged(_ isWritable: Bool) {
        if isWritable { unsent = nil }
        exchange?.clientWritabilityChanged(isWritable)
    }

    override func abandon() {
        unsent = nil
        pool.keptHeads.remove(self)
        let closed = exchange
        exchange = nil
        deadline = nil
        closed?.clientClosed()
    }

    override var isPaused: Bool { isReadingPaused }

    // MARK: Requests

    private func begin(_ head: HTTP1Head, isEnd: Bool) {
        requestBytes = 0
        let exchange = Exchange<HTTP1Wire>(
            subject: ForwardedRequest(
                api: .rest, method: head.method, path: head.path,
                fields: HeaderFields(head), clientNames: clientNames,
                context: RequestContext(
                    remoteAddress: remoteAddress, start: start,
                    deadline: head.timeout.duration.map { .after($0, now: start) } ?? .never,
                    cancellation: .never)),
            client: self, forwarder: core, connector: pool,
            messageBytesMax: limits.messageBytes, eventLoop: eventLoop)
        self.exchange = exchange
        deadline = now + exchange.patience(core.limits.requestTimeout)
        bodyBytesMax = min(exchange.plan.bodyBytesMax ?? .max, limits.messageBytes)
        if let fault = head.timeout.fault {
            refuse(RequestFault(fault))
            return
        }
        if case .length(let length) = head.framing, length > bodyBytesMax {
            refuse(bodyTooLarge)
            return
        }
        let content = connection.takeWholeContent()
        requestBytes = content?.readableBytes ?? 0
        exchange.receiveHead(isEnd: isEnd, content: content) { self.forwarded(head, $0) }
        exchange.start()
        // What is refused by its head is not asked for.
        if !isEnd, content == nil, self.exchange != nil { connection.wantContent() }
    }

    private func forwarded(
        _ head: HTTP1Head, _ changes: ForwardingChanges?
    ) -> HTTP1ForwardedHead {
        if let lastHead, lastHead.of === head, lastHead.changes == changes {
            return lastHead.forwarded
        }
        let forwarded = HTTP1ForwardedHead(
            head, clientAddress: clientAddress, changes: changes)
        lastHead = (head, changes, forwarded)
        pool.keptHeads.add(self)
        return forwarded
    }

    private func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        guard let exchange else { return }
        requestBytes += bytes.readableBytes
        guard requestBytes <= bodyBytesMax || connection.isTunnel else {
            refuse(bodyTooLarge)
            return
        }
        if bytes.readableBytes > 0 { exchange.receive(.body(bytes)) }
        if isEnd { exchange.receive(.end(connection.trailers)) }
    }

    private var bodyTooLarge: RequestFault {
        RequestFault(
            bodyBytesMax < limits.messageBytes
                ? RequestValidation.bodyTooLarge(limit: bodyBytesMax)
                : RequestValidation(limits: limits).bodyTooLarge)
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
        refused?.refused(status: fault.status, code: fault.error.code)
        connection.refuse(refused?.answer(telling: fault) ?? fault.httpResponse)
    }
}

extension HTTP1ForwardingHandler: KeptHeadHolder {
    func letGoIfIdle() -> Bool {
        guard requestsWhenAsked == connection.requestCount, exchange == nil else {
            requestsWhenAsked = connection.requestCount
            return false
        }
        lastHead = nil
        connection.forgetHead()
        return true
    }
}

extension HTTP1ForwardingHandler: ExchangeClient {
    func send(_ part: ResponsePart<HTTP1Wire>) {
        switch part {
        case .head(let head, let isEnd):
            connection.begin(head, changes: exchange?.plan.changes?.response)
            // What is no longer HTTP lasts as long as its ends like.
            if head.status == 101 { deadline = nil }
            if isEnd { connection.endAnswer(trailers: nil) }
        case .body(let bytes): write(connection.send(bytes))
        case .end(let trailers): connection.endAnswer(trailers: trailers)
        case .whole(let head, let bytes):
            connection.begin(head, changes: exchange?.plan.changes?.response)
            write(connection.send(bytes))
            connection.endAnswer(trailers: nil)
        }
    }

    func sendError(_ error: ServingError, fields: HeaderFields) {
        let fault = RequestFault(error, status: error.code.httpStatus, fields: fields)
        sendAnswer(exchange?.answer(telling: fault) ?? fault.httpResponse)
    }

    func sendAnswer(_ answer: HTTPResponse) {
        exchange = nil
        deadline = nil
        work {
            if connection.isAnswerable {
                connection.answer(answer)
            } else {
                connection.refuse(answer)
            }
        }
    }

    func didDecide() {
        guard let exchange else { return }
        bodyBytesMax = min(exchange.plan.bodyBytesMax ?? .max, limits.messageBytes)
        deadline = now + exchange.patienceLeft(core.limits.requestTimeout)
        if requestBytes > bodyBytesMax { work { refuseComplete(bodyTooLarge) } }
    }

    func didBegin() { if !isAtWork { work {} } }

    /// Refuses a request of which all may have come.
    private func refuseComplete(_ fault: RequestFault) {
        guard connection.isAnswerable else {
            refuse(fault)
            return
        }
        let refused = exchange
        exchange = nil
        deadline = nil
        refused?.refused(status: fault.status, code: fault.error.code)
        connection.answer(refused?.answer(telling: fault) ?? fault.httpResponse)
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

    func keepUntilSent(_ memory: KeptMemory) {
        if context?.channel.isWritable == false { unsent = memory }
    }

    func didFinish(requestEnded: Bool) {
        exchange = nil
        deadline = nil
        work {}
    }
}
