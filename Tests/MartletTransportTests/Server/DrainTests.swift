import MartletCore
import Synchronization
import Testing

@testable import MartletTransport

/// Answers at once, but what is asked at `/held` only when it is released.
private final class HeldResponder: Sendable {
    private let held = Mutex<[Reply<HTTPResponse>]>([])
    private let asked = AsyncStream.makeStream(of: Void.self)

    func responder() -> TestResponder {
        TestResponder(http: { request, reply in
            guard request.path == "/held" else {
                reply.send(HTTPResponse(status: 200, body: request.body))
                return
            }
            self.held.withLock { $0.append(reply) }
            self.asked.continuation.yield()
        })
    }

    func waitUntilAsked() async {
        var events = asked.stream.makeAsyncIterator()
        await events.next()
    }

    func release() {
        for reply in held.withLock({ $0 }) {
            reply.send(HTTPResponse(status: 200, body: Array("held".utf8)))
        }
    }
}

@Suite("Draining of connections", .timeLimit(.minutes(10)))
struct DrainTests {
    private static let lastOfAll = UInt32(Int32.max)
    private static let refusedStream: UInt32 = 7

    private func start(_ server: TestServer) async throws -> FrameClient {
        let client = try await FrameClient.connect(to: server)
        try await client.begin()
        return client
    }

    @Test func idleConnection_isToldTwiceAndClosed() async throws {
        try await TestServer.run { (server) async throws in
            var client = try await start(server)
            try await client.post("/", stream: 1, body: "first")
            #expect(await client.answer(on: 1) == "first")
            server.drain()
            #expect(await client.next(type: 7)?.goAway == [Self.lastOfAll, 0])
            try await client.acknowledge(try #require(await client.next(type: 6)))
            #expect(await client.readToEnd().map(\.goAway) == [[1, 0]])
            await client.close()
        }
    }

    @Test func streamsAfterTheFirstGoAway_areServed() async throws {
        let held = HeldResponder()
        try await TestServer.run(held.responder()) { (server) async throws in
            var client = try await start(server)
            try await client.post("/held", stream: 1, body: "")
            await held.waitUntilAsked()
            server.drain()
            #expect(await client.next(type: 7)?.goAway == [Self.lastOfAll, 0])
            let ping = try #require(await client.next(type: 6))
            // These were on their way when the client learned of it.
            try await client.post("/", stream: 3, body: "third")
            #expect(await client.answer(on: 3) == "third")
            try await client.post("/", stream: 5, body: "fifth")
            #expect(await client.answer(on: 5) == "fifth")
            try await client.acknowledge(ping)
            #expect(await client.next(type: 7)?.goAway == [5, 0])
            held.release()
            #expect(await client.answer(on: 1) == "held")
            #expect(await client.readToEnd().allSatisfy { $0.goAway == nil && $0.reset == nil })
            await client.close()
        }
    }

    @Test func firstStreamOfAConnection_afterTheFirstGoAway_isServed() async throws {
        try await TestServer.run { (server) async throws in
            var client = try await start(server)
            // The settings: the server has understood what it speaks.
            _ = try #require(await client.next(type: 4))
            server.drain()
            #expect(await client.next(type: 7)?.goAway == [Self.lastOfAll, 0])
            try await client.post("/", stream: 1, body: "first")
            #expect(await client.answer(on: 1) == "first")
            await client.close()
        }
    }

    @Test func streamAboveTheLast_isRefusedAndThoseBelowAreFinished() async throws {
        let held = HeldResponder()
        try await TestServer.run(held.responder()) { (server) async throws in
            var client = try await start(server)
            try await client.post("/held", stream: 1, body: "")
            await held.waitUntilAsked()
            server.drain()
            try await client.acknowledge(try #require(await client.next(type: 6)))
            #expect(await client.next(type: 7)?.goAway == [1, 0])
            try await client.post("/", stream: 3, body: "too late")
            let reset = await client.next(type: 3)
            #expect(reset?.stream == 3 && reset?.reset == Self.refusedStream)
            held.release()
            #expect(await client.answer(on: 1) == "held")
            #expect(await client.readToEnd().allSatisfy { $0.goAway == nil })
            await client.close()
        }
    }

    @Test func connectionThatBeginsToSpeakWhileDraining_isServedAndToldToGo() async throws {
        var limits = Limits.patient
        // On a busy machine it may take longer to notice the drain than a drain may take.
        limits.drain = .seconds(600)
        try await TestServer.run(limits: limits) { (server) async throws in
            var client = try await FrameClient.connect(to: server)
            while server.listener.connectionCount == 0 { await Task.yield() }
            server.drain()
            // Another connection tells when the drain has begun.
            while (try? await RawClient.connect(to: server).close()) != nil {}
            try await client.begin()
            try await client.post("/", stream: 1, body: "first")
            #expect(await client.next(type: 7)?.goAway == [Self.lastOfAll, 0])
            try await client.acknowledge(try #require(await client.next(type: 6)))
            #expect(await client.answer(on: 1) == "first")
            await client.close()
        }
    }

    @Test func clientThatNeverAcknowledges_isClosedAllTheSame() async throws {
        var limits = Limits.patient
        // Less might be over before the connection hears of the drain, on a busy machine.
        limits.drain = .seconds(2)
        try await TestServer.run(limits: limits) { (server) async throws in
            var client = try await start(server)
            try await client.post("/", stream: 1, body: "first")
            #expect(await client.answer(on: 1) == "first")
            server.drain()
            #expect(
                await client.readToEnd().compactMap(\.goAway) == [[Self.lastOfAll, 0], [1, 0]])
        }
    }

    @Test func faultyStream_endsAloneAndTheOthersAreServed() async throws {
        let held = HeldResponder()
        try await TestServer.run(held.responder()) { (server) async throws in
            var client = try await start(server)
            try await client.post("/held", stream: 1, body: "")
            await held.waitUntilAsked()
            // More than it says, then less.
            try await client.post(
                "/", stream: 3, body: "four", fields: [("content-length", "2")])
            #expect(await client.next(type: 3)?.stream == 3)
            try await client.post(
                "/", stream: 5, body: "four", fields: [("content-length", "9")])
            #expect(await client.next(type: 3)?.stream == 5)
            held.release()
            #expect(await client.answer(on: 1) == "held")
            await client.close()
        }
    }
}
