import MartletCore
import NIOCore
import NIOTLS

/// One HTTP/2 connection to an upstream: carries bytes to and from the core, and answers to the
/// exchanges that wait for them.
final class HTTP2UpstreamConnection: HTTP2Endpoint, LoopTurnMember {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// How far the connection has come.
    private enum State {
        /// Next: open, closed.
        case connecting
        /// Next: ending, closed.
        case open
        /// What was begun is finished, nothing else is begun. Next: closed.
        case ending
        /// Final.
        case closed
    }

    let address: UpstreamAddress
    var connection: HTTP2Connection
    var isFlushing = false
    var isInTurn = false

    let pool: HTTP2UpstreamPool
    let upstream: SharedUpstream
    /// Whether bytes of HTTP/2 can have reached the upstream: with TLS, once that is agreed.
    private(set) var isEstablished = false
    private var state = State.connecting
    private var closingFailure = ForwardingFailure.connectFailed
    private(set) var context: ChannelHandlerContext?
    private var streams = StreamTable<HTTP2UpstreamStream>()
    /// Attempts that wait for the connection, for room among its streams or at its socket.
    var waiting = CircularBuffer<(exchange: Exchange<HTTP2Wire>, attempt: Int)>()
    /// From how many on those are looked through for such as nobody waits for.
    var waitingCheck = 64
    /// Whether the upstream was found to be dead.
    private(set) var isRetired = false
    /// Whether those that waited for the upstream's settings have been dealt with.
    private var hasSpread = false
    /// Whether content is copied before anybody keeps it; see `Channel.isEncrypted`.
    private var copiesContent = false
    private var loadReportTurn: LoadReportTurn
    var pings: UpstreamPings
    /// Whether it was given up for saying nothing.
    var isSilent = false
    var pingTimer: Scheduled<Void>?

    init(
        address: UpstreamAddress, pool: HTTP2UpstreamPool, upstream: SharedUpstream,
        now: NIODeadline
    ) {
        self.address = address
        self.pool = pool
        self.upstream = upstream
        loadReportTurn = LoadReportTurn(of: upstream)
        pings = UpstreamPings(upstream.options, now: now)
        connection = HTTP2Connection(role: .client, limits: .upstream, now: now)
    }

    // MARK: Attempts

    /// Whether requests are under way.
    var isBusy: Bool { !streams.isEmpty }

    /// Since when nobody uses it; `nil` while somebody does, or it is not there yet.
    private(set) var idleSince: NIODeadline?

    /// Ends a connection that nobody uses.
    func closeUnused() {
        guard load == 0 else { return }
        endBeginning()
        endSoon()
    }

    /// Whether another attempt need not wait for one that is under way, as far as is known.
    var hasRoom: Bool {
        !connection.hasSettings || connection.hasStreamRoom && load < connection.peerStreamsMax
    }

    /// Opens a stream for an attempt, now or when there is room.
    func open(for exchange: Exchange<HTTP2Wire>, attempt: Int) {
        switch state {
        case .open where waiting.isEmpty && canBegin:
            begin(exchange, attempt: attempt)
        case .open, .connecting: wait(exchange, attempt: attempt)
        case .ending: exchange.failed(.unprocessed, attempt: attempt)
        case .closed: exchange.failed(closingFailure, attempt: attempt)
        }
    }

    private func begin(_ exchange: Exchange<HTTP2Wire>, attempt: Int) {
        exchange.opened(
            HTTP2UpstreamStream(exchange, attempt: attempt, on: self), attempt: attempt)
        // It was found to be dead while there was no room.
        if isRetired { exchange.upstreamLost(attempt: attempt) }
    }

    /// Whether an attempt can begin now; not before the upstream has said how many it takes, as it
    /// would refuse those above.
    private var canBegin: Bool { connection.hasSettings && connection.canOpen }

    private func beginWaiting() {
        while case .open = state, canBegin, let (exchange, attempt) = waiting.popFirst() {
            begin(exchange, attempt: attempt)
        }
        if connection.hasSettings, !hasSpread { spreadWaiting() }
    }

    /// Leaves to other connections what this one turns out to have no room for.
    private func spreadWaiting() {
        hasSpread = true
        if let context { upstream.note(speaksHTTP2: true, now: context.eventLoop.now) }
        guard !connection.hasStreamRoom, !isRetired else { return }
        let rest = waiting
        waiting.removeAll()
        for (exchange, attempt) in rest where exchange.awaits(attempt) {
            pool.open(address, for: exchange, attempt: attempt)
        }
    }

    /// Begins a stream with the head of a request; 0 where the connection takes none any more.
    func begin(_ stream: HTTP2UpstreamStream, _ head: HTTP2ForwardedHead, isEnd: Bool) -> UInt32 {
        let asks = loadReportTurn.has(attemptAt: stream.start)
        let block = head.block(asksForLoad: asks, timeLeft: stream.timeLeft)
        guard let id = connection.open(block, isHead: head.isHead, isEnd: isEnd) else { return 0 }
        if streams.isEmpty { pings.begin(now: .now()) }
        streams.insert(stream, for: id)
        endSoon()
        return id
    }

    /// Lets go of a stream, and resets it if it is not over.
    func release(_ id: UInt32) {
        guard streams.remove(id) != nil else { return }
        connection.reset(id, .cancel)
        endSoon()
    }

    /// Sees to it that what was handed to the core leaves.
    func endSoon() { pool.turn.add(self) }

    /// The upstream was found to be dead.
    func upstreamLost() {
        isRetired = true
        for id in streams.streams { streams[id]?.upstreamLost() }
        for (exchange, attempt) in Array(waiting) { exchange.upstreamLost(attempt: attempt) }
        endSoon()
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        copiesContent = context.channel.isEncrypted
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        close()
        self.context = nil
    }

    /// The connection has come about.
    func connected() {
        guard case .connecting = state else { return }
        state = .open
        // Content of TLS is copied.
        isEstablished = !copiesContent
        pings.begin(now: .now())
        beginWaiting()
        endSoon()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        let now = context.eventLoop.now
        pings.didRead(now: now)
        connection.receive(copiesContent ? ByteBuffer(buffer: bytes) : bytes, now: now)
        takeEvents()
        endSoon()
    }

    /// What is spoken is agreed (RFC 7301); who says nothing of it may speak HTTP/2.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let agreed)? = event as? TLSUserEvent {
            isEstablished = true
            if let agreed, agreed != "h2" {
                close()
                context.close(promise: nil)
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        connection.setWritable(context.channel.isWritable)
        // The loop that writes goes on with it.
        if !isFlushing { endSoon() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        close()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Begins what waited and writes all that has come together.
    func endTurn() {
        takeEvents()
        beginWaiting()
        guard let context else { return }
        if load > 0 {
            idleSince = nil
        } else if idleSince == nil, connection.hasSettings {
            idleSince = context.eventLoop.now
        }
        switch state {
        case .connecting: break
        case .open, .ending: writeOutput(to: context)
        case .closed: return
        }
        if connection.hasFailed || isUnused { context.close(promise: nil) }
        watch()
    }

    /// Whether nobody needs the connection, nor will.
    private var isUnused: Bool {
        let isOver = if case .ending = state { true } else { isRetired }
        return isOver && streams.isEmpty && waiting.isEmpty
    }

    // MARK: Events

    func takeEvents() {
        while let event = connection.next() { take(event) }
        if !connection.hasStreamsLeft { endBeginning() }
    }

    private func take(_ event: HTTP2Event) {
        switch event {
        case .answer(let id, let head, let isEnd):
            pings.didAnswer()
            if let reading = head.loadReport { streams[id]?.report(reading) }
            streams[id]?.receive(.head(head, isEnd: isEnd))
            if isEnd { release(id) }
        case .data(let id, let bytes, let isEnd):
            pings.didAnswer()
            if bytes.readableBytes > 0 { streams[id]?.receive(bytes) }
            guard isEnd else { return }
            streams[id]?.receive(.end(nil))
            release(id)
        case .trailers(let id, let trailers):
            pings.didAnswer()
            if let reading = trailers.loadReport { streams[id]?.report(reading) }
            streams[id]?.receive(.end(trailers))
            release(id)
        case .unprocessed(let id): streams.remove(id)?.fail(.unprocessed)
        case .reset(let id): streams.remove(id)?.fail(.connectionClosed)
        case .sent(let id, _): streams[id]?.didSend()
        case .goAway: endBeginning()
        case .failed:
            endBeginning()
            failStreams()
        case .head, .pong: break
        }
    }

    /// Begins nothing more on this connection.
    private func endBeginning() {
        guard case .open = state else { return }
        state = .ending
        pool.remove(self)
        failWaiting()
    }

    /// The connection is no more, or never was, so that what waits for it, or will, fails.
    func close(_ failure: ForwardingFailure = .connectFailed) {
        if case .closed = state { return }
        state = .closed
        closingFailure = failure
        pingTimer?.cancel()
        pingTimer = nil
        pool.remove(self)
        failStreams()
        failWaiting(failure)
    }

    private func failStreams() {
        for id in streams.streams { streams.remove(id)?.fail(.connectionClosed) }
    }
}
