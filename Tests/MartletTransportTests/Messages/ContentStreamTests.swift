import MartletCore
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Content that comes in pieces")
struct ContentStreamTests {
    private final class Notes: Sendable {
        private let notes = Mutex<[String]>([])
        var all: [String] { notes.withLock { $0 } }
        func note(_ text: String) { notes.withLock { $0.append(text) } }
    }

    @Test func pieces_areTakenInOrderAndTheEndBehindThem() {
        let (content, writer) = ContentStream.make(bytesMax: 100)
        #expect(writer.write([1]) == .accepted)
        #expect(writer.write([]) == .accepted)
        #expect(writer.write([2, 3]) == .accepted)
        let first = content.take()
        #expect(first.pieces == [[1], [2, 3]])
        #expect(first.end == nil)
        writer.finish()
        let last = content.take()
        #expect(last.pieces.isEmpty)
        #expect(last.end == .complete)
        #expect(writer.write([4]) == .ended)
    }

    @Test func whatTheClientDoesNotTake_isBounded() {
        let (content, writer) = ContentStream.make(bytesMax: 3)
        #expect(writer.write([1, 2, 3, 4]) == .accepted)
        #expect(writer.write([5]) == .full)
        _ = content.take()
        #expect(writer.write([5]) == .accepted)
        #expect(writer.write([6, 7]) == .accepted)
        #expect(writer.write([8]) == .full)
    }

    @Test func writerThatIsDropped_abortsTheContent() {
        var pair: (content: ContentStream, writer: ContentWriter)? = ContentStream.make(bytesMax: 9)
        let content = pair?.content
        pair = nil
        #expect(content?.take().end == .aborted)
    }

    @Test func connection_isWokenOnceForAllThatComes() {
        let (content, writer) = ContentStream.make(bytesMax: 100)
        let notes = Notes()
        _ = writer.write([1])
        content.attach { notes.note("wake") }
        #expect(notes.all.isEmpty)
        _ = content.take()
        _ = writer.write([2])
        _ = writer.write([3])
        writer.finish()
        #expect(notes.all == ["wake"])
        _ = content.take()
        #expect(notes.all == ["wake"])
    }

    @Test func end_isToldOnceWithWhatWasWritten() {
        let (content, writer) = ContentStream.make(bytesMax: 100)
        let notes = Notes()
        content.onEnd { notes.note("\($0) \($1)") }
        _ = writer.write([1, 2])
        writer.finish()
        content.abandon()
        writer.abort()
        #expect(notes.all == ["true 2"])

        let (gone, late) = ContentStream.make(bytesMax: 100)
        gone.onEnd { notes.note("gone \($0) \($1)") }
        _ = late.write([1])
        gone.abandon()
        #expect(late.write([2]) == .ended)
        gone.onEnd { notes.note("after \($0) \($1)") }
        #expect(notes.all == ["true 2", "gone false 1", "after false 1"])
    }
}

@Suite("Answers whose content comes in pieces, by a server", .timeLimit(.minutes(10)))
struct ContentStreamingTests {
    /// Gives the writers of the answers that it begins.
    private final class Streamer: Sendable {
        let writers = AsyncStream.makeStream(of: ContentWriter.self)
        let cancelled = AsyncStream.makeStream(of: Void.self)

        func responder(bytesMax: Int = 1 << 20) -> TestResponder {
            TestResponder(http: { [self] request, reply in
                let (content, writer) = ContentStream.make(bytesMax: bytesMax)
                request.context.cancellation.onCancel { self.cancelled.continuation.yield() }
                reply.send(HTTPResponse(contentType: "text/event-stream", stream: content))
                writers.continuation.yield(writer)
            })
        }

        func next() async throws -> ContentWriter {
            var iterator = writers.stream.makeAsyncIterator()
            return try #require(await iterator.next())
        }

        func isCancelled() async -> Bool {
            var iterator = cancelled.stream.makeAsyncIterator()
            return await iterator.next() != nil
        }
    }

    private static let get = "GET /s HTTP/1.1\r\nhost: a\r\n\r\n"

    @Test func pieces_comeAsTheyAreWritten_andTheConnectionLivesOn() async throws {
        let streamer = Streamer()
        try await TestServer.run(streamer.responder()) { server in
            let client = try await RawClient.connect(to: server)
            for _ in 0..<2 {
                try await client.send(Self.get)
                let writer = try await streamer.next()
                _ = writer.write(Array("data: 1\n\n".utf8))
                let head = await client.read(until: "data: 1\n\n")
                #expect(head.contains("transfer-encoding: chunked"))
                #expect(head.contains("content-type: text/event-stream"))
                #expect(!head.contains("content-length"))
                _ = writer.write(Array("data: 2\n\n".utf8))
                await client.read(until: "data: 2\n\n")
                writer.finish()
                await client.read(until: "0\r\n\r\n")
                client.forget()
            }
            await client.close()
        }
    }

    @Test func contentThatIsCutOff_endsTheConnectionWithoutALastChunk() async throws {
        let streamer = Streamer()
        try await TestServer.run(streamer.responder()) { server in
            let client = try await RawClient.connect(to: server)
            try await client.send(Self.get)
            let writer = try await streamer.next()
            _ = writer.write(Array("abc".utf8))
            await client.read(until: "abc")
            writer.abort()
            let all = await client.readToEnd()
            #expect(!all.contains("0\r\n\r\n"))
        }
    }

    @Test func clientOfHTTP10_isToldOfTheEndByTheConnections() async throws {
        let streamer = Streamer()
        try await TestServer.run(streamer.responder()) { server in
            let client = try await RawClient.connect(to: server)
            try await client.send("GET /s HTTP/1.0\r\n\r\n")
            let writer = try await streamer.next()
            _ = writer.write(Array("abc".utf8))
            writer.finish()
            let all = await client.readToEnd()
            #expect(all.hasSuffix("connection: close\r\n\r\nabc"))
        }
    }

    @Test func clientThatHangsUp_isToldToTheResponder() async throws {
        let streamer = Streamer()
        try await TestServer.run(streamer.responder()) { server in
            let client = try await RawClient.connect(to: server)
            try await client.send(Self.get)
            let writer = try await streamer.next()
            _ = writer.write(Array("abc".utf8))
            await client.read(until: "abc")
            await client.close()
            #expect(await streamer.isCancelled())
            #expect(writer.write([1]) == .ended)
        }
    }

    @Test func answerThatIsComplete_isNotCancelled() async throws {
        let streamer = Streamer()
        try await TestServer.run(streamer.responder()) { server in
            let client = try await RawClient.connect(to: server)
            try await client.send(Self.get)
            try await streamer.next().finish()
            await client.read(until: "0\r\n\r\n")
            await client.close()
        }
        streamer.cancelled.continuation.finish()
        #expect(!(await streamer.isCancelled()))
    }

    @Test func http2_clientThatTakesNothing_isGivenUp() async throws {
        let streamer = Streamer()
        var limits = Limits.patient
        limits.bodyTimeout = .milliseconds(200)
        try await TestServer.run(streamer.responder(), limits: limits) { server in
            let client = try await HTTP2Client.connect(to: server)
            let stream = try await client.open(HeaderSamples.post, end: true)
            let writer = try await streamer.next()
            try await stream.setReading(false)
            // More than the client's window takes; the rest waits for it.
            _ = writer.write([UInt8](repeating: 7, count: 4 << 20))
            #expect(await streamer.isCancelled())
            #expect(writer.write([1]) == .ended)
            // The others of its connection go on.
            let other = try await client.open(HeaderSamples.post, end: true)
            try await streamer.next().finish()
            await other.readToEnd()
            #expect(other.hasEnded)
            await client.close()
        }
    }

    @Test func http2_streamsAndResets() async throws {
        let streamer = Streamer()
        try await TestServer.run(streamer.responder()) { server in
            let client = try await HTTP2Client.connect(to: server)
            let request = [
                (":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/s"),
            ]
            var stream = try await client.open(request, end: true)
            var writer = try await streamer.next()
            _ = writer.write(Array("abc".utf8))
            await stream.read(bytes: 3)
            #expect(stream.body == Array("abc".utf8))
            // More than the client's window takes at once.
            _ = writer.write([UInt8](repeating: 7, count: 300_000))
            writer.finish()
            await stream.readToEnd()
            #expect(stream.body.count == 300_003)
            #expect(stream.hasEnded)

            stream = try await client.open(request, end: true)
            writer = try await streamer.next()
            _ = writer.write(Array("abc".utf8))
            await stream.read(bytes: 3)
            writer.abort()
            await stream.readToEnd()
            #expect(!stream.hasEnded)

            stream = try await client.open(request, end: true)
            writer = try await streamer.next()
            try await stream.reset()
            #expect(await streamer.isCancelled())
            await client.close()
        }
    }
}
