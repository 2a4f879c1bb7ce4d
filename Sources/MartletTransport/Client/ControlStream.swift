import MartletCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// The answer to a request of a ``ControlClient``, whose body is read piece by piece.
///
/// No more is read than somebody takes, so that a large or endless body takes no memory. The
/// connection is closed when nobody has this any more. One task at a time takes pieces.
public final class ControlStream: Sendable {
    /// The status.
    public let status: Int

    /// The header fields.
    public let headers: HeaderFields

    private let connection: ControlStreamConnection

    fileprivate init(_ head: HTTPResponseHead, _ connection: ControlStreamConnection) {
        status = Int(head.status.code)
        headers = HeaderFields(head.headers.map { (name: $0.name, value: $0.value) })
        self.connection = connection
    }

    deinit { close() }

    /// The next piece of the body.
    ///
    /// - Parameter timeout: the longest wait for it.
    /// - Returns: at least one byte; `nil` once the body is complete.
    /// - Throws: `ServingError`: `DEADLINE_EXCEEDED`, after which the connection is closed,
    ///   `UNAVAILABLE` where the connection ends before the body.
    public func next(within timeout: Duration) async throws -> [UInt8]? {
        try await connection.await(timeout) { $0.take($1) }
    }

    /// What is left of the body, for answers that are short.
    ///
    /// - Parameters:
    ///   - bytesMax: no more is taken.
    ///   - timeout: the longest wait for each piece.
    /// - Returns: the bytes.
    /// - Throws: `ServingError`, as for ``next(within:)``.
    public func rest(atMost bytesMax: Int, within timeout: Duration) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < bytesMax, let piece = try await next(within: timeout) {
            bytes.append(contentsOf: piece.prefix(bytesMax - bytes.count))
        }
        return bytes
    }

    /// Closes the connection, whatever is left of the body.
    public func close() {
        connection.channel.close(promise: nil)
    }
}

extension ControlClient {
    /// Sends a request, and gives its answer as soon as that begins.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - host: name or address of the server.
    ///   - port: the server's port.
    ///   - timeout: limit for connecting, and for the beginning of the answer.
    /// - Returns: the response, whatever its status.
    /// - Throws: `ServingError`: `DEADLINE_EXCEEDED` or `UNAVAILABLE`.
    public func open(
        _ request: ControlRequest, host: String, port: Int, timeout: Duration
    ) async throws -> ControlStream {
        let name = "\(host):\(port)"
        let connection: ControlStreamConnection
        do {
            connection = try await ClientBootstrap(group: eventLoops.group)
                .connectTimeout(TimeAmount(timeout))
                .connect(host: host, port: port) { [tls, serverName] channel in
                    channel.eventLoop.makeCompletedFuture {
                        if let tls {
                            try channel.pipeline.syncOperations.addHandler(
                                ControlClient.encryption(tls, host: serverName ?? host))
                        }
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        let exchange = ControlStreamExchange(host: name, request: request)
                        try channel.pipeline.syncOperations.addHandler(exchange)
                        return ControlStreamConnection(
                            channel: channel, host: name,
                            exchange: NIOLoopBound(exchange, eventLoop: channel.eventLoop))
                    }
                }
        } catch {
            throw ServingError(.unavailable, "Cannot connect to \(name)", cause: error)
        }
        do {
            let head = try await connection.await(timeout) { $0.takeHead($1) }
            return ControlStream(head, connection)
        } catch {
            connection.channel.close(promise: nil)
            throw error
        }
    }
}

/// A connection and what is read from it.
private struct ControlStreamConnection: Sendable {
    let channel: any Channel
    let host: String
    let exchange: NIOLoopBound<ControlStreamExchange>

    /// Waits for what the exchange gives to a promise.
    func await<Value: Sendable>(
        _ timeout: Duration,
        _ ask: @escaping @Sendable (ControlStreamExchange, EventLoopPromise<Value>) -> Void
    ) async throws -> Value {
        let promise = channel.eventLoop.makePromise(of: Value.self)
        // Promises ignore all results but the first.
        let timer = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            promise.fail(
                ServingError(
                    .deadlineExceeded, "No answer from \(host) within \(timeout.seconds) s"))
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        channel.eventLoop.execute { [exchange] in ask(exchange.value, promise) }
        return try await withTaskCancellationHandler {
            try await promise.futureResult.get()
        } onCancel: {
            promise.fail(CancellationError())
            channel.close(promise: nil)
        }
    }
}

/// Sends one request, and reads its response as it is asked for.
private final class ControlStreamExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let request: ControlRequest
    private var context: ChannelHandlerContext?
    private var head: HTTPResponseHead?
    private var pieces: CircularBuffer<[UInt8]> = []
    private var end: Result<Void, any Error>?
    private var headWaiter: EventLoopPromise<HTTPResponseHead>?
    private var pieceWaiter: EventLoopPromise<[UInt8]?>?

    init(host: String, request: ControlRequest) {
        self.host = host
        self.request = request
    }

    // MARK: Who takes

    /// Gives the head, at once or when it comes.
    func takeHead(_ promise: EventLoopPromise<HTTPResponseHead>) {
        if let head {
            promise.succeed(head)
        } else if case .failure(let error) = end {
            promise.fail(error)
        } else {
            headWaiter = promise
        }
    }

    /// Gives the next piece, at once or when it comes.
    func take(_ promise: EventLoopPromise<[UInt8]?>) {
        if let piece = pieces.popFirst() {
            promise.succeed(piece)
        } else {
            switch end {
            case .success: promise.succeed(nil)
            case .failure(let error): promise.fail(error)
            case nil:
                pieceWaiter = promise
                context?.read()
            }
        }
    }

    // MARK: What comes

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        for part in request.parts(host: host) {
            context.write(wrapOutboundOut(part), promise: nil)
        }
        context.flush()
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            // From here on only what somebody waits for is read.
            try? context.channel.syncOptions?.setOption(.autoRead, value: false)
            headWaiter?.succeed(head)
            headWaiter = nil
        case .body(let bytes):
            guard bytes.readableBytes > 0 else { return }
            let piece = Array(bytes.readableBytesView)
            if let waiter = pieceWaiter {
                pieceWaiter = nil
                waiter.succeed(piece)
            } else {
                pieces.append(piece)
            }
        case .end:
            finish(.success(()))
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // What came was less than a piece.
        if pieceWaiter != nil { context.read() }
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(
            .failure(
                ServingError(
                    .unavailable, "\(host) closed the connection before its answer was complete")))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(ControlClient.failure(error, host: host)))
        context.close(promise: nil)
    }

    private func finish(_ result: Result<Void, any Error>) {
        guard end == nil else { return }
        end = result
        let error: any Error =
            switch result {
            case .failure(let error): error
            case .success: ServingError(.unavailable, "\(host) did not answer")
            }
        headWaiter?.fail(error)
        headWaiter = nil
        guard let waiter = pieceWaiter else { return }
        pieceWaiter = nil
        if case .failure = result { waiter.fail(error) } else { waiter.succeed(nil) }
    }
}
