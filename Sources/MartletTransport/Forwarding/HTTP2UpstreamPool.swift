import MartletCore
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix

/// HTTP/2 connections of one event loop, one to each upstream, shared by all its streams.
final class HTTP2UpstreamPool: UpstreamConnector {
    typealias Wire = HTTP2Wire

    private let eventLoop: any EventLoop
    private let limits: ForwardingLimits
    fileprivate let upstreams: SharedUpstreams
    private var connections: [UpstreamAddress: HTTP2UpstreamConnection] = [:]

    init(eventLoop: any EventLoop, limits: ForwardingLimits, upstreams: SharedUpstreams) {
        self.eventLoop = eventLoop
        self.upstreams = upstreams
        self.limits = limits
    }

    func open(_ address: UpstreamAddress, for exchange: Exchange<HTTP2Wire>, attempt: Int) {
        let connection =
            connections[address]
            ?? HTTP2UpstreamConnection(
                address: address, eventLoop: eventLoop, limits: limits, pool: self)
        connections[address] = connection
        connection.openStream(for: exchange, attempt: attempt)
    }

    /// An upstream was found to be dead: nothing new is sent over the connection to it, and what can
    /// be asked elsewhere is.
    func retire(_ address: UpstreamAddress) {
        connections.removeValue(forKey: address)?.upstreamLost()
    }

    /// Sends no more streams over a connection.
    fileprivate func remove(_ connection: HTTP2UpstreamConnection) {
        if connections[connection.address] === connection {
            connections[connection.address] = nil
        }
    }
}

/// One HTTP/2 connection to an upstream.
private final class HTTP2UpstreamConnection {
    let address: UpstreamAddress
    private let pool: HTTP2UpstreamPool
    private let connecting: EventLoopFuture<NIOHTTP2Handler.StreamMultiplexer>
    private let eventLoop: any EventLoop

    init(
        address: UpstreamAddress, eventLoop: any EventLoop, limits: ForwardingLimits,
        pool: HTTP2UpstreamPool
    ) {
        self.address = address
        self.pool = pool
        self.eventLoop = eventLoop
        let multiplexer = eventLoop.makePromise(of: NIOHTTP2Handler.StreamMultiplexer.self)
        connecting = multiplexer.futureResult
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let upstream = pool.upstreams[address]
        let timeout = upstream.options.connectTimeout
        limits.bootstrap(on: eventLoop, connectTimeout: timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try upstream.configure(channel, to: address, isHTTP2: true)
                    _ = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: HTTP2Tuning.client,
                        streamConfiguration: HTTP2Tuning.stream
                    ) { pushed in
                        pushed.close()
                    }
                    try channel.pipeline.syncOperations.addHandler(
                        UpstreamConnectionWatch { bound.value.retire() })
                }
            }
            .connect(to: address)
            .whenComplete { result in
                // Not before the connection stands: streams of one that never became active
                // would not hear that it failed.
                do {
                    let channel = try result.get()
                    bound.value.channel = channel
                    let handler = try channel.pipeline.syncOperations.handler(
                        type: NIOHTTP2Handler.self)
                    multiplexer.succeed(try handler.syncMultiplexer())
                } catch {
                    bound.value.retire()
                    multiplexer.fail(error)
                }
            }
    }

    private func retire() { pool.remove(self) }

    /// The attempts under way on this connection.
    private var attempts: [ObjectIdentifier: HTTP2UpstreamHandler] = [:]

    fileprivate func upstreamLost() {
        for attempt in Array(attempts.values) { attempt.upstreamLost() }
        isRetired = true
        closeIfUnused()
    }

    fileprivate func didBegin(_ attempt: HTTP2UpstreamHandler) {
        attempts[ObjectIdentifier(attempt)] = attempt
    }

    fileprivate func didEnd(_ attempt: HTTP2UpstreamHandler) {
        attempts[ObjectIdentifier(attempt)] = nil
        if isRetired { closeIfUnused() }
    }

    private var isRetired = false
    private var channel: (any Channel)?

    /// What could not be asked elsewhere may still be answered; then nobody needs the connection.
    private func closeIfUnused() {
        if attempts.isEmpty { channel?.close(promise: nil) }
    }

    func openStream(for exchange: Exchange<HTTP2Wire>, attempt: Int) {
        let bound = NIOLoopBound((self, exchange), eventLoop: eventLoop)
        let eventLoop = eventLoop
        connecting.flatMap { multiplexer in
            let created = eventLoop.makePromise(of: (any Channel).self)
            multiplexer.createStreamChannel(promise: created) { stream in
                stream.eventLoop.makeCompletedFuture {
                    let (connection, exchange) = bound.value
                    let handler = HTTP2UpstreamHandler(exchange: exchange, attempt: attempt) {
                        connection.didEnd($0)
                    }
                    connection.didBegin(handler)
                    try stream.pipeline.syncOperations.addHandler(handler)
                }
            }
            return created.futureResult
        }.whenComplete { result in
            let (connection, exchange) = bound.value
            guard let stream = try? result.get(),
                let handler = try? stream.pipeline.syncOperations.handler(
                    type: HTTP2UpstreamHandler.self)
            else {
                connection.retire()
                // A connection that stands, and takes no more streams, says nothing of the upstream.
                exchange.failed(
                    connection.channel == nil ? .connectFailed : .unprocessed, attempt: attempt)
                return
            }
            exchange.opened(handler, attempt: attempt)
            // It was found to be dead while the stream came about.
            if connection.isRetired { exchange.upstreamLost(attempt: attempt) }
        }
    }
}

/// Notices that an upstream connection takes no more streams.
private final class UpstreamConnectionWatch: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias InboundOut = HTTP2Frame

    private let whenRetired: () -> Void

    init(whenRetired: @escaping () -> Void) {
        self.whenRetired = whenRetired
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .goAway = unwrapInboundIn(data).payload { whenRetired() }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        whenRetired()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        whenRetired()
        context.close(promise: nil)
    }
}

/// One attempt: a stream of an upstream connection.
final class HTTP2UpstreamHandler: ChannelInboundHandler, UpstreamExchange {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload
    typealias Wire = HTTP2Wire

    private let attempt: Int
    private let whenOver: (HTTP2UpstreamHandler) -> Void
    private var exchange: Exchange<HTTP2Wire>?
    private var context: ChannelHandlerContext?

    init(
        exchange: Exchange<HTTP2Wire>, attempt: Int,
        whenOver: @escaping (HTTP2UpstreamHandler) -> Void
    ) {
        self.exchange = exchange
        self.attempt = attempt
        self.whenOver = whenOver
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        whenOver(self)
    }

    /// The upstream was found to be dead.
    func upstreamLost() { exchange?.upstreamLost(attempt: attempt) }

    // MARK: UpstreamExchange

    var isWritable: Bool { context?.channel.isWritable ?? false }

    func send(_ parts: [RequestPart<HTTP2Wire>]) {
        hasBegun = hasBegun || !parts.isEmpty
        for part in parts { context?.write(wrapOutboundOut(.init(part)), promise: nil) }
    }

    /// Whether the upstream knows of the stream.
    private var hasBegun = false

    func flush() { context?.flush() }

    func cancel() {
        exchange = nil
        guard let context else { return }
        // What was never begun cannot be reset (RFC 9113, section 5.1).
        if hasBegun {
            context.writeAndFlush(wrapOutboundOut(.rstStream(.cancel)), promise: nil)
        }
        context.close(promise: nil)
    }

    func setReading(_ isReading: Bool) {
        guard let context else { return }
        context.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
        // Unlike a socket, a stream does not begin to read by itself when it may again.
        if isReading { context.read() }
    }

    func didFinish(isReusable: Bool) {
        if isReusable {
            exchange = nil
        } else {
            cancel()
        }
    }

    // MARK: Channel

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame): receive(frame)
        case .data(let frame):
            guard case .byteBuffer(let bytes) = frame.data else { return }
            if bytes.readableBytes > 0 { exchange?.receive(.body(bytes), attempt: attempt) }
            if frame.endStream { exchange?.receive(.end(nil), attempt: attempt) }
        case .rstStream(let code):
            fail(code == .refusedStream ? .unprocessed : .connectionClosed)
        default: break
        }
    }

    private var hasHead = false

    private func receive(_ frame: HTTP2Frame.FramePayload.Headers) {
        if hasHead {
            exchange?.receive(.end(frame.headers), attempt: attempt)
        } else if let status = frame.headers.first(name: ":status"), !status.hasPrefix("1") {
            hasHead = true
            exchange?.receive(.head(frame.headers, isEnd: frame.endStream), attempt: attempt)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.upstreamReadComplete(attempt: attempt)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(.connectionClosed)
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.upstreamWritabilityChanged(context.channel.isWritable, attempt: attempt)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let streamError = error as? NIOHTTP2Errors.StreamClosed
        fail(streamError?.errorCode == .refusedStream ? .unprocessed : .connectionClosed)
        context.close(promise: nil)
    }

    private func fail(_ failure: ForwardingFailure) {
        let failed = exchange
        exchange = nil
        failed?.failed(failure, attempt: attempt)
    }
}
