import Foundation
public import Logging
public import MartletCore
import NIOCore
import NIOPosix
public import ServiceLifecycle

/// A bound port or socket that accepts connections until graceful shutdown, then drains.
///
/// Unless its options say otherwise, one port speaks HTTP/1.1 and HTTP/2, gRPC included.
public struct Listener: Service {
    private let channels: [any Channel]
    private let tracker: ConnectionTracker
    private let tls: ReloadingTLS?
    private let limits: Limits
    private let logger: Logger

    /// The address that is bound, with the port the system chose where 0 was asked for.
    public let address: String

    /// The port that is bound; 0 for a Unix domain socket.
    public let port: Int

    /// Binds an address and answers through a responder.
    ///
    /// - Throws: `ServingError`: `UNAVAILABLE` when the address cannot be bound,
    ///   `INVALID_ARGUMENT` or `NOT_FOUND` when certificates or keys cannot be used.
    public static func bind(
        to address: ListenAddress, options: ListenerOptions = ListenerOptions(),
        responder: any RequestResponder, limits: Limits, eventLoops: EventLoops, logger: Logger
    ) async throws -> Listener {
        // Handlers and pipeline go by the same limits.
        var limits = limits
        if let idleTimeout = options.idleTimeout { limits.idleTimeout = idleTimeout }
        return try await bind(
            to: address, options: options,
            handlers: ResponderHandlers(
                responder: responder, limits: SharedLimits(limits), protocols: options.protocols),
            limits: limits, eventLoops: eventLoops, logger: logger)
    }

    /// Binds a port and answers every protocol through a responder, in the clear.
    ///
    /// - Throws: `ServingError` (`UNAVAILABLE`) when the address cannot be bound.
    public static func bind(
        host: String, port: Int, responder: any RequestResponder, limits: Limits,
        eventLoops: EventLoops, logger: Logger
    ) async throws -> Listener {
        try await bind(
            to: .tcp(host: host, port: port), responder: responder, limits: limits,
            eventLoops: eventLoops, logger: logger)
    }

    static func bind(
        to address: ListenAddress, options: ListenerOptions, handlers: any ConnectionHandlers,
        limits: Limits, eventLoops: EventLoops, logger: Logger
    ) async throws -> Listener {
        let tls = try options.tls.map { tls in
            try ReloadingTLS(
                options.readTLS ?? { tls }, protocols: options.protocols, logger: logger)
        }
        let connections = FileDescriptors.connections(allowed: limits.connections)
        // The usual limits of a machine are a little below our default: no reason to worry anybody.
        if connections < limits.connections - limits.connections / 10 {
            logger.warning(
                "the limit of open files leaves room for fewer connections than --max-connections",
                metadata: ["connections": "\(connections)", "files": "\(FileDescriptors.limit)"])
        }
        let tracker = ConnectionTracker(limit: connections)
        let pipeline = ConnectionPipeline(
            limits: limits, protocols: options.protocols, lifetime: options.lifetime, tls: tls,
            handlers: handlers, logger: logger)
        let bootstrap = { (group: any EventLoopGroup, address: ListenAddress) in
            Self.bootstrap(group, address: address, options: options, limits: limits)
                .childChannelInitializer { channel in
                    guard tracker.add(channel) else {
                        return channel.close()
                    }
                    return channel.eventLoop.makeCompletedFuture {
                        try pipeline.configure(channel)
                        if tracker.isDraining {
                            channel.pipeline.fireUserInboundEventTriggered(
                                ChannelShouldQuiesceEvent())
                        }
                    }
                }
        }
        let channels = try await bindAll(
            bootstrap, to: address, options: options, eventLoops: eventLoops)
        return Listener(
            channels: channels, tracker: tracker, tls: tls, limits: limits, logger: logger)
    }

    /// Binds one socket, or one for each event loop.
    private static func bindAll(
        _ bootstrap: (any EventLoopGroup, ListenAddress) -> ServerBootstrap,
        to address: ListenAddress, options: ListenerOptions, eventLoops: EventLoops
    ) async throws -> [any Channel] {
        let groups: [any EventLoopGroup] =
            options.acceptsOnEveryLoop && !address.isUnixSocket
            ? eventLoops.group.makeIterator().map { $0 as any EventLoopGroup } : [eventLoops.group]
        var channels: [any Channel] = []
        var address = address
        do {
            for group in groups {
                let channel = try await bind(
                    { bootstrap(group, $0) }, to: address, options: options,
                    eventLoops: eventLoops)
                channels.append(channel)
                // All of them have the port that the system has chosen for the first.
                if let port = channel.localAddress?.port { address = address.with(port: port) }
            }
        } catch {
            for channel in channels { try? await channel.close() }
            throw error
        }
        return channels
    }

    private static func bootstrap(
        _ group: any EventLoopGroup, address: ListenAddress, options: ListenerOptions,
        limits: Limits
    ) -> ServerBootstrap {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            // One read, then the answer: reading again at once measured slower.
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(.recvAllocator, value: ReadBufferSizes())
        if case .unixSocket = address { return bootstrap }
        if case .anyTCP = address {
            // Clients of IPv4 come by the same socket, whatever the system's own default is.
            _ = bootstrap.serverChannelOption(
                ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: 0)
        }
        let sharesPort = options.sharesPort || options.acceptsOnEveryLoop
        return
            ClientLiveness(limits).apply(to: bootstrap)
            .serverChannelOption(
                .socketOption(.so_reuseaddr), value: options.reusesAddress ? 1 : 0
            )
            .serverChannelOption(
                .socketOption(.init(rawValue: SO_REUSEPORT)), value: sharesPort ? 1 : 0
            )
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    }

    private static func bind(
        _ bootstrap: (ListenAddress) -> ServerBootstrap, to address: ListenAddress,
        options: ListenerOptions, eventLoops: EventLoops
    ) async throws -> any Channel {
        do {
            switch address {
            case .tcp(let host, let port):
                return try await bootstrap(address).bind(host: host, port: port).get()
            case .anyTCP(let port):
                return try await bindAny(bootstrap, port: port)
            case .unixSocket(let path):
                try await UnixSocketFile(path: path)
                    .makeRoom(eventLoops: eventLoops, takesOver: options.takesSocketOver)
                return try await bootstrap(address).bind(unixDomainSocketPath: path).get()
            }
        } catch let error as ServingError {
            throw error
        } catch {
            let hint =
                switch address {
                case .tcp, .anyTCP: "is the port in use?"
                case .unixSocket: "may this user write to the folder?"
                }
            throw ServingError(.unavailable, "Cannot listen on \(address); \(hint)", cause: error)
        }
    }

    private static func bindAny(
        _ bootstrap: (ListenAddress) -> ServerBootstrap, port: Int
    ) async throws -> any Channel {
        do {
            return try await bootstrap(.anyTCP(port: port)).bind(host: "::", port: port).get()
        } catch let error as IOError where [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) {
            // A kernel without IPv6.
            let address = ListenAddress.tcp(host: "0.0.0.0", port: port)
            return try await bootstrap(address).bind(host: "0.0.0.0", port: port).get()
        }
    }

    private init(
        channels: [any Channel], tracker: ConnectionTracker, tls: ReloadingTLS?, limits: Limits,
        logger: Logger
    ) {
        self.channels = channels
        self.tls = tls
        self.tracker = tracker
        self.limits = limits
        self.logger = logger
        address = channels.first?.localAddress?.text ?? "unknown"
        port = channels.first?.localAddress?.port ?? 0
    }

    /// The number of open connections.
    var connectionCount: Int { tracker.count }

    /// Serves until graceful shutdown; then closes the port, lets started requests finish and
    /// returns.
    ///
    /// - Throws: `ServingError` (`ABORTED`) when requests outlast the drain limit.
    public func run() async throws {
        async let watch: Void? = tls?.watch()
        try await gracefulShutdown()
        await watch
        for channel in channels { try? await channel.close() }
        logger.info(
            "draining", metadata: ["address": "\(address)", "connections": "\(tracker.count)"])
        let drained = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await tracker.drain()
                return !Task.isCancelled
            }
            group.addTask {
                try? await Task.sleep(for: limits.drain)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
        guard drained else {
            throw ServingError(
                .aborted,
                "\(tracker.count) connections still had requests after \(limits.drain.seconds) s "
                    + "(--drain-seconds)")
        }
    }
}
