import MartletCore
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Answers that are read piece by piece")
struct ControlStreamTests {
    private static let patience = Duration.seconds(60)

    /// Opens an answer of a server.
    private func open(
        _ server: TestServer, _ request: ControlRequest = ControlRequest(path: "/")
    ) async throws -> ControlStream {
        try await ControlClient(eventLoops: server.eventLoops).open(
            request, host: "127.0.0.1", port: server.listener.port,
            timeout: ControlStreamTests.patience)
    }

    @Test func piece_isThereBeforeTheNextIsWritten() async throws {
        let writers = Mutex<ContentWriter?>(nil)
        let responder = TestResponder(http: { _, reply in
            let (content, writer) = ContentStream.make(bytesMax: 1 << 20)
            _ = writer.write(Array("one".utf8))
            writers.withLock { $0 = writer }
            reply.send(HTTPResponse(contentType: "text/event-stream", stream: content))
        })
        try await TestServer.run(responder) { server in
            let answer = try await open(server)
            #expect(answer.status == 200)
            #expect(answer.headers.first("content-type") == "text/event-stream")
            for text in ["one", "two", "three"] {
                let piece = try await answer.next(within: ControlStreamTests.patience)
                #expect(piece == Array(text.utf8))
                let next = ["one": "two", "two": "three"][text]
                let writer = writers.withLock { $0 }
                if let next { _ = writer?.write(Array(next.utf8)) } else { writer?.finish() }
            }
            #expect(try await answer.next(within: ControlStreamTests.patience) == nil)
            #expect(try await answer.next(within: ControlStreamTests.patience) == nil)
        }
    }

    @Test func bodyOfAnySize_comesWhole() async throws {
        for count in [0, 1, 65_536, 9 << 20] {
            let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let responder = TestResponder(http: { _, reply in
                reply.send(HTTPResponse(status: 203, body: body))
            })
            try await TestServer.run(responder) { server in
                let answer = try await open(server)
                #expect(answer.status == 203)
                let patience = ControlStreamTests.patience
                let rest = try await answer.rest(atMost: count + 1, within: patience)
                #expect((rest == body) == true, "\(rest.count) bytes came")
            }
        }
    }

    @Test func request_comesAsItWasMade() async throws {
        let responder = TestResponder(http: { request, reply in
            let seen = "\(request.method) \(request.path) \(request.headers.first("host") ?? "")"
            reply.send(HTTPResponse(status: 200, body: Array(seen.utf8) + request.body))
        })
        try await TestServer.run(responder) { server in
            let request = ControlRequest(
                method: "POST", path: "/a", headers: ["host": "other.example"],
                body: Array(" body".utf8))
            let answer = try await open(server, request)
            let bytes = try await answer.rest(atMost: 1000, within: ControlStreamTests.patience)
            #expect(String(decoding: bytes, as: UTF8.self) == "POST /a other.example body")
        }
    }

    @Test func bodyThatBreaksOff_isAnError() async throws {
        let responder = TestResponder(http: { _, reply in
            let (content, writer) = ContentStream.make(bytesMax: 1 << 20)
            _ = writer.write(Array("half".utf8))
            writer.abort()
            reply.send(HTTPResponse(contentType: "text/plain", stream: content))
        })
        try await TestServer.run(responder) { server in
            let answer = try await open(server)
            let error = await #expect(throws: ServingError.self) {
                while try await answer.next(within: ControlStreamTests.patience) != nil {}
            }
            #expect(error?.code == .unavailable)
        }
    }

    @Test func serverThatSaysNothing_isWaitedForNoLonger() async throws {
        try await withSilentServer { port, loops in
            let error = await #expect(throws: ServingError.self) {
                try await ControlClient(eventLoops: loops).open(
                    ControlRequest(path: "/"), host: "127.0.0.1", port: port,
                    timeout: .milliseconds(50))
            }
            #expect(error?.code == .deadlineExceeded)
        }
    }

    @Test func cancelledTask_waitsNoLonger() async throws {
        try await withSilentServer { port, loops in
            let task = Task {
                try await ControlClient(eventLoops: loops).open(
                    ControlRequest(path: "/"), host: "127.0.0.1", port: port,
                    timeout: ControlStreamTests.patience)
            }
            task.cancel()
            await #expect(throws: (any Error).self) { try await task.value }
        }
    }

    @Test func serverThatIsNotThere_isUnavailable() async throws {
        let loops = EventLoops(count: 1)
        let error = await #expect(throws: ServingError.self) {
            try await ControlClient(eventLoops: loops).open(
                ControlRequest(path: "/"), host: "127.0.0.1", port: 1,
                timeout: ControlStreamTests.patience)
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("127.0.0.1:1") == true)
        await loops.shutDown()
    }

    private func withSilentServer(
        _ body: (_ port: Int, _ loops: EventLoops) async throws -> Void
    ) async throws {
        let loops = EventLoops(count: 1)
        let silent = try await ServerBootstrap(group: loops.group)
            .bind(host: "127.0.0.1", port: 0).get()
        try await body(try #require(silent.localAddress?.port), loops)
        try await silent.close()
        await loops.shutDown()
    }
}
