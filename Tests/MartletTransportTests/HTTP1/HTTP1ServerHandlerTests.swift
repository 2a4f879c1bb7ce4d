import Foundation
import MartletCore
import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import MartletTransport

/// A connection without a socket, whose clock is turned by hand.
struct EmbeddedConnection {
    let channel = EmbeddedChannel()

    init(
        _ responder: any RequestResponder = TestResponder(), limits: Limits = Limits()
    ) throws {
        let handler = HTTP1ServerHandler(
            responder: responder, limits: SharedLimits(limits), eventLoop: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandler(handler)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
    }

    func send(_ text: String) throws {
        try channel.writeInbound(ByteBuffer(string: text))
        channel.embeddedEventLoop.run()
    }

    func wait(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }

    /// What was written since this was last asked, a part for each write.
    func writes() throws -> [String] {
        var parts: [String] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            parts.append(String(buffer: part))
        }
        return parts
    }

    func answer() throws -> String { try writes().joined() }
}

@Suite("Serving an HTTP/1.1 connection")
struct HTTP1ServerHandlerTests {
    private let get = wire("GET / HTTP/1.1", "Host: a")

    private func post(_ body: String, _ fields: String...) -> String {
        (["POST / HTTP/1.1", "Host: a", "Content-Length: \(body.utf8.count)"] + fields + ["", ""])
            .joined(separator: "\r\n") + body
    }

    /// Keeps what it is asked until it is told to answer.
    private final class Holder: Sendable {
        private let replies = Mutex<[Reply<HTTPResponse>]>([])
        private let contexts = Mutex<[RequestContext]>([])

        func responder() -> TestResponder {
            TestResponder(http: { request, reply in
                self.contexts.withLock { $0.append(request.context) }
                self.replies.withLock { $0.append(reply) }
            })
        }

        var count: Int { replies.withLock { $0.count } }

        func isCancelled(_ index: Int) -> Bool {
            contexts.withLock { $0[index].cancellation.isCancelled }
        }

        func answer(_ index: Int, _ text: String) {
            replies.withLock { $0[index] }
                .send(HTTPResponse(status: 200, body: Array(text.utf8)))
        }
    }

    @Test func requestsOfOneRead_areAnsweredInOneWrite() throws {
        let connection = try EmbeddedConnection()
        try connection.send(post("one") + post("two") + post("three"))
        let writes = try connection.writes()
        #expect(writes.count == 1)
        #expect(writes.first?.components(separatedBy: "HTTP/1.1 200 OK").count == 4)
        #expect(writes.first?.hasSuffix("three") == true)
    }

    @Test func requestInPieces_isAnsweredAtItsEnd() throws {
        let connection = try EmbeddedConnection()
        for byte in post("echo").utf8.dropLast() {
            try connection.send(String(UnicodeScalar(byte)))
        }
        #expect(try connection.answer().isEmpty)
        try connection.send("o")
        #expect(try connection.answer().hasSuffix("echo"))
    }

    @Test func laterRequest_waitsForTheAnswerToTheOneInFront() throws {
        let holder = Holder()
        let connection = try EmbeddedConnection(holder.responder())
        try connection.send(get + get)
        #expect(holder.count == 1)
        holder.answer(0, "one")
        connection.channel.embeddedEventLoop.run()
        #expect(try connection.answer().hasSuffix("one"))
        #expect(holder.count == 2)
        holder.answer(1, "two")
        connection.channel.embeddedEventLoop.run()
        #expect(try connection.answer().hasSuffix("two"))
    }

    @Test func compressedBody_isTakenAndAnUnknownCodingRefused() throws {
        let responder = TestResponder()
        let connection = try EmbeddedConnection(responder)
        let body = try #require(Gzip.compress([UInt8](repeating: 0x61, count: 1000)))
        let head = wire(
            "POST / HTTP/1.1", "Host: a", "Content-Encoding: gzip",
            "Content-Length: \(body.count)")
        try connection.channel.writeInbound(ByteBuffer(bytes: Array(head.utf8) + body))
        #expect(try connection.answer().hasSuffix(String(repeating: "a", count: 1000)))
        try connection.send(wire("POST / HTTP/1.1", "Host: a", "Content-Encoding: br"))
        let refusal = try connection.answer()
        #expect(refusal.hasPrefix("HTTP/1.1 415"))
        #expect(refusal.contains("accept-encoding: identity, deflate, gzip\r\n"))
        #expect(responder.refusals.map(\.httpStatus) == [415])
    }

    @Test func bodyOverTheLimit_isRefusedBeforeItIsSent() throws {
        var limits = Limits()
        limits.messageBytes = 4
        let responder = TestResponder()
        let connection = try EmbeddedConnection(responder, limits: limits)
        try connection.send(
            wire("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Content-Length: 5"))
        let answer = try connection.answer()
        #expect(answer.hasPrefix("HTTP/1.1 413"))
        #expect(answer.contains("connection: close\r\n"))
        #expect(responder.refusals.map(\.httpStatus) == [413])
    }

    @Test func chunksOverTheLimit_areRefusedInOnePieceAndInSeveral() throws {
        var limits = Limits()
        limits.messageBytes = 4
        let head = wire("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")
        for pieces in [["5\r\nechoo\r\n0\r\n\r\n"], ["4\r\necho\r\n", "1\r\no\r\n"]] {
            let connection = try EmbeddedConnection(limits: limits)
            try connection.send(head)
            for piece in pieces { try connection.send(piece) }
            #expect(try connection.answer().hasPrefix("HTTP/1.1 413"))
        }
    }

    @Test func malformedRequest_isToldToTheResponderAndToTheClient() throws {
        let responder = TestResponder()
        let connection = try EmbeddedConnection(responder)
        try connection.send("GET / HTTP/1.1\r\n\r\n" + get)
        let answer = try connection.answer()
        #expect(answer.hasPrefix("HTTP/1.1 400"))
        #expect(answer.hasSuffix(#""error": "The request needs exactly one Host header"\#n}"#))
        let refusal = try #require(responder.refusals.first)
        #expect(refusal.method == "" && refusal.path == "" && refusal.httpStatus == 400)
    }

    @Test func malformedChunks_areToldWithTheirRequest() throws {
        let responder = TestResponder()
        let connection = try EmbeddedConnection(responder)
        try connection.send(
            wire("POST /a HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", body: "x\r\n"))
        #expect(try connection.answer().hasPrefix("HTTP/1.1 400"))
        #expect(responder.refusals.map(\.path) == ["/a"])
    }

    // MARK: Time

    @Test func headThatDoesNotEnd_closesTheConnection() throws {
        let connection = try EmbeddedConnection()
        connection.wait(.seconds(9))
        try connection.send("GET / HTTP/1.1\r\n")
        connection.wait(.milliseconds(900))
        #expect(connection.channel.isActive)
        connection.wait(.milliseconds(200))
        #expect(!connection.channel.isActive)
    }

    @Test func bodyThatStops_isGivenUpByName() throws {
        let connection = try EmbeddedConnection()
        try connection.send(String(post("echo").dropLast(2)))
        connection.wait(.seconds(9))
        try connection.send("h")
        connection.wait(.milliseconds(900))
        #expect(connection.channel.isActive)
        connection.wait(.seconds(2))
        #expect(!connection.channel.isActive)
        #expect(try connection.answer().hasPrefix("HTTP/1.1 408"))
    }

    @Test func idleConnection_isClosedInTheEnd() throws {
        let connection = try EmbeddedConnection()
        try connection.send(get)
        connection.wait(.seconds(299))
        try connection.send(get)
        connection.wait(.seconds(299))
        #expect(connection.channel.isActive)
        connection.wait(.seconds(2))
        #expect(!connection.channel.isActive)
    }

    @Test func answerThatTakesLong_hasNoLimitOfItsOwn() throws {
        let holder = Holder()
        let connection = try EmbeddedConnection(holder.responder())
        try connection.send(get)
        connection.wait(.hours(10))
        holder.answer(0, "late")
        connection.channel.embeddedEventLoop.run()
        #expect(try connection.answer().hasSuffix("late"))
    }

    @Test func requestAtItsDeadline_isAnsweredAndTheLateAnswerIgnored() throws {
        var limits = Limits()
        limits.requestTimeout = .seconds(3)
        let holder = Holder()
        let connection = try EmbeddedConnection(holder.responder(), limits: limits)
        try connection.send(get)
        connection.wait(.seconds(2))
        #expect(try connection.answer().isEmpty)
        connection.wait(.seconds(2))
        #expect(try connection.answer().hasPrefix("HTTP/1.1 504"))
        #expect(holder.isCancelled(0))
        try connection.send(get)
        holder.answer(0, "late")
        connection.channel.embeddedEventLoop.run()
        #expect(try connection.answer().isEmpty)
        holder.answer(1, "right")
        connection.channel.embeddedEventLoop.run()
        #expect(try connection.answer().hasSuffix("right"))
    }

    // MARK: Ends

    @Test func clientThatHangsUp_cancelsItsRequest() throws {
        let holder = Holder()
        let connection = try EmbeddedConnection(holder.responder())
        try connection.send(get)
        #expect(!holder.isCancelled(0))
        _ = try connection.channel.finish()
        #expect(holder.isCancelled(0))
        holder.answer(0, "late")
    }

    @Test func connectionOfOneRequest_closesBehindItsAnswer() throws {
        let connection = try EmbeddedConnection()
        try connection.send(post("echo", "Connection: close"))
        #expect(try connection.answer().contains("connection: close\r\n"))
        #expect(!connection.channel.isActive)
    }

    @Test func readsArePaused_whileTooMuchWaits() throws {
        let holder = Holder()
        let connection = try EmbeddedConnection(holder.responder())
        let reads = ReadCounter()
        try connection.channel.pipeline.syncOperations.addHandler(reads, position: .first)
        try connection.send(get)
        connection.channel.read()
        #expect(reads.count == 1)
        try connection.send(String(repeating: get, count: 4000))
        connection.channel.read()
        #expect(reads.count == 1)
        holder.answer(0, "one")
        connection.channel.embeddedEventLoop.run()
        // Most of it still waits.
        #expect(reads.count == 1)
        for index in 1..<4001 {
            holder.answer(index, "more")
            connection.channel.embeddedEventLoop.run()
        }
        #expect(reads.count == 2)
    }
}

/// Counts what reaches the socket.
private final class ReadCounter: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    private(set) var count = 0

    func read(context: ChannelHandlerContext) {
        count += 1
        context.read()
    }
}
