import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

@testable import MartletTransport

/// Opens HTTP/2 streams to a server.
struct HTTP2Client {
    let channel: any Channel
    private let multiplexer: NIOHTTP2Handler.StreamMultiplexer

    static func connect(
        to server: TestServer, tls: TLSConfiguration? = nil
    ) async throws -> HTTP2Client {
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let multiplexer = Mutex<NIOHTTP2Handler.StreamMultiplexer?>(nil)
        let channel = try await ClientBootstrap(group: server.eventLoops.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    }
                    let made = try channel.pipeline.syncOperations.configureHTTP2Pipeline(
                        mode: .client, connectionConfiguration: HTTP2Tuning.client,
                        streamConfiguration: HTTP2Tuning.stream
                    ) { $0.eventLoop.makeSucceededVoidFuture() }
                    multiplexer.withLock { $0 = made }
                    try channel.pipeline.syncOperations.addHandler(HTTP2ErrorHandler())
                }
            }
            .connect(host: "127.0.0.1", port: server.listener.port).get()
        guard let made = multiplexer.withLock({ $0 }) else { throw ChannelError.eof }
        return HTTP2Client(channel: channel, multiplexer: made)
    }

    func open(_ fields: [(String, String)], end: Bool = false) async throws -> HTTP2TestStream {
        let (parts, continuation) = AsyncStream.makeStream(of: HTTP2Frame.FramePayload.self)
        let channel = try await multiplexer.createStreamChannel { stream in
            stream.eventLoop.makeCompletedFuture {
                try stream.pipeline.syncOperations.addHandler(StreamingHandler(continuation))
            }
        }.get()
        let stream = HTTP2TestStream(channel: channel, parts: parts)
        try await stream.send(.headers(.init(headers: HPACKHeaders(fields), endStream: end)))
        return stream
    }

    /// Opens a gRPC call.
    func call(
        _ path: String, _ fields: [(String, String)] = [], end: Bool = false
    ) async throws -> HTTP2TestStream {
        try await open(
            [
                (":method", "POST"), (":scheme", "http"), (":path", path),
                (":authority", "martlet.test"), ("content-type", "application/grpc"),
                ("te", "trailers"),
            ] + fields, end: end)
    }

    func close() async { try? await channel.close() }
}

/// Closes a connection after an error that concerns all of it.
private final class HTTP2ErrorHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard !(error is NIOHTTP2Errors.StreamError) else { return }
        context.close(promise: nil)
    }
}

/// One stream and what came on it.
final class HTTP2TestStream {
    private let channel: any Channel
    private var parts: AsyncStream<HTTP2Frame.FramePayload>.Iterator
    private(set) var headers: [HPACKHeaders] = []
    private(set) var body: [UInt8] = []
    /// Whether the server has said that this was all.
    private(set) var hasEnded = false

    init(channel: any Channel, parts: AsyncStream<HTTP2Frame.FramePayload>) {
        self.channel = channel
        self.parts = parts.makeAsyncIterator()
    }

    func send(_ payload: HTTP2Frame.FramePayload) async throws {
        try await channel.writeAndFlush(payload).get()
    }

    func send(_ bytes: [UInt8], end: Bool = false) async throws {
        let data = IOData.byteBuffer(ByteBuffer(bytes: bytes))
        try await send(.data(.init(data: data, endStream: end)))
    }

    /// Sends a gRPC message.
    func send(message: [UInt8], flag: UInt8 = 0, end: Bool = false) async throws {
        var frame = ByteBuffer()
        frame.writeInteger(flag)
        frame.writeInteger(UInt32(message.count))
        frame.writeBytes(message)
        try await send(Array(frame.readableBytesView), end: end)
    }

    /// Stops or resumes taking what the server sends.
    func setReading(_ isReading: Bool) async throws {
        try await channel.setOption(.autoRead, value: isReading).get()
        if isReading { channel.read() }
    }

    func reset() async throws {
        try await send(.rstStream(.cancel))
    }

    /// Reads one frame; `false` at the end.
    func readFrame() async -> Bool {
        switch await parts.next() {
        case .headers(let frame)?:
            headers.append(frame.headers)
            hasEnded = hasEnded || frame.endStream
        case .data(let frame)?:
            hasEnded = hasEnded || frame.endStream
            if case .byteBuffer(let bytes) = frame.data { body += bytes.readableBytesView }
        case .some: break
        case nil: return false
        }
        return true
    }

    /// Reads until at least `count` bytes of body have come, or the end.
    func read(bytes count: Int) async {
        while body.count < count, await readFrame() {}
    }

    func readToEnd() async {
        while await readFrame() {}
    }

    func field(_ name: String) -> String? {
        headers.lazy.compactMap { $0.first(name: name) }.first
    }

    /// The gRPC messages that came whole.
    var messages: [[UInt8]] {
        var rest = ByteBuffer(bytes: body)
        var messages: [[UInt8]] = []
        while let flag = rest.readInteger(as: UInt8.self), flag == 0,
            let length = rest.readInteger(as: UInt32.self),
            let message = rest.readBytes(length: Int(length))
        {
            messages.append(message)
        }
        return messages
    }
}

/// Settings of the stock HTTP/2 stack.
enum HTTP2Tuning {
    static let windowBytes = 1 << 20

    static var client: NIOHTTP2Handler.ConnectionConfiguration {
        var configuration = NIOHTTP2Handler.ConnectionConfiguration()
        configuration.initialSettings = [
            HTTP2Setting(parameter: .enablePush, value: 0),
            HTTP2Setting(parameter: .initialWindowSize, value: windowBytes),
        ]
        configuration.targetWindowSize = windowBytes
        return configuration
    }

    static var stream: NIOHTTP2Handler.StreamConfiguration {
        var configuration = NIOHTTP2Handler.StreamConfiguration()
        configuration.targetWindowSize = windowBytes
        return configuration
    }
}
