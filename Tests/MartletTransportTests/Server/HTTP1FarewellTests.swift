import MartletCore
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Testing

@testable import MartletTransport

/// Who serves a connection of HTTP/1.
enum HTTP1Server: CaseIterable {
    /// A node's own handler.
    case node
    /// The stock codec, in front of which the farewell stands.
    case stock
}

/// Answers each request by its own content, behind the stock codec.
private final class StockEcho: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let deadline: ConnectionDeadline
    private var body = ByteBuffer()

    init(deadline: ConnectionDeadline) {
        self.deadline = deadline
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            body = ByteBuffer()
            deadline.enter(.body)
        case .body(var bytes): body.writeBuffer(&bytes)
        case .end:
            deadline.enter(.idle)
            let headers: HTTPHeaders = ["content-length": String(body.readableBytes)]
            let head = HTTPResponseHead(version: .http1_1, status: .ok, headers: headers)
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}

@Suite("How an HTTP/1 connection takes its leave")
struct HTTP1FarewellTests {
    private func makeConnection(_ server: HTTP1Server) throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        let operations = channel.pipeline.syncOperations
        switch server {
        case .node:
            try operations.addHandler(
                HTTP1ServerHandler(
                    responder: TestResponder(), limits: Limits(), eventLoop: channel.eventLoop))
        case .stock:
            let deadline = ConnectionDeadline(limits: Limits())
            try operations.addHandler(deadline)
            try HTTP1Codec(limits: Limits()).configure(channel, deadline: deadline)
            try operations.addHandler(StockEcho(deadline: deadline))
        }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return channel
    }

    private func send(_ text: String, to channel: EmbeddedChannel) throws {
        try channel.writeInbound(ByteBuffer(string: text))
        channel.embeddedEventLoop.run()
    }

    private func answer(of channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: part)
        }
        return text.lowercased()
    }

    private func post(_ body: String) -> String {
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// A connection that has answered one request, and was then asked to end.
    private func makeEndingConnection(_ server: HTTP1Server) throws -> EmbeddedChannel {
        let channel = try makeConnection(server)
        try send(post("first"), to: channel)
        #expect(try answer(of: channel).hasSuffix("first"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.run()
        return channel
    }

    @Test(arguments: HTTP1Server.allCases)
    func requestOnItsWay_isAnsweredAndTheConnectionCloses(server: HTTP1Server) throws {
        let channel = try makeEndingConnection(server)
        #expect(channel.isActive)
        try send(post("second"), to: channel)
        let text = try answer(of: channel)
        #expect(text.hasSuffix("second"))
        #expect(text.contains("connection: close"))
        #expect(!channel.isActive)
    }

    @Test(arguments: HTTP1Server.allCases)
    func requestThatComesInParts_isAnsweredAndTheConnectionCloses(server: HTTP1Server) throws {
        let channel = try makeEndingConnection(server)
        let request = post("second")
        try send(String(request.prefix(9)), to: channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(channel.isActive)
        try send(String(request.dropFirst(9).dropLast(3)), to: channel)
        try send(String(request.suffix(3)), to: channel)
        #expect(try answer(of: channel).hasSuffix("second"))
        #expect(!channel.isActive)
    }

    @Test(arguments: HTTP1Server.allCases)
    func idleConnection_closesAfterAMoment(server: HTTP1Server) throws {
        let channel = try makeEndingConnection(server)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(100))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(200))
        #expect(!channel.isActive)
    }

    @Test(arguments: HTTP1Server.allCases)
    func requestInProgress_isAnsweredAndTheConnectionCloses(server: HTTP1Server) throws {
        let channel = try makeConnection(server)
        let request = post("first")
        try send(String(request.dropLast(3)), to: channel)
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        try send(String(request.suffix(3)), to: channel)
        #expect(try answer(of: channel).hasSuffix("first"))
        #expect(!channel.isActive)
    }
}
