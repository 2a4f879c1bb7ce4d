import MartletCore
import MartletTelemetry
import NIOCore
import NIOEmbedded
import Testing

@testable import MartletTransport

/// What writing to a socket leads to while more is still to be written.
@Suite("HTTP/1.1 connections whose socket fills as it is written to")
struct HTTP1ReentryTests {
    @Test func answerThatEndsTheConnection_isWrittenOnceAndWhole() throws {
        let (channel, handler) = try connection()
        try channel.writeInbound(
            ByteBuffer(string: wire("GET /a HTTP/1.1", "Host: a", "Connection: close")))
        answer(handler)
        handler.flush()
        let isWhole = try written(to: channel).hasSuffix(
            "186a0\r\n" + String(repeating: "x", count: 100_000) + "\r\n0\r\n\r\n")
        #expect(isWhole)
        channel.embeddedEventLoop.run()
        #expect(!channel.isActive)
    }

    @Test func nextRequest_beginsOnlyWhenWhoeverHadTheAnswerWrittenIsDone() throws {
        let (channel, handler) = try connection()
        let requests = ["/a", "/b"].map { wire("GET \($0) HTTP/1.1", "Host: a") }
        try channel.writeInbound(ByteBuffer(string: requests.joined()))
        #expect(handler.paths == ["/a"])
        answer(handler)
        handler.flush()
        #expect(handler.paths == ["/a"])
        channel.embeddedEventLoop.run()
        #expect(handler.paths == ["/a", "/b"])
        _ = try channel.finish()
    }

    @Test func endOfARequest_thatWasAnsweredBeforeItLeft_leaves() throws {
        let channel = EmbeddedChannel()
        let pool = HTTP1UpstreamPool(
            eventLoop: channel.eventLoop, limits: ForwardingLimits(),
            upstreams: SharedUpstreams())
        let handler = HTTP1UpstreamHandler(
            address: UpstreamAddress(host: "a", port: 1), pool: pool, upstream: SharedUpstream())
        try channel.pipeline.syncOperations.addHandler(handler)
        let attempt = FinishingAttempt(handler)
        #expect(handler.begin(attempt, attempt: 1) == true)
        var bytes = ByteBuffer(
            string: wire("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"))
        var parser = HTTP1HeadParser<HTTP1Head>()
        let parsed = try parser.next(from: &bytes, limits: HTTP1Limits())
        let head = try #require(parsed)
        handler.send(.head(HTTP1ForwardedHead(head, clientAddress: nil), isEnd: false))
        handler.flush()
        _ = try written(to: channel)
        handler.send(.end(nil))
        try channel.writeInbound(
            ByteBuffer(string: wire("HTTP/1.1 200 OK", "Content-Length: 0")))
        #expect(attempt.isFinished)
        #expect(try written(to: channel) == "0\r\n\r\n")
        _ = try channel.finish()
    }

    private func connection() throws -> (EmbeddedChannel, PathsHandler) {
        let channel = EmbeddedChannel()
        let handler = PathsHandler(
            limits: SharedLimits(Limits()), keepsTrailers: false, eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandlers([NarrowSocket(), handler])
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (channel, handler)
    }

    /// Answers as exchanges do: outside of the connection's own work.
    private func answer(_ handler: PathsHandler) {
        handler.connection.begin(HTTPResponse(status: 200))
        let content = ByteBuffer(string: String(repeating: "x", count: 100_000))
        handler.write(handler.connection.send(content))
        handler.connection.endAnswer(trailers: nil)
    }

    private func written(to channel: EmbeddedChannel) throws -> String {
        var text = ""
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            text += String(buffer: part)
        }
        return text
    }
}

/// A socket that takes no more once something is written, until that is flushed; it says so at
/// once, as real ones do.
private final class NarrowSocket: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        context.write(data, promise: promise)
        set(isWritable: false, context)
    }

    func flush(context: ChannelHandlerContext) {
        context.flush()
        set(isWritable: true, context)
    }

    private func set(isWritable: Bool, _ context: ChannelHandlerContext) {
        guard let channel = context.channel as? EmbeddedChannel,
            channel.isWritable != isWritable
        else { return }
        channel.isWritable = isWritable
        context.fireChannelWritabilityChanged()
    }
}

/// Notes which requests have begun.
private final class PathsHandler: HTTP1ConnectionHandler {
    private(set) var paths: [String] = []

    override func take(_ event: HTTP1Event) {
        if case .head(let head, _) = event { paths.append(head.path) }
    }
}

/// Gives its connection back with the end of the answer.
private final class FinishingAttempt: HTTP1Attempt {
    private let upstream: HTTP1UpstreamHandler
    private(set) var isFinished = false

    init(_ upstream: HTTP1UpstreamHandler) { self.upstream = upstream }

    var attemptStart: ContinuousClock.Instant? { nil }

    var timeLeft: Duration? { nil }

    func awaits(_ attempt: Int) -> Bool { true }

    func opened(_ upstream: any UpstreamExchange<HTTP1Wire>, attempt: Int) {}

    func receive(_ part: ResponsePart<HTTP1Wire>, attempt: Int) {
        guard part.isEnd else { return }
        isFinished = true
        upstream.didFinish(isReusable: true)
    }

    func upstreamReadComplete(attempt: Int) {}

    func upstreamWritabilityChanged(_ isWritable: Bool, attempt: Int) {}

    func failed(_ failure: ForwardingFailure, attempt: Int) {}

    func upstreamLost(attempt: Int) {}

    func didReport(_ reading: LoadReading, from upstream: UpstreamAddress) {}
}
