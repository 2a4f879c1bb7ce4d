import MartletCore
import NIOCore

/// A streaming call on its HTTP/2 stream, between the connection and the handler.
final class GRPCStreamSession {
    private let exchange: HTTP2Exchange
    private let stream: UInt32
    private var reader: GRPCMessageReader
    private var handler: (any GRPCStreamHandler)?
    private var outbox: GRPCOutbox?
    private var connection: HTTP2ServerHandler?
    // Arrived, and not yet read because the handler asked to wait.
    private var unread = ByteBuffer()
    /// Messages that were written and have not left, by their bytes on the wire and their own.
    private var leaving = CircularBuffer<(left: Int, message: Int)>()
    private var isReading = true
    private var isDelivering = false
    private var requestEnded = false
    private var didTellEnd = false
    private var didWriteHead = false

    /// Begins a call; `nil` where the responder streams no method of this path.
    static func start(
        _ exchange: HTTP2Exchange, on stream: UInt32, coding: ContentCoding,
        responder: any RequestResponder, limits: Limits, connection: HTTP2ServerHandler,
        answers: AnswerBox
    ) -> GRPCStreamSession? {
        let session = GRPCStreamSession(
            exchange, stream, reader: GRPCMessageReader(limits: limits, coding: coding),
            connection: connection)
        let outbox = GRPCOutbox(
            session: session, bytesMax: limits.streamBufferBytes, answers: answers,
            eventLoop: connection.eventLoop)
        session.outbox = outbox
        guard
            let handler = responder.stream(
                for: exchange.streamStart, writer: GRPCStreamWriter(outbox: outbox))
        else {
            session.end()
            return nil
        }
        session.handler = handler
        return session
    }

    private init(
        _ exchange: HTTP2Exchange, _ stream: UInt32, reader: GRPCMessageReader,
        connection: HTTP2ServerHandler
    ) {
        self.exchange = exchange
        self.stream = stream
        self.reader = reader
        self.connection = connection
    }

    // MARK: From the client

    func receive(_ bytes: ByteBuffer, isLast: Bool) {
        guard handler != nil else { return }
        if unread.readableBytes == 0 {
            unread = bytes
        } else {
            var bytes = bytes
            unread.writeBuffer(&bytes)
        }
        requestEnded = requestEnded || isLast
        deliver()
    }

    func setReading(_ isReading: Bool) {
        guard self.isReading != isReading, handler != nil else { return }
        self.isReading = isReading
        if isReading { deliver() }
    }

    private func deliver() {
        // The handler may resume reading from within; the loop that runs goes on then.
        guard !isDelivering else { return }
        isDelivering = true
        let before = unread.readableBytes
        defer {
            isDelivering = false
            // What is unread holds the client up once its window is used up.
            connection?.connection.consume(before - unread.readableBytes, on: stream)
        }
        do {
            while isReading, let handler, let message = try reader.next(from: &unread) {
                handler.receive(message)
            }
        } catch {
            fail(RequestFault(wrapping: error).error)
            return
        }
        if unread.readableBytes == 0 { unread = ByteBuffer() } else { unread.discardReadBytes() }
        guard isReading, requestEnded, !didTellEnd, let handler else { return }
        guard reader.isBetweenMessages, unread.readableBytes == 0 else {
            fail(
                ServingError(
                    .internal, "The stream ended inside a message: \(reader.progress)"))
            return
        }
        didTellEnd = true
        handler.didHalfClose()
    }

    /// The client has gone.
    func abandon() {
        guard let handler else { return }
        end()
        exchange.context.cancellation.cancel()
        handler.didCancel()
    }

    /// The client's deadline has passed.
    func expire() {
        fail(ServingError(.deadlineExceeded, "Deadline Exceeded"))
    }

    /// Ends the call for a reason the handler does not know of.
    private func fail(_ error: ServingError) {
        guard let handler, let connection else { return }
        end()
        exchange.context.cancellation.cancel()
        writeEnd(error.code, error.message, to: connection)
        handler.didCancel()
    }

    // MARK: To the client

    func write(_ items: [GRPCOutboxState.Item]) {
        for item in items {
            guard handler != nil, let connection else { return }
            switch item {
            case .message(let message): write(message, to: connection)
            case .end(let code, let text):
                exchange.context.cancellation.settle()
                end()
                writeEnd(code, text, to: connection)
            }
        }
    }

    private func write(_ message: [UInt8], to connection: HTTP2ServerHandler) {
        writeHead(to: connection)
        leaving.append((HTTP2Connection.messagePrefixBytes + message.count, message.count))
        let sent = connection.connection.sendData(message, isMessage: true, on: stream)
        if sent > 0 { didSend(sent) }
    }

    /// So many bytes have left.
    func didSend(_ count: Int) {
        var count = count
        while count > 0, let first = leaving.first {
            guard count >= first.left else {
                leaving[leaving.startIndex].left -= count
                return
            }
            count -= first.left
            leaving.removeFirst()
            if outbox?.didSend(first.message) == true { handler?.hasRoom() }
        }
    }

    private func writeHead(to connection: HTTP2ServerHandler) {
        guard !didWriteHead else { return }
        didWriteHead = true
        connection.connection.sendHead(.grpcHead, on: stream)
    }

    private func writeEnd(
        _ code: StatusCode, _ text: String, to connection: HTTP2ServerHandler
    ) {
        if code == .ok {
            writeHead(to: connection)
            connection.connection.sendTrailers(.grpcSuccess, on: stream)
        } else if didWriteHead {
            let block = FieldBlock.grpcEnd(ServingError(code, text))
            connection.connection.sendTrailers(block, on: stream)
        } else {
            let block = FieldBlock.grpcFailure(ServingError(code, text))
            connection.connection.sendHead(block, on: stream, isEnd: true)
        }
        connection.didAnswer(stream, exchange)
    }

    private func end() {
        handler = nil
        connection = nil
        outbox?.abandon()
        outbox = nil
        unread = ByteBuffer()
        leaving = []
    }
}
