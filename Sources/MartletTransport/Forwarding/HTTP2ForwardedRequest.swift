import MartletCore
import MartletTelemetry
import NIOCore

/// The client's side of the exchange on one HTTP/2 stream.
final class HTTP2ForwardedRequest {
    typealias Wire = HTTP2Wire

    let stream: UInt32
    private let head: RequestHead
    private let connection: HTTP2ForwardingHandler
    private var exchange: Exchange<HTTP2Wire>?
    private var requestBytes = 0
    private var bodyBytesMax = Int.max
    /// When the client's patience is at its end.
    private var deadline = NIODeadline.distantFuture
    /// When the request has to be looked at.
    private(set) var wakeAt = NIODeadline.distantFuture
    private var isWritable = true
    private var isReading = true
    /// Bytes that came while the request was not read from; its window waits for them.
    private var heldBytes = 0
    /// The memory of an answer that waits for the client, which is let go with this request.
    private var unsent: KeptMemory?
    /// How the body comes, while it does; nil for calls that may be silent.
    private var pace: BodyPace?

    init(_ head: RequestHead, on stream: UInt32, of connection: HTTP2ForwardingHandler) {
        self.head = head
        self.stream = stream
        self.connection = connection
    }

    // MARK: What comes of the client

    func begin(isEnd: Bool) {
        if let fault = head.fault(limits: connection.limits) {
            refuse(RequestFault(fault))
            return
        }
        // What a route goes by and what a node goes by must be the same (RFC 9113, section 8.3.1).
        guard !head.namesAnotherHost else {
            refuse(RequestFault(.invalidArgument("The host field is not that of :authority")))
            return
        }
        let exchange = makeExchange()
        self.exchange = exchange
        bodyBytesMax = exchange.plan.bodyBytesMax ?? .max
        deadline = connection.now + exchange.patience(connection.core.limits.requestTimeout)
        // Streaming calls are open as long as they like, and only those known are not streaming.
        if !isEnd, !head.isGRPC || exchange.plan.holdsResponse {
            pace = BodyPace(
                connection.limits, connectionBytes: connection.bodyBytes, now: connection.now)
        }
        exchange.receiveHead(isEnd: isEnd) { [connection, head] in connection.forwarded(head, $0) }
        watch()
        exchange.start()
    }

    private func makeExchange() -> Exchange<HTTP2Wire> {
        let start = connection.start
        let context = RequestContext(
            remoteAddress: connection.remoteAddress, start: start,
            deadline: head.timeout.map { .after($0, now: start) } ?? .never, cancellation: .never)
        return Exchange<HTTP2Wire>(
            subject: ForwardedRequest(
                api: head.isGRPC ? .grpc : .rest, method: head.method, path: head.path,
                authority: head.authority, fields: head.fields,
                clientNames: connection.clientNames, context: context),
            client: self, forwarder: connection.core, connector: connection.pool,
            messageBytesMax: connection.limits.messageBytes, eventLoop: connection.eventLoop)
    }

    func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        let count = bytes.readableBytes
        if !isReading { heldBytes += count }
        requestBytes += count
        pace?.receive(count, now: connection.now)
        guard exchange == nil || requestBytes <= bodyBytesMax else {
            refuseBody(bodyTooLarge)
            return
        }
        if count > 0 { exchange?.receive(.body(bytes)) }
        if isEnd { receiveEnd(nil) }
    }

    func receive(_ trailers: FieldTrailers) { receiveEnd(trailers) }

    private func receiveEnd(_ trailers: FieldTrailers?) {
        pace = nil
        if let exchange {
            exchange.receive(.end(trailers))
        } else {
            connection.forget(self)
        }
    }

    /// The client waits no more.
    func clientClosed() {
        let closed = exchange
        exchange = nil
        closed?.clientClosed()
    }

    /// Something that waited has left.
    func didSend() {
        guard let exchange else {
            settle()
            return
        }
        guard !isWritable, connection.connection.waitingCount(of: stream) <= HTTP2Wire.waitingMin
        else { return }
        isWritable = true
        exchange.clientWritabilityChanged(true)
    }

    // MARK: Time

    /// Says when to look again.
    private func watch() {
        var next = deadline
        if let attempt = exchange?.attemptDeadline {
            next = min(next, .now() + TimeAmount(max(attempt - .now, .zero)))
        }
        if let end = pace?.end { next = min(next, end) }
        wakeAt = next
        connection.wake(at: next)
        connection.endSoon()
    }

    /// Does what is due.
    func expire(now: NIODeadline) {
        guard let exchange else {
            // Whoever does not take its answer may not make us keep it.
            connection.reset(stream, .cancel)
            return
        }
        if deadline <= now {
            exchange.timedOut()
        } else if let attempt = exchange.attemptDeadline, attempt <= .now {
            exchange.attemptTimedOut()
        } else if isTooSlow(now: now) {
            refuseBody(.bodyTooSlow(connection.limits))
        }
        if self.exchange != nil { watch() }
    }

    private func isTooSlow(now: NIODeadline) -> Bool {
        pace?.isTooSlow(
            connectionBytes: connection.bodyBytes, bodies: connection.requestCount, now: now)
            ?? false
    }

    // MARK: Answers of our own

    private var bodyTooLarge: RequestFault {
        RequestFault(RequestValidation.bodyTooLarge(limit: bodyBytesMax))
    }

    private func refuseBody(_ fault: RequestFault) {
        guard let refused = exchange else { return }
        exchange = nil
        refused.refused(status: fault.status, code: fault.error.code)
        refuse(fault, of: refused)
    }

    private func refuse(_ fault: RequestFault, of refused: Exchange<HTTP2Wire>? = nil) {
        exchange = nil
        if connection.connection.streams[stream]?.hasHead == true {
            // Part of an answer has left: there is no room for another.
            connection.reset(stream, .internalError)
        } else if head.isGRPC {
            let block = FieldBlock.grpcFailure(fault.error, fields: fault.fields)
            connection.connection.endQuietly(stream)
            connection.connection.sendHead(block, on: stream, isEnd: true)
            settle()
        } else {
            write(refused?.answer(telling: fault) ?? fault.httpResponse)
        }
    }

    private func write(_ answer: HTTPResponse) {
        connection.connection.endQuietly(stream)
        if head.isGRPC {
            connection.write(call: answer, to: stream)
        } else {
            connection.write(answer, to: stream, isHead: head.method == "HEAD")
        }
        settle()
    }

    /// The whole answer was handed to the core.
    private func settle() {
        pace = nil
        if !connection.forget(self) {
            deadline = .now() + TimeAmount(connection.limits.bodyTimeout)
            watch()
        }
        connection.endSoon()
    }
}

extension HTTP2ForwardedRequest: ExchangeClient {
    func send(_ part: ResponsePart<HTTP2Wire>) {
        switch part {
        case .head(let head, let isEnd): send(head, isEnd: isEnd)
        case .body(let bytes): connection.connection.sendContent(bytes, on: stream)
        case .end(.none): connection.connection.sendEnd(on: stream)
        case .end(.some(let trailers)):
            connection.connection.sendTrailers(trailers.block, on: stream)
        case .whole(let head, let bytes):
            send(head, isEnd: false)
            connection.connection.sendContent(bytes, on: stream)
            connection.connection.sendEnd(on: stream)
        }
        connection.endSoon()
        guard isWritable, connection.connection.waitingCount(of: stream) > HTTP2Wire.waitingMax
        else { return }
        isWritable = false
        exchange?.clientWritabilityChanged(false)
    }

    private func send(_ head: AnswerHead, isEnd: Bool) {
        let block = connection.block(of: head, exchange?.plan.changes?.response)
        connection.connection.sendHead(block, on: stream, isEnd: isEnd)
    }

    /// What was sent leaves when the event loop's turn ends.
    func flush() {}

    func sendError(_ error: ServingError, fields: HeaderFields) {
        refuse(RequestFault(error, status: error.code.httpStatus, fields: fields), of: exchange)
    }

    func sendAnswer(_ answer: HTTPResponse) {
        exchange = nil
        write(answer)
    }

    func didDecide() {
        guard let exchange else { return }
        bodyBytesMax = exchange.plan.bodyBytesMax ?? .max
        deadline = .now() + exchange.patienceLeft(connection.core.limits.requestTimeout)
        watch()
        if requestBytes > bodyBytesMax { refuseBody(bodyTooLarge) }
    }

    func didBegin() { watch() }

    func abort() {
        exchange = nil
        connection.reset(stream, .internalError)
    }

    func setReading(_ isReading: Bool) {
        guard isReading != self.isReading else { return }
        self.isReading = isReading
        if isReading {
            pace?.resume(now: .now())
            if pace != nil { watch() }
            connection.connection.releaseWindow(of: stream, count: heldBytes)
            heldBytes = 0
            connection.endSoon()
        } else {
            pace?.pause(now: .now())
            connection.connection.holdWindow(of: stream)
        }
    }

    func keepUntilSent(_ memory: KeptMemory) { unsent = memory }

    func didFinish(requestEnded: Bool) {
        exchange = nil
        settle()
    }
}
