import MartletCore
import MartletTelemetry
import NIOCore

/// Requests, from the core's events to the responder.
extension HTTP1ServerHandler {
    func begin(_ head: HTTP1Head, isEnd: Bool) {
        exchange = HTTP1Exchange(
            head, number: connection.requestCount, remoteAddress: remoteAddress,
            timeout: limits.requestTimeout, start: start, now: now)
        do throws(RequestFault) {
            if let fault = head.timeout.fault { throw RequestFault(fault) }
            if case .length(let length) = head.framing, length > limits.messageBytes {
                throw RequestFault(RequestValidation(limits: limits).bodyTooLarge)
            }
            if !head.contentEncodings.isEmpty {
                body = try RequestBody(contentEncoding: head.contentEncodings, limits: limits)
            }
        } catch {
            refuse(error)
            return
        }
        if isEnd { receive(ByteBuffer(), isEnd: true) } else { connection.wantContent() }
    }

    func receive(_ bytes: ByteBuffer, isEnd: Bool) {
        // What follows a refusal means nothing.
        guard exchange != nil else { return }
        if isEnd, body == nil, bytes.readableBytes <= limits.messageBytes {
            // All of it in one piece, which is what most requests are.
            respond(body: Array(bytes.readableBytesView))
            return
        }
        do throws(RequestFault) {
            if body == nil { body = try RequestBody(limits: limits) }
            try body?.append(bytes)
            guard isEnd, let content = try body?.finish() else { return }
            body = nil
            respond(body: content)
        } catch {
            refuse(error)
        }
    }

    private func respond(body: [UInt8]) {
        exchange?.state = .responding
        guard let exchange else { return }
        let reply = Reply(fallback: HTTPResponse.noAnswer) {
            [answers, number = exchange.number] response in
            answers?.send(response, to: number)
        }
        responder.respond(to: exchange.request(body: body), reply: reply)
    }

    // MARK: Answering

    /// Answers a request, unless it was answered before.
    func finish(_ response: HTTPResponse, of request: Int) {
        guard let exchange, exchange.number == request, case .responding = exchange.state else {
            response.stream?.abandon()
            return
        }
        let form = exchange.head.loadForm
        let response = form == nil ? response : responder.reporting(response, as: form)
        if let content = response.stream {
            begin(response, content, of: request)
            return
        }
        exchange.context.cancellation.settle()
        self.exchange = nil
        connection.answer(response)
    }

    private func begin(_ response: HTTPResponse, _ content: ContentStream, of request: Int) {
        exchange?.state = .streaming(content)
        connection.begin(response)
        content.attach { [answers] in answers?.wake(for: request) }
        sendContent()
    }

    /// Sends what there is of an answer's content, if the client takes more.
    func sendContent() {
        guard let exchange, case .streaming(let content) = exchange.state,
            connection.takesContent
        else { return }
        let (pieces, end) = content.take()
        for piece in pieces {
            write(connection.send(ByteBuffer(bytes: piece)))
        }
        guard let end else { return }
        self.exchange = nil
        exchange.context.cancellation.settle()
        switch end {
        case .complete: connection.endAnswer(trailers: nil)
        case .aborted: connection.abortAnswer()
        }
    }

    func fail(_ fault: HTTP1Fault) {
        if exchange == nil {
            // Nobody knows what was asked.
            let context = RequestContext(remoteAddress: remoteAddress, start: start)
            refuse(fault.requestFault, method: "", path: "", context: context)
        } else {
            refuse(fault.requestFault)
        }
    }

    func refuse(_ fault: RequestFault) {
        guard let exchange else { return }
        self.exchange = nil
        body = nil
        refuse(
            fault, method: exchange.head.method, path: exchange.head.path,
            context: exchange.context)
    }

    private func refuse(
        _ fault: RequestFault, method: String, path: String, context: RequestContext
    ) {
        responder.didRefuse(
            Refusal(
                api: .rest, method: method, path: path, error: fault.error,
                httpStatus: fault.status, context: context))
        connection.refuse(fault.httpResponse)
    }
}

extension HTTP1Exchange {
    /// When it is to be answered at the latest.
    var answerDeadline: NIODeadline? {
        if case .responding = state { deadline } else { nil }
    }
}
