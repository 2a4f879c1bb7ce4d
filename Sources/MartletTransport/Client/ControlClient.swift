import MartletCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// A small HTTP/1.1 client for health checks, status and tests: one connection for each request.
///
/// Requests of clients never go this way; the gateway's data path has its own pools.
public struct ControlClient: Sendable {
    let eventLoops: EventLoops
    let tls: NIOSSLContext?
    /// The name that servers' certificates are for; `nil` for the host's.
    let serverName: String?

    /// Creates a client on the given event loops that speaks in the clear.
    public init(eventLoops: EventLoops) {
        self.init(eventLoops: eventLoops, encryption: nil)
    }

    /// Creates a client on the given event loops that speaks as requests to upstreams do.
    ///
    /// - Parameters:
    ///   - eventLoops: where it works.
    ///   - encryption: certificates and keys that were read before; `nil` to speak in the clear.
    public init(eventLoops: EventLoops, encryption: UpstreamEncryption?) {
        self.eventLoops = eventLoops
        tls = encryption?.http1
        serverName = encryption?.serverName
    }

    /// Creates a client on the given event loops.
    ///
    /// - Parameters:
    ///   - eventLoops: where it works.
    ///   - tls: how servers are known; `nil` to speak in the clear.
    /// - Throws: `ServingError` that names the file of a certificate or key that cannot be used.
    public init(eventLoops: EventLoops, tls: ClientTLS?) throws {
        self.eventLoops = eventLoops
        self.tls = try tls?.load()
        serverName = nil
    }

    /// Asks for a path.
    ///
    /// - Parameters:
    ///   - host: name or address of the server.
    ///   - port: the server's port.
    ///   - path: path and query.
    ///   - timeout: limit for connecting, asking and the whole answer together.
    ///   - maximumBytes: largest body taken.
    /// - Returns: the response, whatever its status.
    /// - Throws: `ServingError`: `DEADLINE_EXCEEDED` or `UNAVAILABLE`.
    public func get(
        host: String, port: Int, path: String, timeout: Duration, maximumBytes: Int = 16 << 20
    ) async throws -> HTTPResponse {
        try await send(
            ControlRequest(path: path), host: host, port: port, timeout: timeout,
            maximumBytes: maximumBytes)
    }

    /// Connects, and says nothing.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) where there is no connection in time.
    public func connect(host: String, port: Int, timeout: Duration) async throws {
        do {
            let channel = try await ClientBootstrap(group: eventLoops.group)
                .connectTimeout(TimeAmount(timeout))
                .connect(host: host, port: port).get()
            try? await channel.close()
        } catch {
            throw ServingError(.unavailable, "Cannot connect to \(host):\(port)", cause: error)
        }
    }

    /// Sends a request.
    ///
    /// - Parameters:
    ///   - request: the request.
    ///   - host: name or address of the server.
    ///   - port: the server's port.
    ///   - timeout: limit for connecting, asking and the whole answer together.
    ///   - maximumBytes: largest body taken.
    /// - Returns: the response, whatever its status.
    /// - Throws: `ServingError`: `DEADLINE_EXCEEDED` or `UNAVAILABLE`.
    public func send(
        _ request: ControlRequest, host: String, port: Int, timeout: Duration,
        maximumBytes: Int = 16 << 20
    ) async throws -> HTTPResponse {
        let eventLoop = eventLoops.group.next()
        let result = eventLoop.makePromise(of: HTTPResponse.self)
        let timer = eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            result.fail(
                ServingError(
                    .deadlineExceeded,
                    "No answer from \(host):\(port) within \(timeout.seconds) s"))
        }
        let connection = ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            ControlClient.encryption(tls, host: serverName ?? host))
                    }
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(
                        ControlExchange(
                            host: host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)",
                            request: request,
                            maximumBytes: maximumBytes,
                            result: result))
                }
            }
            .connect(host: host, port: port)
        connection.whenFailure { error in
            result.fail(
                ServingError(.unavailable, "Cannot connect to \(host):\(port)", cause: error))
        }
        defer {
            timer.cancel()
            connection.whenSuccess { $0.close(promise: nil) }
        }
        return try await withTaskCancellationHandler {
            try await result.futureResult.get()
        } onCancel: {
            result.fail(CancellationError())
        }
    }
}

extension ControlClient {
    static func encryption(
        _ context: NIOSSLContext, host: String
    ) throws -> NIOSSLClientHandler {
        do {
            return try NIOSSLClientHandler(context: context, serverHostname: host)
        } catch let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI {
            // The certificate has to name the address then, which the library sees to by itself.
            return try NIOSSLClientHandler(context: context, serverHostname: nil)
        }
    }

    /// What went wrong on a connection, in words.
    static func failure(_ error: any Error, host: String) -> ServingError {
        if let error = error as? ServingError { return error }
        let isOfTLS = error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError
        let message = isOfTLS ? "TLS with \(host) failed: \(error)" : "Talking to \(host) failed"
        return ServingError(.unavailable, message, cause: error)
    }
}

/// What a ``ControlClient`` sends.
public struct ControlRequest: Sendable {
    /// The method.
    public var method: String

    /// Path and query.
    public var path: String

    /// Header fields beside those that the client adds.
    public var headers: HeaderFields

    /// The body.
    public var body: [UInt8]

    /// Creates a request.
    public init(
        method: String = "GET", path: String, headers: HeaderFields = [:], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
    }

    /// What is sent to a server that is known as `host`.
    func parts(host: String) -> [HTTPClientRequestPart] {
        var fields: HTTPHeaders = ["connection": "close"]
        if headers.first("host") == nil { fields.add(name: "host", value: host) }
        for field in headers.fields { fields.add(name: field.name, value: field.value) }
        if !body.isEmpty { fields.add(name: "content-length", value: String(body.count)) }
        let head = HTTPRequestHead(
            version: .http1_1, method: HTTPMethod(rawValue: method), uri: path, headers: fields)
        guard !body.isEmpty else { return [.head(head), .end(nil)] }
        return [.head(head), .body(.byteBuffer(ByteBuffer(bytes: body))), .end(nil)]
    }
}

/// Sends one request and collects its response.
private final class ControlExchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let host: String
    private let request: ControlRequest
    private let maximumBytes: Int
    private let result: EventLoopPromise<HTTPResponse>
    private var response = HTTPResponse(status: 0)

    init(
        host: String, request: ControlRequest, maximumBytes: Int,
        result: EventLoopPromise<HTTPResponse>
    ) {
        self.host = host
        self.request = request
        self.maximumBytes = maximumBytes
        self.result = result
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
            response.status = Int(head.status.code)
            response.headers = HeaderFields(head.headers.map { (name: $0.name, value: $0.value) })
        case .body(let bytes):
            guard response.body.count + bytes.readableBytes <= maximumBytes else {
                fail("The answer of \(host) exceeds \(maximumBytes) bytes")
                context.close(promise: nil)
                return
            }
            response.body.append(contentsOf: bytes.readableBytesView)
        case .end:
            result.succeed(response)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail("\(host) closed the connection before its answer was complete")
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        result.fail(ControlClient.failure(error, host: host))
        context.close(promise: nil)
    }

    // Promises ignore all results but the first, so this may follow a success.
    private func fail(_ message: String) {
        result.fail(ServingError(.unavailable, message))
    }
}
