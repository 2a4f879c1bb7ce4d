import MartletCore
import NIOCore
import NIOEmbedded
import Testing

@testable import MartletTransport

@Suite("How an HTTP/1 connection takes its leave")
struct HTTP1FarewellTests {
    private func makeConnection() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(
            HTTP1ServerHandler(
                responder: TestResponder(), limits: SharedLimits(Limits()),
                eventLoop: channel.eventLoop))
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
    private func makeEndingConnection() throws -> EmbeddedChannel {
        let channel = try makeConnection()
        try send(post("first"), to: channel)
        #expect(try answer(of: channel).hasSuffix("first"))
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        channel.embeddedEventLoop.run()
        return channel
    }

    @Test func requestOnItsWay_isAnsweredAndTheConnectionCloses() throws {
        let channel = try makeEndingConnection()
        #expect(channel.isActive)
        try send(post("second"), to: channel)
        let text = try answer(of: channel)
        #expect(text.hasSuffix("second"))
        #expect(text.contains("connection: close"))
        #expect(!channel.isActive)
    }

    @Test func requestThatComesInParts_isAnsweredAndTheConnectionCloses() throws {
        let channel = try makeEndingConnection()
        let request = post("second")
        try send(String(request.prefix(9)), to: channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(channel.isActive)
        try send(String(request.dropFirst(9).dropLast(3)), to: channel)
        try send(String(request.suffix(3)), to: channel)
        #expect(try answer(of: channel).hasSuffix("second"))
        #expect(!channel.isActive)
    }

    @Test func idleConnection_closesAfterAMoment() throws {
        let channel = try makeEndingConnection()
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(100))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(200))
        #expect(!channel.isActive)
    }

    @Test func requestInProgress_isAnsweredAndTheConnectionCloses() throws {
        let channel = try makeConnection()
        let request = post("first")
        try send(String(request.dropLast(3)), to: channel)
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        try send(String(request.suffix(3)), to: channel)
        #expect(try answer(of: channel).hasSuffix("first"))
        #expect(!channel.isActive)
    }
}
