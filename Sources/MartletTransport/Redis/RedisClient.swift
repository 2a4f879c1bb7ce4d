public import Logging
import MartletCore
import NIOCore
import NIOPosix
import NIOSSL
public import ServiceLifecycle

/// Sends commands to a Redis server or a Redis Cluster.
///
/// Each event loop has a connection of its own to each server it needs, on which commands follow
/// each other without waiting for replies. All there is to wait for is limited: a command has a
/// reply or a failure within ``RedisConfiguration/commandTimeout``, and a server that keeps failing
/// is left alone for a while, so that commands fail at once. A failed command is not sent again,
/// except as redirections of a cluster say.
///
/// It connects when commands come, whether it runs or not; `run()` ends it with its service group.
public final class RedisClient: Service {
    private let group: MultiThreadedEventLoopGroup
    private let lanes: [ObjectIdentifier: NIOLoopBoundBox<RedisLane>]
    private let eventLoops: [any EventLoop]

    /// Creates a client; nothing is connected yet.
    ///
    /// - Parameters:
    ///   - configuration: the servers and the limits.
    ///   - eventLoops: where it works.
    ///   - logger: is told of servers that come and go.
    /// - Throws: `ServingError`: `INVALID_ARGUMENT` without a server; that of ``ClientTLS`` for
    ///   certificates or keys that cannot be used.
    public init(
        _ configuration: RedisConfiguration, eventLoops: EventLoops, logger: Logger
    ) throws {
        guard !configuration.addresses.isEmpty else {
            throw ServingError.invalidArgument("A Redis client needs the address of a server")
        }
        // Redis offers no choice of protocols.
        let tls = try configuration.tls?.load(applicationProtocols: [])
        let journal = RedisJournal(logger)
        var lanes: [ObjectIdentifier: NIOLoopBoundBox<RedisLane>] = [:]
        group = eventLoops.group
        self.eventLoops = Array(eventLoops.group.makeIterator())
        for eventLoop in self.eventLoops {
            let connector = RedisConnector(
                configuration: configuration, tls: tls, eventLoop: eventLoop)
            lanes[ObjectIdentifier(eventLoop)] = NIOLoopBoundBox.makeBoxSendingValue(
                RedisLane(connector: connector, journal: journal), eventLoop: eventLoop)
        }
        self.lanes = lanes
    }

    /// Sends a command and waits for its reply.
    ///
    /// - Throws: `RedisFailure`. Cancellation changes nothing: the wait is short by configuration.
    public func send(_ command: RedisCommand) async throws -> RedisReply {
        try await withCheckedThrowingContinuation { continuation in
            send(command) { continuation.resume(with: $0) }
        }
    }

    /// Sends a command.
    ///
    /// - Parameters:
    ///   - command: the command.
    ///   - completion: called once, on the event loop that this is called on, or on any if that is
    ///     none of the client's. It may be called before this returns.
    public func send(
        _ command: RedisCommand,
        on completion: @escaping @Sendable (Result<RedisReply, RedisFailure>) -> Void
    ) {
        // On one of the group's event loops, this is that one.
        let eventLoop = group.any()
        guard let lane = lanes[ObjectIdentifier(eventLoop)] else {
            return completion(.failure(.shutDown))
        }
        if eventLoop.inEventLoop {
            lane.value.send(command, on: completion)
        } else {
            eventLoop.execute { lane.value.send(command, on: completion) }
        }
    }

    /// Waits for the end of the service group, and shuts down.
    public func run() async throws {
        try? await gracefulShutdown()
        await shutDown()
    }

    /// Ends all connections; commands under way fail, and so do all that follow.
    public func shutDown() async {
        for eventLoop in eventLoops {
            guard let lane = lanes[ObjectIdentifier(eventLoop)] else { continue }
            // Fails only on an event loop that has ended, and its connections with it.
            try? await eventLoop.submit { lane.value.shutDown() }.get()
        }
    }
}
