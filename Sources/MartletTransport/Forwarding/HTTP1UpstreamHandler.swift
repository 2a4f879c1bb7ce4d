import NIOCore

/// One HTTP/1.1 connection to an upstream: serves one attempt at a time, idle in between.
final class HTTP1UpstreamHandler: ChannelDuplexHandler, UpstreamExchange, UnusedConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    typealias Wire = HTTP1Wire

    let address: UpstreamAddress
    var idleSince = NIODeadline.now()

    private let pool: HTTP1UpstreamPool
    private var context: ChannelHandlerContext?
    private var exchange: (any HTTP1Attempt)?
    private var attempt = 0
    private var reader = HTTP1AnswerReader(limits: HTTP1Limits())
    /// What goes out in front of `output`.
    private var large: [ByteBuffer] = []
    private var output = ByteBuffer()
    private var isFlushing = false
    private var isChunked = false
    private var isPaused = false
    private var owesRead = false
    /// Whether the upstream was found to be dead.
    private(set) var isRetired = false
    /// Until it closes; asking the channel for each request would cost.
    private var isOpen = false
    /// Whether content is copied before anybody keeps it; see `Channel.isEncrypted`.
    private var copiesContent = false
    private var loadReportTurn: LoadReportTurn

    init(address: UpstreamAddress, pool: HTTP1UpstreamPool, upstream: SharedUpstream) {
        self.address = address
        self.pool = pool
        loadReportTurn = LoadReportTurn(of: upstream)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        isOpen = true
        copiesContent = context.channel.isEncrypted
        pool.add(self)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        isOpen = false
        self.context = nil
    }

    /// Takes an attempt on; `false` when the connection is of no use any more.
    func begin(_ exchange: any HTTP1Attempt, attempt: Int) -> Bool {
        guard isOpen, !reader.hasStrayBytes else { return false }
        self.exchange = exchange
        self.attempt = attempt
        return true
    }

    /// Closes an idle connection.
    func close() { context?.close(promise: nil) }

    func closeUnused(_ completion: @escaping @Sendable () -> Void) {
        pool.forget(self)
        guard let context else { return completion() }
        context.channel.closeFuture.whenComplete { _ in completion() }
        context.close(promise: nil)
    }

    /// The upstream was found to be dead.
    func upstreamLost() {
        isRetired = true
        exchange?.upstreamLost(attempt: attempt)
    }

    // MARK: UpstreamExchange

    private(set) var isWritable = true

    func send(_ part: RequestPart<HTTP1Wire>) {
        switch part {
        case .head(let head, _): begin(head)
        case .body(let bytes): write(bytes)
        case .end(let trailers):
            if isChunked { output.writeLastChunk(trailers: trailers) }
        case .whole(let head, let bytes):
            begin(head)
            write(bytes)
        }
    }

    private func begin(_ head: HTTP1ForwardedHead) {
        let asks = loadReportTurn.has(attemptAt: exchange?.attemptStart)
        head.write(
            to: &output, host: address.description, asksForLoad: asks,
            timeLeft: exchange?.timeLeft)
        isChunked = head.framing == .chunked
        reader.expect(isToHead: head.isHead, allowsUpgrade: head.asksForUpgrade)
    }

    private func write(_ bytes: ByteBuffer) {
        large += output.writeContent(bytes, inChunks: isChunked)
    }

    /// Writes what was sent to the socket.
    ///
    /// To write may be to learn that the upstream takes more, or no more, and so to be called
    /// again: what then comes stands behind what is being written.
    func flush() {
        guard !isFlushing else { return }
        isFlushing = true
        defer { isFlushing = false }
        repeat {
            guard let context else { return }
            let (first, last) = (large, output)
            large = []
            output = ByteBuffer()
            for bytes in first { context.write(wrapOutboundOut(bytes), promise: nil) }
            if last.readableBytes > 0 {
                context.writeAndFlush(wrapOutboundOut(last), promise: nil)
            } else {
                context.flush()
            }
        } while hasOutput
    }

    private var hasOutput: Bool { !large.isEmpty || output.readableBytes > 0 }

    func cancel() {
        exchange = nil
        context?.close(promise: nil)
    }

    func setReading(_ isReading: Bool) {
        isPaused = !isReading
        guard isReading, owesRead else { return }
        owesRead = false
        context?.read()
    }

    func didFinish(isReusable: Bool) {
        exchange = nil
        setReading(true)
        // The end of a request may have been sent just before its answer came.
        if isReusable, hasOutput { flush() }
        guard isOpen, isReusable, !isRetired, reader.isReusable, !reader.hasStrayBytes,
            pool.giveBack(self)
        else {
            self.context?.close(promise: nil)
            return
        }
    }

    // MARK: Channel

    func read(context: ChannelHandlerContext) {
        if isPaused {
            owesRead = true
        } else {
            context.read()
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let isToCopy = copiesContent && reader.isReceivingContent
        reader.receive(isToCopy ? ByteBuffer(buffer: bytes) : bytes)
        guard exchange != nil else {
            // Nobody has asked.
            context.close(promise: nil)
            return
        }
        do throws(HTTP1Fault) {
            while let exchange, let event = try reader.next() {
                switch event {
                case .head(let head, let isEnd):
                    if let reading = head.loadReport { exchange.didReport(reading, from: address) }
                    exchange.receive(.head(head, isEnd: isEnd), attempt: attempt)
                case .content(let bytes): exchange.receive(.body(bytes), attempt: attempt)
                case .end(var trailers):
                    if let reading = trailers?.takeLoadReport() {
                        exchange.didReport(reading, from: address)
                    }
                    exchange.receive(.end(trailers), attempt: attempt)
                case .whole(let head, let content):
                    if let reading = head.loadReport { exchange.didReport(reading, from: address) }
                    exchange.receive(.whole(head, content), attempt: attempt)
                }
            }
        } catch {
            fail()
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.upstreamReadComplete(attempt: attempt)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isOpen = false
        pool.remove(self)
        if reader.receiveEnd() {
            exchange?.receive(.end(nil), attempt: attempt)
        }
        fail()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        exchange?.upstreamWritabilityChanged(isWritable, attempt: attempt)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail()
        context.close(promise: nil)
    }

    private func fail() {
        let failed = exchange
        exchange = nil
        failed?.failed(.connectionClosed, attempt: attempt)
    }
}
