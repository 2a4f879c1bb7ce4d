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
    private var isHead = false
    private var requestBytes = 0
    private var bodyBytesMax = Int.max
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
            requestBytes += bytes.readableBytes
            guard requestBytes <= bodyBytesMax else {
                refuseBody()
                return
            }
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
            refuse(RequestFault(fault))
            return
        }
        // What a route goes by and what a node goes by must be the same (RFC 9113, section 8.3.1).
        if let host = frame.headers.first(name: "host"),
            let authority = frame.headers.first(name: ":authority"),
            !host.equalsIgnoringASCIICase(authority)
        {
            refuse(RequestFault(.invalidArgument("The host field is not that of :authority")))
            return
        }
        let exchange = Exchange<HTTP2Wire>(
            subject: ForwardedRequest(
                api: request.isGRPC ? .grpc : .rest, method: request.method, path: request.path,
                authority: frame.headers.first(name: ":authority"),
                fields: HeaderFields(
                    frame.headers.compactMap { name, value, _ in
                        name.hasPrefix(":") ? nil : (name: name, value: value)
                    }),
                clientNames: context.channel.parent.map { ClientName.names(of: $0) } ?? [],
                context: request.context),
            client: self, forwarder: core, connector: pool,
            messageBytesMax: limits.messageBytes, eventLoop: context.eventLoop)
        self.exchange = exchange
        isHead = request.method == "HEAD"
        bodyBytesMax = exchange.plan.bodyBytesMax ?? .max
        let address = context.channel.parent?.remoteAddress?.ipAddress
        exchange.receiveHead(isEnd: frame.endStream) { changes in
            var headers = frame.headers.changed(by: changes?.request ?? FieldChanges())
            if let path = changes?.path { headers.replacePath(with: path) }
            if let address { headers.add(name: "x-forwarded-for", value: address) }
            return headers
        }
        watchRequest()
        exchange.start()
    }
}

extension HTTP2ForwardingHandler {
    /// Ends the request when the client's patience is at its end.
    private func watchRequest() {
        guard let context, let exchange else { return }
        timer?.cancel()
        let patience = exchange.patience(core.limits.requestTimeout)
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: patience) {
            self.exchange?.timedOut()
        }
    }

    private func refuseBody() {
        let refused = exchange
        let fault = RequestFault(RequestValidation.bodyTooLarge(limit: bodyBytesMax))
        refuse(fault)
        refused?.refused(status: fault.status, code: fault.error.code)
    }

    func didDecide() {
        guard let exchange else { return }
        bodyBytesMax = exchange.plan.bodyBytesMax ?? .max
        watchRequest()
        if requestBytes > bodyBytesMax { refuseBody() }
    }

    func didBegin() { watchAttempt() }

    /// Looks at the attempt that is under way when its time is up, and at those that follow.
    private func watchAttempt() {
        guard let context, let deadline = exchange?.attemptDeadline else { return }
        attemptTimer?.cancel()
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
        let changes = exchange?.plan.changes?.response ?? FieldChanges()
        for part in parts {
            if case .head(let headers, let isEnd) = part, !changes.isEmpty {
                let changed = headers.changed(by: changes)
                context?.write(wrapOutboundOut(.init(.head(changed, isEnd: isEnd))), promise: nil)
            } else {
                context?.write(wrapOutboundOut(.init(part)), promise: nil)
            }
        }
    }

    func flush() { context?.flush() }

    func sendError(_ error: ServingError, fields: HeaderFields) {
        refuse(RequestFault(error, status: error.code.httpStatus, fields: fields))
    }

    private func refuse(_ fault: RequestFault) {
        exchange = nil
        guard let channel = context?.channel else { return }
        if isGRPC {
            StreamResponse.writeFailure(fault.error, fields: fault.fields, to: channel)
        } else {
            StreamResponse.write(fault.httpResponse, isHead: isHead, to: channel)
        }
    }

    func sendAnswer(_ answer: HTTPResponse) {
        exchange = nil
        guard let channel = context?.channel else { return }
        StreamResponse.write(answer, isHead: isHead, to: channel)
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

extension HPACKHeaders {
    /// Puts another path in the place of that which came, leaving the query.
    mutating func replacePath(with path: String) {
        let target = first(name: ":path") ?? ""
        let query = target.firstIndex(of: "?").map { String(target[$0...]) } ?? ""
        // In its place: those of the protocol come before all others (RFC 9113, section 8.3).
        self = HPACKHeaders(map { ($0.name, $0.name == ":path" ? path + query : $0.value) })
    }
}
