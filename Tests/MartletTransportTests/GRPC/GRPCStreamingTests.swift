import MartletCore
import Synchronization
import Testing

@testable import MartletTransport

/// Notes what it is told, and does as a test says.
private final class NotingHandler: GRPCStreamHandler {
    enum Event: Sendable, Hashable {
        case message([UInt8])
        case halfClose
        case cancel
        case room
    }

    typealias Action = @Sendable (Event, GRPCStreamWriter) -> Void

    let events = AsyncStream.makeStream(of: Event.self)
    private let held = Mutex<GRPCStreamWriter?>(nil)
    private let action: Action

    init(_ action: @escaping Action = { _, _ in }) {
        self.action = action
    }

    var writer: GRPCStreamWriter? { held.withLock { $0 } }

    func begin(_ writer: GRPCStreamWriter) -> any GRPCStreamHandler {
        held.withLock { $0 = writer }
        return self
    }

    func dropWriter() { held.withLock { $0 = nil } }

    func receive(_ message: [UInt8]) { note(.message(message)) }
    func didHalfClose() { note(.halfClose) }
    func didCancel() { note(.cancel) }
    func hasRoom() { note(.room) }

    private func note(_ event: Event) {
        if let writer { action(event, writer) }
        events.continuation.yield(event)
    }
}

@Suite("Streaming gRPC calls", .timeLimit(.minutes(10)))
struct GRPCStreamingTests {
    private func run(
        _ handler: NotingHandler, limits: Limits = Limits(),
        _ body: @Sendable (HTTP2Client) async throws -> Void
    ) async throws {
        let responder = TestResponder(stream: { start, writer in
            start.path == "/a.B/Stream" ? handler.begin(writer) : nil
        })
        try await TestServer.run(responder, limits: limits) { (server) async throws in
            let client = try await HTTP2Client.connect(to: server)
            try await body(client)
            await client.close()
        }
    }

    /// Sends each message back, and ends when the client does.
    private func echo() -> NotingHandler {
        NotingHandler { event, writer in
            switch event {
            case .message(let message): _ = writer.write(message)
            case .halfClose: writer.finish()
            case .cancel, .room: break
            }
        }
    }

    @Test func messages_areAnsweredWhileTheClientGoesOn() async throws {
        try await run(echo()) { (client) async throws in
            let call = try await client.call("/a.B/Stream")
            for count in 1...3 {
                try await call.send(message: [UInt8](repeating: 7, count: count))
                await call.read(bytes: (1...count).reduce(0) { $0 + $1 + 5 })
                #expect(call.messages.count == count)
            }
            try await call.send([], end: true)
            await call.readToEnd()
            #expect(call.messages == [[7], [7, 7], [7, 7, 7]])
            #expect(call.field("grpc-status") == "0")
        }
    }

    @Test func messages_compressedOrSplitOrTogether_arriveInOrder() async throws {
        try await run(echo()) { (client) async throws in
            let call = try await client.call("/a.B/Stream", [("grpc-encoding", "gzip")])
            try await call.send(message: compressed([1], .gzip), flag: 1)
            try await call.send([0, 0, 0, 0, 1, 2, 0, 0, 0])
            try await call.send([0, 1, 3], end: true)
            await call.readToEnd()
            #expect(call.messages == [[1], [2], [3]])
        }
    }

    @Test func otherMethods_areUnary() async throws {
        try await run(echo()) { (client) async throws in
            let call = try await client.call("/a.B/C")
            try await call.send(message: [1], end: true)
            await call.readToEnd()
            #expect(call.messages == [[1]])
        }
    }

    @Test func error_endsTheCallBeforeTheClientDoes() async throws {
        let handler = NotingHandler { _, writer in
            writer.finish(ServingError(.notFound, "no such thing"))
        }
        try await run(handler) { (client) async throws in
            let call = try await client.call("/a.B/Stream")
            try await call.send(message: [1])
            await call.readToEnd()
            #expect(call.field("grpc-status") == "5")
            #expect(call.field("grpc-message") == "no such thing")
            #expect(call.messages.isEmpty)
        }
    }

    @Test func writerThatIsDropped_endsTheCallWithAnError() async throws {
        let handler = NotingHandler()
        try await run(handler) { (client) async throws in
            let call = try await client.call("/a.B/Stream")
            var events = handler.events.stream.makeAsyncIterator()
            try await call.send(message: [5])
            #expect(await events.next() == .message([5]))
            #expect(handler.writer?.write([1]) == .accepted)
            await call.read(bytes: 6)
            handler.dropWriter()
            await call.readToEnd()
            #expect(call.messages == [[1]])
            #expect(call.field("grpc-status") == "13")
        }
    }

    @Test func clientThatResets_isToldToTheHandlerAndTheWriter() async throws {
        for isReading in [true, false] {
            let handler = NotingHandler { event, writer in
                if case .message = event { writer.setReading(isReading) }
            }
            try await run(handler) { (client) async throws in
                var events = handler.events.stream.makeAsyncIterator()
                let call = try await client.call("/a.B/Stream")
                try await call.send(message: [1])
                #expect(await events.next() == .message([1]))
                try await call.reset()
                #expect(await events.next() == .cancel)
                #expect(handler.writer?.write([1]) == .ended)
            }
        }
    }

    @Test func deadline_endsTheCallAndIsToldToTheHandler() async throws {
        let handler = NotingHandler()
        try await run(handler) { (client) async throws in
            let call = try await client.call("/a.B/Stream", [("grpc-timeout", "30m")])
            await call.readToEnd()
            #expect(call.field("grpc-status") == "4")
            var events = handler.events.stream.makeAsyncIterator()
            #expect(await events.next() == .cancel)
        }
    }

    @Test func messageOverTheLimit_endsTheCall() async throws {
        var limits = Limits()
        limits.messageBytes = 3
        let handler = NotingHandler()
        try await run(handler, limits: limits) { (client) async throws in
            let call = try await client.call("/a.B/Stream")
            try await call.send(message: [1, 2, 3])
            try await call.send(message: [1, 2, 3, 4])
            await call.readToEnd()
            #expect(call.field("grpc-status") == "8")
            var events = handler.events.stream.makeAsyncIterator()
            #expect(await events.next() == .message([1, 2, 3]))
            #expect(await events.next() == .cancel)
        }
    }

    @Test func streamThatEndsInsideAMessage_isAnInternalError() async throws {
        try await run(NotingHandler()) { (client) async throws in
            let call = try await client.call("/a.B/Stream")
            try await call.send([0, 0, 0, 0, 9, 1], end: true)
            await call.readToEnd()
            #expect(call.field("grpc-status") == "13")
        }
    }

    @Test func pausedReading_holdsTheNextMessageBackUntilItResumes() async throws {
        let handler = NotingHandler { event, writer in
            switch event {
            case .message([1]): writer.setReading(false)
            case .message(let message): _ = writer.write(message)
            case .halfClose: writer.finish()
            case .cancel, .room: break
            }
        }
        try await run(handler) { (client) async throws in
            var events = handler.events.stream.makeAsyncIterator()
            let call = try await client.call("/a.B/Stream")
            // Both in one frame, so that the second has arrived when the first is delivered.
            try await call.send([0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 2], end: true)
            #expect(await events.next() == .message([1]))
            _ = handler.writer?.write([9])
            await call.read(bytes: 6)
            #expect(call.messages == [[9]])
            handler.writer?.setReading(true)
            await call.readToEnd()
            #expect(call.messages == [[9], [2]])
        }
    }

    @Test func clientThatDoesNotRead_boundsWhatTheServerKeeps() async throws {
        var limits = Limits()
        limits.streamBufferBytes = 100_000
        let handler = NotingHandler()
        try await run(handler, limits: limits) { (client) async throws in
            let call = try await client.call("/a.B/Stream")
            try await call.setReading(false)
            let message = [UInt8](repeating: 1, count: 10_000)
            var events = handler.events.stream.makeAsyncIterator()
            try await call.send(message: [5])
            #expect(await events.next() == .message([5]))
            // The windows take some; then the buffer is full and stays so.
            var accepted = 0
            var isStuck = false
            while !isStuck {
                switch handler.writer?.write(message) {
                case .accepted: accepted += 1
                case .full:
                    // No room is announced while the client does not read.
                    isStuck = accepted * message.count > HTTP2Tuning.windowBytes
                    if !isStuck { _ = await events.next() }
                case .ended, nil:
                    Issue.record("The call ended")
                    return
                }
            }
            #expect(accepted * message.count <= HTTP2Tuning.windowBytes + 200_000)
            try await call.setReading(true)
            #expect(await events.next() == .room)
            handler.writer?.finish()
            await call.readToEnd()
            #expect(call.messages.count == accepted)
        }
    }
}
