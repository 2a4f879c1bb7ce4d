import MartletCore
import MartletTelemetry
import NIOCore
import NIOHPACK
import NIOHTTP2

/// The client's side of the exchange on one HTTP/2 stream.
final class HTTP2ForwardingHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload
    typealias Wire = HTTP2Wire

    private let core: ForwarderCore
    private let pool: HTTP2UpstreamPool
    private let limits: Limits
    private var context: ChannelHandlerContext?
    private var exchange: Exchange<HTTP2Wire>?
    private var isGRPC = false
    private var timer: Scheduled<Void>?
    private var attemptTimer: Scheduled<Void>?

    init(core: ForwarderCore, pool: HTTP2UpstreamPool, limits: Limits) {
        self.core = core
        self.pool = pool
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        attemptTimer?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .headers(let frame):
            if exchange == nil {
                begin(frame, context: context)
            } else {
                exchange?.receive(.end(frame.headers))
            }
        case .data(let frame):
            guard case .byteBuffer(let bytes) = frame.data else { return }
            if bytes.readableBytes > 0 { exchange?.receive(.body(bytes)) }
            if frame.endStream { exchange?.receive(.end(nil)) }
        case .rstStream: clientClosed()
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.clientReadComplete()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        clientClosed()
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.clientWritabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        clientClosed()
        context.close(promise: nil)
    }

    private func clientClosed() {
        let closed = exchange
        exchange = nil
        closed?.clientClosed()
    }

    private func begin(_ frame: HTTP2Frame.FramePayload.Headers, context: ChannelHandlerContext) {
        let peer = context.channel.parent?.remoteAddress?.text ?? "unknown"
        let request = StreamRequest(frame.headers, remoteAddress: peer)
        isGRPC = request.isGRPC
        if let fault = request.fault(limits: limits) {
            sendError(fault)
            return
        }
        let exchange = Exchange<HTTP2Wire>(
            subject: .init(
                api: request.isGRPC ? .grpc : .rest, method: request.method, path: request.path,
                context: request.context),
            client: self, forwarder: core, connector: pool)
        self.exchange = exchange
        var headers = frame.headers
        if let address = context.channel.parent?.remoteAddress?.ipAddress {
            headers.add(name: "x-forwarded-for", value: address)
        }
        exchange.receive(.head(headers, isEnd: frame.endStream))
        let patience = exchange.patience(core.limits.requestTimeout)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.exchange?.timedOut()
        }
        exchange.start()
        watchAttempt()
    }
}

extension HTTP2ForwardingHandler {
    /// Looks at the attempt that is under way when its time is up, and at those that follow.
    private func watchAttempt() {
        guard let context, let deadline = exchange?.attemptDeadline else { return }
        let wait = TimeAmount(max(deadline - .now, .zero))
        attemptTimer = context.eventLoop.assumeIsolated().scheduleTask(in: wait) {
            guard let exchange = self.exchange else { return }
            if let deadline = exchange.attemptDeadline, deadline <= .now {
                exchange.attemptTimedOut()
            }
            self.watchAttempt()
        }
    }
}

extension HTTP2ForwardingHandler: ExchangeClient {
    func send(_ parts: [ResponsePart<HTTP2Wire>]) {
        for part in parts { context?.write(wrapOutboundOut(.init(part)), promise: nil) }
    }

    func flush() { context?.flush() }

    func sendError(_ error: ServingError) {
        exchange = nil
        guard let channel = context?.channel else { return }
        if isGRPC {
            StreamResponse.write(.failure(error.code, error.message), to: channel)
        } else {
            let isTooLarge = error.code == .resourceExhausted
            StreamResponse.write(
                HTTPResponse(
                    status: isTooLarge ? 413 : error.code.httpStatus,
                    contentType: "application/json", body: errorBody(error.message)),
                to: channel)
        }
    }

    func abort() {
        exchange = nil
        guard let context else { return }
        context.writeAndFlush(wrapOutboundOut(.rstStream(.internalError)), promise: nil)
        context.close(promise: nil)
    }

    func setReading(_ isReading: Bool) {
        guard let context else { return }
        context.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
        // Unlike a socket, a stream does not begin to read by itself when it may again.
        if isReading { context.read() }
    }

    func didFinish(requestEnded: Bool) {
        exchange = nil
        if !requestEnded {
            // RFC 9113, section 8.1: a response may end before its request.
            context?.writeAndFlush(wrapOutboundOut(.rstStream(.noError)), promise: nil)
        }
    }
}
