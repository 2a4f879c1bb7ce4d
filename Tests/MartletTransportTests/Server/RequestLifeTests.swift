import Foundation
import MartletCore
import Synchronization
import Testing

@testable import MartletTransport

/// Never answers what it was asked, until it is told to.
private final class HeldRequests: Sendable {
    private let replies = Mutex<[Reply<HTTPResponse>]>([])
    private let events = AsyncStream.makeStream(of: String.self)

    /// What happens to the requests, in order: "asked" and "cancelled".
    var happenings: AsyncStream<String> { events.stream }

    func responder() -> TestResponder {
        TestResponder(http: { request, reply in
            guard request.path == "/held" else {
                reply.send(HTTPResponse(status: 200, body: Array("prompt".utf8)))
                return
            }
            self.replies.withLock { $0.append(reply) }
            self.events.continuation.yield("asked")
            request.context.cancellation.onCancel {
                self.events.continuation.yield("cancelled")
            }
        })
    }

    /// Answers as soon as nobody waits for the answer any more.
    static func sulking() -> TestResponder {
        TestResponder(http: { request, reply in
            request.context.cancellation.onCancel {
                reply.send(HTTPResponse(status: 499, body: Array("cancelled".utf8)))
            }
        })
    }

    /// The oldest that is held, to be answered late.
    func takeFirst() -> Reply<HTTPResponse>? {
        replies.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    /// Answers all that is held, however late.
    func release() {
        while let reply = takeFirst() {
            reply.send(HTTPResponse(status: 200, body: Array("late".utf8)))
        }
    }
}

@Suite("Lives of HTTP requests", .timeLimit(.minutes(10)))
struct RequestLifeTests {
    private let timedOut = "{\n    \"error\": \"Timed out waiting for notification\"\n}"

    private var impatient: Limits {
        var limits = Limits.patient
        // Long enough for a prompt answer on a busy machine.
        limits.requestTimeout = .milliseconds(500)
        return limits
    }

    private func fields(_ path: String, method: String = "GET") -> [(String, String)] {
        [
            (":method", method), (":scheme", "http"), (":path", path),
            (":authority", "martlet.test"),
        ]
    }

    @Test func http1_atTheDeadline_answers504AndCancels() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder(), limits: impatient) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await client.read(until: timedOut)
            #expect(answer.hasPrefix("HTTP/1.1 504"))
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            #expect(await happenings.next() == "cancelled")
            // The connection lives on.
            try await client.send(http1("GET /prompt"))
            #expect(await client.readToEnd().hasSuffix("prompt"))
            held.release()
            await client.close()
        }
    }

    @Test func http1_atTheTimeThatTheClientNames_answers504AndCancels() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder()) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send(
                "GET /held HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: 50\r\n\r\n")
            #expect(await client.read(until: timedOut).hasPrefix("HTTP/1.1 504"))
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            #expect(await happenings.next() == "cancelled")
            held.release()
            await client.close()
        }
    }

    @Test func http1_withATimeThatIsNone_answers400() async throws {
        try await TestServer.run { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send(
                "GET / HTTP/1.1\r\nHost: a\r\nX-Request-Timeout-Ms: soon\r\n\r\n")
            let answer = await client.read(until: "999999999")
            #expect(answer.hasPrefix("HTTP/1.1 400"))
            await client.close()
        }
    }

    @Test func http1_withALateAnswerToTheRequestBefore_waitsForItsOwn() async throws {
        let held = HeldRequests()
        var limits = Limits.patient
        limits.requestTimeout = .milliseconds(300)
        try await TestServer.run(held.responder(), limits: limits) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            var happenings = held.happenings.makeAsyncIterator()
            try await client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await client.read(until: timedOut).hasPrefix("HTTP/1.1 504"))
            #expect(await happenings.next() == "asked")
            #expect(await happenings.next() == "cancelled")
            client.forget()
            let late = held.takeFirst()
            try await client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await happenings.next() == "asked")
            late?.send(HTTPResponse(status: 200, body: Array("late".utf8)))
            #expect(await client.read(until: timedOut).hasPrefix("HTTP/1.1 504"))
            #expect(!client.received.contains("late"))
            await client.close()
        }
    }

    @Test func http2_atTheDeadline_answers504AndCancels() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder(), limits: impatient) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.open(fields("/held"), end: true)
            await stream.readToEnd()
            #expect(stream.field(":status") == "504")
            #expect(String(decoding: stream.body, as: UTF8.self) == timedOut)
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            #expect(await happenings.next() == "cancelled")
            held.release()
            await client.close()
        }
    }

    @Test func http2_atTheTimeThatTheClientNames_answers504AndCancels() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder()) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.open(
                fields("/held") + [("x-request-timeout-ms", "50")], end: true)
            await stream.readToEnd()
            #expect(stream.field(":status") == "504")
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            #expect(await happenings.next() == "cancelled")
            held.release()
            await client.close()
        }
    }

    @Test func http1_atTheDeadline_answers504AheadOfWhatCancellingAnswers() async throws {
        let responder = HeldRequests.sulking()
        try await TestServer.run(responder, limits: impatient) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send("GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let answers = await client.readToEnd()
            #expect(answers.hasPrefix("HTTP/1.1 504"))
            #expect(answers.hasSuffix(timedOut))
        }
    }

    @Test func http2_atTheDeadline_answers504AheadOfWhatCancellingAnswers() async throws {
        let responder = HeldRequests.sulking()
        try await TestServer.run(responder, limits: impatient) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.open(fields("/held"), end: true)
            await stream.readToEnd()
            #expect(stream.field(":status") == "504")
            #expect(String(decoding: stream.body, as: UTF8.self) == timedOut)
            await client.close()
        }
    }

    @Test func http1_whoseClientHangsUp_isCancelledAtOnce() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder()) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            await client.close()
            #expect(await happenings.next() == "cancelled")
            held.release()
        }
    }

    @Test func http2_whoseClientResetsTheStream_isCancelledAtOnce() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder()) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.open(fields("/held"), end: true)
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            try await stream.reset()
            #expect(await happenings.next() == "cancelled")
            held.release()
            await client.close()
        }
    }

    @Test func answeredRequest_isNotCancelledWhenTheClientLeaves() async throws {
        let held = HeldRequests()
        try await TestServer.run(held.responder()) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            var happenings = held.happenings.makeAsyncIterator()
            #expect(await happenings.next() == "asked")
            held.release()
            await client.read(until: "late")
            await client.close()
            let other = try await RawClient.connect(to: server)
            try await other.send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(await happenings.next() == "asked")
            held.release()
            await other.close()
        }
    }

    @Test func head_isAnsweredLikeGetWithoutItsBody() async throws {
        let responder = TestResponder(http: { request, reply in
            let text = request.method + request.query
            reply.send(HTTPResponse(status: 200, body: Array(text.utf8)))
        })
        try await TestServer.run(responder) { (server) async throws in
            let client = try await RawClient.connect(to: server)
            try await client.send("HEAD /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n")
            try await client.send(http1("GET /a?b=c"))
            let received = await client.readToEnd()
            let lengths = received.components(separatedBy: "content-length: 6\r\n")
            #expect(lengths.count == 3)
            #expect(received.components(separatedBy: "GETb=c").count == 2)
            #expect(received.hasSuffix("GETb=c"))
            let http2 = try await HTTP2Client.connect(to: server)
            let stream = try await http2.open(fields("/a?b=c", method: "HEAD"), end: true)
            await stream.readToEnd()
            #expect(stream.field(":status") == "200")
            #expect(stream.field("content-length") == "6")
            #expect(stream.body.isEmpty)
            await http2.close()
        }
    }
}
