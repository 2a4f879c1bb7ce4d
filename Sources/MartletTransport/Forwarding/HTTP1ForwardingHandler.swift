import MartletCore
import MartletTelemetry
import NIOCore
import NIOHTTP1

/// The client's side of exchanges on an HTTP/1.1 connection, one after the other.
final class HTTP1ForwardingHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart
    typealias Wire = HTTP1Wire

    private let core: ForwarderCore
    private let pool: HTTP1UpstreamPool
    private let limits: Limits
    private let deadline: ConnectionDeadline
    private var context: ChannelHandlerContext?
    private var exchange: Exchange<HTTP1Wire>?
    private var keepAlive = true
    /// Whether the client must be told that its connection is kept, which is new to it.
    private var isHTTP10 = false
    private var requestBytes = 0
    private var requestEnded = false
    private var isDiscarding = false
    private var responseWritten: EventLoopFuture<Void>?

    init(
        core: ForwarderCore, pool: HTTP1UpstreamPool, limits: Limits, deadline: ConnectionDeadline
    ) {
        self.core = core
        self.pool = pool
        self.limits = limits
        self.deadline = deadline
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isDiscarding else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(head, context: context)
        case .body(let bytes):
            requestBytes += bytes.readableBytes
            guard requestBytes <= limits.messageBytes else {
                refuse(RequestValidation(limits: limits).bodyTooLarge, status: 413)
                return
            }
            exchange?.receive(.body(bytes))
        case .end(let trailers):
            requestEnded = true
            deadline.enter(.response)
            exchange?.receive(.end(trailers))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        exchange?.clientReadComplete()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        exchange?.clientClosed()
        exchange = nil
        context.fireChannelInactive()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        exchange?.clientWritabilityChanged(context.channel.isWritable)
        context.fireChannelWritabilityChanged()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func begin(_ head: HTTPRequestHead, context: ChannelHandlerContext) {
        keepAlive = head.isKeepAlive
        isHTTP10 = head.version.minor == 0
        requestBytes = 0
        requestEnded = false
        if let fault = RequestValidation(limits: limits).fault(in: head) {
            refuse(fault, status: fault.code.httpStatus)
            return
        }
        deadline.enter(.body)
        if head.headers.first(name: "expect")?.lowercased() == "100-continue" {
            let interim = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(interim)), promise: nil)
        }
        let remoteAddress = context.channel.remoteAddress
        let exchange = Exchange<HTTP1Wire>(
            subject: .init(
                api: .rest, method: head.method.rawValue, path: head.path,
                context: RequestContext(remoteAddress: remoteAddress?.text ?? "unknown")),
            client: self, forwarder: core, connector: pool)
        self.exchange = exchange
        var forwarded = head
        forwarded.version = .http1_1
        forwarded.headers = HTTP1Wire.forwardable(head.headers)
        if let address = remoteAddress?.ipAddress {
            forwarded.headers.add(name: "x-forwarded-for", value: address)
        }
        exchange.receive(.head(forwarded, isEnd: false))
        exchange.start(timeout: core.limits.requestTimeout, on: context.eventLoop)
    }

    private func refuse(_ error: ServingError, status: Int) {
        exchange?.clientClosed()
        exchange = nil
        requestEnded = false
        keepAlive = false
        write(error, status: status)
        didFinish(requestEnded: false)
    }

    private func write(_ error: ServingError, status: Int) {
        guard let context else { return }
        let body = errorBody(error.message)
        var headers: HTTPHeaders = [
            "content-type": "application/json", "content-length": String(body.count),
            "date": HTTPDate.now(),
        ]
        if !keepAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let buffer = context.channel.allocator.buffer(bytes: body)
        context.write(wrapOutboundOut(.body(.byteBuffer(buffer))), promise: nil)
        writeEnd(nil, context: context)
        context.flush()
    }

    private func writeEnd(_ trailers: HTTPHeaders?, context: ChannelHandlerContext) {
        let written = context.eventLoop.makePromise(of: Void.self)
        context.write(wrapOutboundOut(.end(trailers)), promise: written)
        responseWritten = written.futureResult
    }
}

extension HTTP1ForwardingHandler: ExchangeClient {
    func send(_ parts: [ResponsePart<HTTP1Wire>]) {
        guard let context else { return }
        for part in parts {
            switch part {
            case .head(var head, _):
                head.headers = HTTP1Wire.forwardable(head.headers)
                if !keepAlive || !requestEnded {
                    head.headers.add(name: "connection", value: "close")
                } else if isHTTP10 {
                    head.headers.add(name: "connection", value: "keep-alive")
                }
                context.write(wrapOutboundOut(.head(head)), promise: nil)
            case .body(let bytes):
                context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
            case .end(let trailers): writeEnd(trailers, context: context)
            }
        }
    }

    func flush() { context?.flush() }

    func sendError(_ error: ServingError) {
        exchange = nil
        if !requestEnded { keepAlive = false }
        write(error, status: error.code.httpStatus)
        didFinish(requestEnded: requestEnded)
    }

    func abort() {
        exchange = nil
        context?.close(promise: nil)
    }

    func setReading(_ isReading: Bool) {
        context?.channel.setOption(.autoRead, value: isReading).whenFailure { _ in }
    }

    func didFinish(requestEnded: Bool) {
        exchange = nil
        guard let channel = context?.channel else { return }
        if keepAlive, requestEnded {
            deadline.enter(.idle)
            return
        }
        isDiscarding = true
        deadline.enter(.response)
        responseWritten?.whenComplete { _ in
            guard !requestEnded else {
                channel.close(promise: nil)
                return
            }
            // As on a node: closing at once would reset the connection before the answer is read.
            channel.close(mode: .output, promise: nil)
            channel.eventLoop.scheduleTask(in: .seconds(2)) { channel.close(promise: nil) }
        }
    }
}
