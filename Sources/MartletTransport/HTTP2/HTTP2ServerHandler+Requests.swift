import MartletCore
import MartletTelemetry
import NIOCore

/// Requests, from the core's events to the responder.
extension HTTP2ServerHandler {
    /// Nobody waits for the answer any more.
    func abandon(_ stream: UInt32) {
        guard let exchange = exchanges.remove(stream) else { return }
        switch exchange.state {
        case .receiving, .responding: exchange.context.cancellation.cancel()
        case .content(let content):
            content.abandon()
            exchange.context.cancellation.cancel()
        case .streaming(let session): session.abandon()
        case .sending: break
        }
    }

    func begin(_ stream: UInt32, _ head: RequestHead, isEnd: Bool) {
        let exchange = HTTP2Exchange(
            head, remoteAddress: remoteAddress, requestTimeout: limits.requestTimeout,
            start: start, now: now)
        exchanges.insert(exchange, for: stream)
        do throws(RequestFault) {
            try check(head)
            if try startStream(stream, exchange) {
                if isEnd { receive(stream, ByteBuffer(), isEnd: true) }
                return
            }
            if !head.isGRPC || isEnd { exchange.body = try StreamBody(of: head, limits: limits) }
        } catch {
            refuse(stream, exchange, error)
            return
        }
        if isEnd {
            respond(stream, exchange)
        } else {
            let pace = BodyPace(limits, connectionBytes: bodyBytes, now: now)
            exchange.pace = pace
            wake(exchange, at: pace.end)
        }
    }

    private func check(_ head: RequestHead) throws(RequestFault) {
        if let error = head.fault(limits: limits) { throw RequestFault(error) }
        guard protocols != .grpc || head.isGRPC else {
            // As gRPC's own description of the protocol asks for.
            throw RequestFault(.invalidArgument("This port speaks gRPC only"), status: 415)
        }
    }

    private func startStream(
        _ stream: UInt32, _ exchange: HTTP2Exchange
    ) throws(RequestFault) -> Bool {
        let head = exchange.head
        guard head.isGRPC else { return false }
        let coding = try head.messageCoding()
        guard head !== unaryHead else { return false }
        guard responder.mayStream(path: head.path), let answers,
            let session = GRPCStreamSession.start(
                exchange, on: stream, coding: coding, responder: responder, limits: limits,
                connection: self, answers: answers)
        else {
            unaryHead = head
            return false
        }
        exchange.state = .streaming(session)
        connection.holdWindow(of: stream)
        wake(exchange, at: exchange.deadline)
        return true
    }

    func receive(_ stream: UInt32, _ bytes: ByteBuffer, isEnd: Bool) {
        guard let exchange = exchanges[stream] else { return }
        switch exchange.state {
        case .streaming(let session): session.receive(bytes, isLast: isEnd)
        case .receiving:
            exchange.pace?.receive(bytes.readableBytes, now: now)
            receive(stream, exchange, bytes, isEnd: isEnd)
        case .responding, .content, .sending: break
        }
    }

    private func receive(
        _ stream: UInt32, _ exchange: HTTP2Exchange, _ bytes: ByteBuffer, isEnd: Bool
    ) {
        do {
            if case .none = exchange.body {
                if isEnd, let message = GRPCUnaryReader.message(bytes, limits: limits) {
                    // All of it in one piece, which is what most calls are.
                    respond(stream, exchange, message: message)
                    return
                }
                exchange.body = try StreamBody(of: exchange.head, limits: limits)
            }
            if bytes.readableBytes > 0 { try exchange.body.append(bytes) }
        } catch {
            refuse(stream, exchange, RequestFault(wrapping: error))
            return
        }
        if isEnd { respond(stream, exchange) }
    }

    // MARK: Answering

    private func respond(_ stream: UInt32, _ exchange: HTTP2Exchange) {
        do {
            switch exchange.body.take() {
            case .none: break
            case .http(var body): respond(stream, exchange, body: try body.finish())
            case .grpc(var reader): respond(stream, exchange, message: try reader.finish())
            }
        } catch {
            refuse(stream, exchange, RequestFault(wrapping: error))
        }
    }

    private func respond(_ stream: UInt32, _ exchange: HTTP2Exchange, message: [UInt8]) {
        exchange.state = .responding
        wake(exchange, at: exchange.deadline)
        let reply = Reply(fallback: GRPCResponse.noAnswer) { [answers] response in
            answers?.send(.grpc(stream, response))
        }
        responder.respond(to: exchange.grpcCall(message: message), reply: reply)
    }

    private func respond(_ stream: UInt32, _ exchange: HTTP2Exchange, body: [UInt8]) {
        exchange.state = .responding
        wake(exchange, at: exchange.deadline)
        let reply = Reply(fallback: HTTPResponse.noAnswer) { [answers] response in
            answers?.send(.http(stream, response))
        }
        responder.respond(to: exchange.httpRequest(body: body), reply: reply)
    }

    func take(_ item: AnswerBox.Item) {
        switch item {
        case .grpc(let stream, let response):
            if let exchange = settle(stream) { finish(stream, exchange, response) }
        case .http(let stream, let response):
            if let content = response.stream {
                begin(response, content, on: stream)
            } else if let exchange = settle(stream) {
                finish(stream, exchange, response)
            }
        case .content(let stream): sendContent(on: stream)
        case .messages(let outbox): outbox.deliver()
        case .setReading(let outbox, let isReading): outbox.deliver(isReading: isReading)
        }
    }

    /// The exchange that an answer is for, which can no longer be cancelled; `nil` when it was
    /// answered before.
    private func settle(_ stream: UInt32) -> HTTP2Exchange? {
        guard let exchange = exchanges[stream], case .responding = exchange.state else {
            return nil
        }
        exchange.context.cancellation.settle()
        return exchange
    }

    private func finish(
        _ stream: UInt32, _ exchange: HTTP2Exchange, _ response: GRPCResponse
    ) {
        let load = exchange.head.loadForm.flatMap { responder.loadField(as: $0, isGRPC: true) }
        switch (response, load) {
        case (.message(let message), nil): connection.answer(message, on: stream)
        case (.message(let message), let load?):
            var trailers = FieldBlock.grpcSuccess
            trailers.add(load.name, load.value)
            connection.answer(message, on: stream, trailers: trailers)
        case (.failure(let code, let text), let load):
            let fields = HeaderFields(load.map { [$0] } ?? [])
            connection.sendHead(
                .grpcFailure(ServingError(code, text), fields: fields), on: stream, isEnd: true)
        }
        didAnswer(stream, exchange)
    }

    private func finish(
        _ stream: UInt32, _ exchange: HTTP2Exchange, _ response: HTTPResponse
    ) {
        let form = exchange.head.loadForm
        let response = form == nil ? response : responder.reporting(response, as: form)
        write(response, to: stream, isHead: exchange.head.method == "HEAD")
        didAnswer(stream, exchange)
    }

    private func begin(_ response: HTTPResponse, _ content: ContentStream, on stream: UInt32) {
        guard let exchange = exchanges[stream], case .responding = exchange.state else {
            content.abandon()
            return
        }
        exchange.state = .content(content)
        wake(exchange, at: nil)
        let form = exchange.head.loadForm
        let response = form == nil ? response : responder.reporting(response, as: form)
        connection.sendHead(.streamedHead(response), on: stream)
        content.attach { [answers] in answers?.post(.content(stream)) }
        sendContent(on: stream)
    }

    /// Sends what there is of an answer's content, if the client takes more.
    private func sendContent(on stream: UInt32) {
        guard let exchange = exchanges[stream], case .content(let content) = exchange.state,
            connection.streams[stream]?.pending == nil
        else { return }
        let (pieces, end) = content.take()
        for piece in pieces { connection.sendData(piece, on: stream) }
        guard let end else {
            awaitRoom(for: stream, exchange)
            return
        }
        exchange.context.cancellation.settle()
        switch end {
        case .complete:
            connection.sendData([], on: stream, isEnd: true)
            didAnswer(stream, exchange)
        case .aborted:
            exchanges.remove(stream)
            connection.reset(stream, .internalError)
        }
    }

    /// Sees to it that a client has its time to take content that waits for it, each time that it
    /// takes some; one that takes nothing may not make us keep it.
    private func awaitRoom(for stream: UInt32, _ exchange: HTTP2Exchange) {
        guard case .content = exchange.state else { return }
        let isHeld = connection.streams[stream]?.pending != nil
        wake(exchange, at: isHeld ? now + TimeAmount(limits.bodyTimeout) : nil)
    }

    /// The whole answer was handed to the core.
    func didAnswer(_ stream: UInt32, _ exchange: HTTP2Exchange) {
        guard connection.streams.contains(stream) else {
            exchanges.remove(stream)
            return
        }
        exchange.state = .sending
        // Whoever does not take its answer may not make us keep it.
        wake(exchange, at: now + TimeAmount(limits.bodyTimeout))
    }

    func didSend(_ stream: UInt32, _ count: Int) {
        guard let exchange = exchanges[stream] else { return }
        if case .streaming(let session) = exchange.state {
            session.didSend(count)
        } else if case .content = exchange.state {
            sendContent(on: stream)
            awaitRoom(for: stream, exchange)
        } else if connection.streams.contains(stream) {
            wake(exchange, at: now + TimeAmount(limits.bodyTimeout))
        } else {
            exchanges.remove(stream)
        }
    }

    private func refuse(_ stream: UInt32, _ exchange: HTTP2Exchange, _ fault: RequestFault) {
        let head = exchange.head
        responder.didRefuse(
            Refusal(
                api: head.isGRPC ? .grpc : .rest, method: head.method, path: head.path,
                error: fault.error, httpStatus: fault.status, context: exchange.context))
        if head.isGRPC {
            let block = FieldBlock.grpcFailure(fault.error, fields: fault.fields)
            connection.sendHead(block, on: stream, isEnd: true)
        } else {
            write(fault.httpResponse, to: stream)
        }
        didAnswer(stream, exchange)
    }

    /// An exchange's time is up.
    func expire(_ stream: UInt32) {
        guard let exchange = exchanges[stream] else { return }
        switch exchange.state {
        case .receiving:
            let isTooSlow = exchange.pace?.isTooSlow(
                connectionBytes: bodyBytes, bodies: exchanges.count, now: now)
            if isTooSlow == true {
                refuse(stream, exchange, .bodyTooSlow(limits))
            } else {
                wake(exchange, at: exchange.pace?.end)
            }
        case .responding:
            // The client stops waiting now, so it gets its answer, whatever the engine does, and
            // before the answer of whoever is cancelled.
            if exchange.head.isGRPC {
                finish(stream, exchange, .failure(.deadlineExceeded, "Deadline Exceeded"))
            } else {
                finish(stream, exchange, .timedOut)
            }
            exchange.context.cancellation.cancel()
        case .streaming(let session): session.expire()
        case .content(let content):
            content.abandon()
            exchange.context.cancellation.cancel()
            exchanges.remove(stream)
            connection.reset(stream, .cancel)
        case .sending:
            exchanges.remove(stream)
            connection.reset(stream, .cancel)
        }
    }
}
