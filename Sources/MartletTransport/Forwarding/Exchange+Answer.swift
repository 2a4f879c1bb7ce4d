import MartletCore
import MartletTelemetry
import NIOCore

/// What comes of the upstream.
extension Exchange {
    /// An attempt has its connection.
    ///
    /// `attempt` tells late news of earlier attempts apart.
    func opened(_ upstream: any UpstreamExchange<Wire>, attempt: Int) {
        guard attempt == current?.number, current?.upstream == nil else {
            upstream.cancel()
            return
        }
        current?.upstream = upstream
        if let action = machine.opened() { perform(action) }
        // On a connection that was at hand, more of the request may follow in this very read.
        if !isStarting { upstream.flush() }
        if upstream.isWritable { setClientReading(true) }
    }

    /// Whether an attempt that was asked for is still of use.
    func awaits(_ attempt: Int) -> Bool { attempt == current?.number }

    func receive(_ part: ResponsePart<Wire>, attempt: Int) {
        guard client != nil, attempt == current?.number || promote(attempt) else { return }
        note(part)
        if part.isEnd, isToldElsewhere() { return }
        if !rivals.isEmpty, ForwardingFailure(httpStatus: httpStatus, grpcStatus: grpcStatus) == nil
        {
            dropRivals()
        }
        if let delivery = machine.receive(part) { pass(delivery) }
        if stream?.isToBeWatched == true { watchStream() }
        accountForMemory()
    }

    private func pass(_ delivery: ExchangeMachine<Wire>.Delivery) {
        for part in delivery.held { client?.send(part) }
        client?.send(delivery.part)
        guard let isReusable = delivery.isReusable else { return }
        let upstream = current?.upstream
        isAnswered = true
        // A connection that ends with its answer may be closed by the flush, which ends the exchange.
        endAttempt(.answered(httpStatus: httpStatus, grpcStatus: grpcStatus))
        conclude()
        client?.flush()
        if let memory = memoryOfAnswer() { client?.keepUntilSent(memory) }
        upstream?.didFinish(isReusable: isReusable)
        client?.didFinish(requestEnded: isReusable)
        finish()
    }

    /// The upstream has said all it has to say for now.
    func upstreamReadComplete(attempt: Int) {
        guard attempt == current?.number, machine.responseStarted else { return }
        client?.flush()
    }

    func upstreamWritabilityChanged(_ isWritable: Bool, attempt: Int) {
        guard attempt == current?.number else { return }
        setClientReading(isWritable)
        if !isWritable { current?.upstream?.flush() }
    }

    private func note(_ part: ResponsePart<Wire>) {
        switch part {
        case .head(let head, _): note(head)
        case .whole(let head, let bytes):
            note(head)
            note(bytes)
        case .end(let trailers):
            grpcStatus = Wire.grpcStatus(head: nil, trailers: trailers) ?? grpcStatus
            guard answer != nil, subject.api == .grpc else { return }
            answer?.trailers = trailers.flatMap(Wire.fields(behind:))
        case .body(let bytes): note(bytes)
        }
    }

    private func note(_ head: Wire.ResponseHead) {
        httpStatus = Wire.httpStatus(of: head)
        grpcStatus = Wire.grpcStatus(head: head, trailers: nil)
        if Wire.isStream(head) { streamBegins(head) }
        plan.observer?.answerBegins(status: httpStatus, isStream: Wire.isStream(head))
        answer = plan.keptAnswerBytes.map { _ in
            HTTPResponse(status: httpStatus, headers: Wire.fields(of: head))
        }
    }

    private func note(_ bytes: ByteBuffer) {
        if stream != nil { streamContinues(bytes) }
        if let observer = plan.observer {
            bytes.withUnsafeReadableBytes { observer.answerContinues($0) }
        }
        guard let limit = plan.keptAnswerBytes, let count = answer?.body.count else { return }
        if count + bytes.readableBytes > limit {
            answer = nil
        } else {
            answer?.body.append(contentsOf: bytes.readableBytesView)
        }
    }

    /// Forgets what the last attempt answered.
    func forgetAnswer() {
        httpStatus = 0
        grpcStatus = nil
        answer = nil
        stream = nil
    }
}
