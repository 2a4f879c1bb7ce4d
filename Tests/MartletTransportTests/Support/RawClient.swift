import NIOCore
import NIOPosix
import NIOSSL
import Testing

@testable import MartletTransport

/// Hands what a channel receives to a stream, which ends with the channel.
final class StreamingHandler<Part: Sendable>: ChannelInboundHandler, Sendable {
    typealias InboundIn = Part

    private let continuation: AsyncStream<Part>.Continuation

    init(_ continuation: AsyncStream<Part>.Continuation) {
        self.continuation = continuation
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        continuation.yield(unwrapInboundIn(data))
    }

    func channelInactive(context: ChannelHandlerContext) {
        continuation.finish()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// Sends bytes to a server and reads what comes back.
final class RawClient {
    let channel: any Channel
    private(set) var parts: AsyncStream<ByteBuffer>.Iterator
    private(set) var received = ""

    private init(channel: any Channel, parts: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.parts = parts.makeAsyncIterator()
    }

    static func connect(
        to server: TestServer, tls: TLSConfiguration? = nil
    ) async throws -> RawClient {
        let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let context = try tls.map { try NIOSSLContext(configuration: $0) }
        let bootstrap = ClientBootstrap(group: server.eventLoops.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHandler(StreamingHandler(continuation))
                }
            }
        let channel =
            if server.listener.port == 0 {
                try await bootstrap.connect(
                    unixDomainSocketPath: String(server.listener.address.dropFirst(5))
                ).get()
            } else {
                try await bootstrap.connect(
                    host: "127.0.0.1", port: server.listener.port
                ).get()
            }
        return RawClient(channel: channel, parts: stream)
    }

    func send(_ text: String) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text)).get()
    }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// Reads until `text` has come, or the end.
    @discardableResult
    func read(until text: String) async -> String {
        while !received.contains(text), let part = await parts.next() {
            received += String(buffer: part)
        }
        return received
    }

    /// Reads until the server closes.
    func readToEnd() async -> String {
        while let part = await parts.next() { received += String(buffer: part) }
        return received
    }

    /// The bodies that came are left out of what comes next.
    func forget() { received = "" }

    func close() async { try? await channel.close() }
}

/// A request in HTTP/1.1 whose connection ends with the answer.
func http1(_ line: String, _ fields: [String] = [], body: String = "") -> String {
    var lines = ["\(line) HTTP/1.1", "Host: martlet.test", "Connection: close"] + fields
    if !body.isEmpty { lines.append("Content-Length: \(body.utf8.count)") }
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
}
