import NIOCore
import NIOEmbedded
import Synchronization
import Testing

@testable import MartletTransport

@Suite("Open connections of a listener", .timeLimit(.minutes(10)))
struct ConnectionTrackerTests {
    /// Notes that a connection was asked to end.
    private final class QuiesceNotes: ChannelInboundHandler, Sendable {
        typealias InboundIn = Any

        private let requests = Mutex(0)

        var count: Int { requests.withLock { $0 } }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if event is ChannelShouldQuiesceEvent { requests.withLock { $0 += 1 } }
        }
    }

    private func makeChannel(_ notes: QuiesceNotes = QuiesceNotes()) async throws
        -> NIOAsyncTestingChannel
    {
        let channel = await NIOAsyncTestingChannel(handler: notes)
        try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).get()
        return channel
    }

    private func waitUntil(_ condition: () -> Bool) async throws {
        for _ in 0..<60_000 where !condition() { try await Task.sleep(for: .milliseconds(1)) }
        try #require(condition())
    }

    @Test func add_upToTheLimitAndOneMore_isTakenAndRefused() async throws {
        let tracker = ConnectionTracker(limit: 2)
        let first = try await makeChannel()
        #expect(tracker.add(first))
        #expect(tracker.add(try await makeChannel()))
        let third = try await makeChannel()
        #expect(!tracker.add(third))
        #expect(tracker.count == 2)
        try await first.close().get()
        #expect(tracker.count == 1)
        #expect(tracker.add(third))
    }

    @Test func close_ofARefusedConnection_makesNoRoom() async throws {
        let tracker = ConnectionTracker(limit: 1)
        #expect(tracker.add(try await makeChannel()))
        let refused = try await makeChannel()
        #expect(!tracker.add(refused))
        try await refused.close().get()
        #expect(tracker.count == 1)
    }

    @Test func drain_withoutConnections_returnsAtOnce() async {
        let tracker = ConnectionTracker(limit: 1)
        await tracker.drain()
        #expect(tracker.count == 0)
    }

    @Test func drain_asksEachConnectionToEndAndWaitsForTheLast() async throws {
        let tracker = ConnectionTracker(limit: 10)
        let notes = QuiesceNotes()
        let first = try await makeChannel(notes)
        let second = try await makeChannel(notes)
        #expect(tracker.add(first) && tracker.add(second))
        let isDrained = Mutex(false)
        let draining = Task {
            await tracker.drain()
            isDrained.withLock { $0 = true }
        }
        try await waitUntil { notes.count == 2 }
        try await first.close().get()
        try await Task.sleep(for: .milliseconds(20))
        #expect(!isDrained.withLock { $0 })
        try await second.close().get()
        await draining.value
        #expect(isDrained.withLock { $0 })
    }

    @Test func add_whileDraining_isTakenAndWaitedForToo() async throws {
        let tracker = ConnectionTracker(limit: 10)
        let notes = QuiesceNotes()
        let first = try await makeChannel(notes)
        #expect(tracker.add(first))
        let draining = Task { await tracker.drain() }
        try await waitUntil { notes.count == 1 }
        #expect(tracker.isDraining)
        let late = try await makeChannel()
        #expect(tracker.add(late))
        try await first.close().get()
        #expect(tracker.count == 1)
        try await late.close().get()
        await draining.value
    }

    @Test func drain_whenCancelled_returnsThoughConnectionsAreLeft() async throws {
        let tracker = ConnectionTracker(limit: 10)
        let notes = QuiesceNotes()
        let stuck = try await makeChannel(notes)
        #expect(tracker.add(stuck))
        let draining = Task { await tracker.drain() }
        try await waitUntil { notes.count == 1 }
        draining.cancel()
        await draining.value
        #expect(tracker.count == 1)
        try await stuck.close().get()
        #expect(tracker.count == 0)
    }

    @Test func drain_cancelledBeforeItBegins_returns() async throws {
        let tracker = ConnectionTracker(limit: 10)
        let stuck = try await makeChannel()
        #expect(tracker.add(stuck))
        let draining = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await tracker.drain()
        }
        await draining.value
        #expect(tracker.count == 1)
    }
}
