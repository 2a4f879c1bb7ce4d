import NIOCore

/// One attempt: a stream of an upstream connection.
final class HTTP2UpstreamStream: UpstreamExchange {
    typealias Wire = HTTP2Wire

    private let attempt: Int
    private let connection: HTTP2UpstreamConnection
    private var exchange: Exchange<HTTP2Wire>?
    /// 0 before the upstream knows of it.
    private var id: UInt32 = 0
    private var isReading = true
    /// Bytes that came while the answer was not read; its window waits for them.
    private var heldBytes = 0

    init(_ exchange: Exchange<HTTP2Wire>, attempt: Int, on connection: HTTP2UpstreamConnection) {
        self.exchange = exchange
        self.attempt = attempt
        self.connection = connection
    }

    /// When its attempt began; `nil` where that is over.
    var start: ContinuousClock.Instant? { exchange?.current?.start }

    /// How long the client still waits; `nil` where it has not said so.
    var timeLeft: Duration? { exchange?.timeLeft }

    // MARK: UpstreamExchange

    private(set) var isWritable = true

    func send(_ part: RequestPart<HTTP2Wire>) {
        switch part {
        case .head(let head, let isEnd): begin(head, isEnd: isEnd)
        case .body(let bytes): connection.connection.sendContent(bytes, on: id)
        case .end(.none): connection.connection.sendEnd(on: id)
        case .end(.some(let trailers)):
            connection.connection.sendTrailers(trailers.block, on: id)
        case .whole(let head, let bytes):
            begin(head, isEnd: false)
            connection.connection.sendContent(bytes, on: id)
            connection.connection.sendEnd(on: id)
        }
        connection.endSoon()
        guard isWritable, connection.connection.waitingCount(of: id) > HTTP2Wire.waitingMax else {
            return
        }
        isWritable = false
        exchange?.upstreamWritabilityChanged(false, attempt: attempt)
    }

    private func begin(_ head: HTTP2ForwardedHead, isEnd: Bool) {
        id = connection.begin(self, head, isEnd: isEnd)
        // Nothing can have been begun since there was room; if it has, it is told.
        if id == 0 { fail(.unprocessed) }
    }

    /// What was sent leaves when the event loop's turn ends.
    func flush() {}

    func cancel() {
        exchange = nil
        connection.release(id)
    }

    func setReading(_ isReading: Bool) {
        guard isReading != self.isReading else { return }
        self.isReading = isReading
        if isReading {
            connection.connection.releaseWindow(of: id, count: heldBytes)
            heldBytes = 0
            connection.endSoon()
        } else {
            connection.connection.holdWindow(of: id)
        }
    }

    /// A stream serves one request: what is left of it nobody wants.
    func didFinish(isReusable: Bool) { cancel() }

    // MARK: What comes of the upstream

    func receive(_ bytes: ByteBuffer) {
        if !isReading { heldBytes += bytes.readableBytes }
        exchange?.receive(.body(bytes), attempt: attempt)
    }

    /// The upstream has told how loaded it is.
    func report(_ reading: LoadReading) {
        guard let exchange else { return }
        exchange.policy.didReport(reading, from: connection.address, exchange.plan)
    }

    func receive(_ part: ResponsePart<HTTP2Wire>) { exchange?.receive(part, attempt: attempt) }

    /// Something that waited has left.
    func didSend() {
        guard !isWritable, connection.connection.waitingCount(of: id) <= HTTP2Wire.waitingMin else {
            return
        }
        isWritable = true
        exchange?.upstreamWritabilityChanged(true, attempt: attempt)
    }

    /// The upstream was found to be dead.
    func upstreamLost() { exchange?.upstreamLost(attempt: attempt) }

    func fail(_ failure: ForwardingFailure) {
        let failed = exchange
        exchange = nil
        failed?.failed(failure, attempt: attempt)
    }
}
