public import Logging
public import MartletCore
import NIOCore
import NIOPosix

/// What all exchanges of a gateway share; a reference, as each connection and each exchange has it.
final class ForwarderCore: Sendable {
    let policy: any ForwardingPolicy
    let limits: ForwardingLimits
    let budget: ReplayBudget

    init(policy: any ForwardingPolicy, limits: ForwardingLimits) {
        self.policy = policy
        self.limits = limits
        budget = ReplayBudget(bytes: limits.replayBudgetBytes)
    }
}

/// Connections to upstreams, a set for each event loop: a request never changes threads.
public final class UpstreamPools: Sendable {
    let eventLoops: EventLoops
    private let http1: [ObjectIdentifier: NIOLoopBound<HTTP1UpstreamPool>]
    private let http2: [ObjectIdentifier: NIOLoopBound<HTTP2UpstreamPool>]

    let limits: ForwardingLimits
    let upstreams: SharedUpstreams

    /// How one upstream is connected to from now on.
    public func setOptions(_ options: UpstreamOptions, for address: UpstreamAddress) {
        upstreams.set(options, for: address)
    }

    /// Begins without connections.
    public init(eventLoops: EventLoops, limits: ForwardingLimits) async throws {
        self.eventLoops = eventLoops
        self.limits = limits
        let upstreams = SharedUpstreams()
        self.upstreams = upstreams
        var http1: [ObjectIdentifier: NIOLoopBound<HTTP1UpstreamPool>] = [:]
        var http2: [ObjectIdentifier: NIOLoopBound<HTTP2UpstreamPool>] = [:]
        for eventLoop in eventLoops.group.makeIterator() {
            let pools = try await eventLoop.submit {
                let http1 = HTTP1UpstreamPool(
                    eventLoop: eventLoop, limits: limits, upstreams: upstreams)
                let http2 = HTTP2UpstreamPool(
                    eventLoop: eventLoop, limits: limits, upstreams: upstreams, http1: http1)
                return (
                    NIOLoopBound(http1, eventLoop: eventLoop),
                    NIOLoopBound(http2, eventLoop: eventLoop)
                )
            }.get()
            http1[ObjectIdentifier(eventLoop)] = pools.0
            http2[ObjectIdentifier(eventLoop)] = pools.1
        }
        self.http1 = http1
        self.http2 = http2
        upstreams.makeRoom { [weak self] address, completion in
            guard let self else { return completion(.none) }
            closeUnused(to: address, completion)
        }
    }

    /// Closes a connection that nobody uses, of the first event loop that has one.
    private func closeUnused(
        to address: UpstreamAddress,
        _ completion: @escaping @Sendable (RoomRound.Outcome) -> Void
    ) {
        let round = RoomRound(eventLoops: http1.count, completion: completion)
        for eventLoop in eventLoops.group.makeIterator() {
            eventLoop.execute {
                let id = ObjectIdentifier(eventLoop)
                let unused =
                    self.http1[id]?.value.unused(at: address)
                    ?? self.http2[id]?.value.unused(at: address)
                guard let unused, round.claim() else { return round.decline() }
                unused.closeUnused { round.didClose() }
            }
        }
    }

    /// Sends nothing new over connections to an upstream that was found to be dead, and asks
    /// elsewhere what it was asked, where that may be done.
    public func retire(_ address: UpstreamAddress) {
        for eventLoop in eventLoops.group.makeIterator() {
            eventLoop.execute {
                for address in [address, address.forCopies] {
                    self.http1[ObjectIdentifier(eventLoop)]?.value.retire(address)
                    self.http2[ObjectIdentifier(eventLoop)]?.value.retire(address)
                }
            }
        }
    }

    /// The pool of an event loop of this gateway; called on that loop.
    func http1(on eventLoop: any EventLoop) throws -> HTTP1UpstreamPool {
        guard let pool = http1[ObjectIdentifier(eventLoop)] else { throw ForeignEventLoop() }
        return pool.value
    }

    /// The pool of an event loop of this gateway; called on that loop.
    func http2(on eventLoop: any EventLoop) throws -> HTTP2UpstreamPool {
        guard let pool = http2[ObjectIdentifier(eventLoop)] else { throw ForeignEventLoop() }
        return pool.value
    }

    private struct ForeignEventLoop: Error {}
}

/// Ends client connections of a gateway in exchanges.
struct ForwardingHandlers: ConnectionHandlers {
    let core: ForwarderCore
    let pools: UpstreamPools
    let limits: SharedLimits

    func addHTTP1Handlers(to channel: any Channel, deadline: ConnectionDeadline) throws {
        let pool = try pools.http1(on: channel.eventLoop)
        // From here on the connection's own clock runs, which goes on where this one ends.
        let since = deadline.deadline.map { $0 - TimeAmount(limits.values.headerTimeout) }
        let operations = channel.pipeline.syncOperations
        operations.removeHandler(deadline, promise: nil)
        try operations.addHandler(
            HTTP1ForwardingHandler(
                core: core, pool: pool, limits: limits, eventLoop: channel.eventLoop, since: since))
    }

    func addHTTP2Handlers(to channel: any Channel, lifetime: ConnectionLifetime) throws {
        let pool = try pools.http2(on: channel.eventLoop)
        try channel.pipeline.syncOperations.addHandler(
            HTTP2ForwardingHandler(
                core: core, pool: pool, limits: limits.values, lifetime: lifetime,
                eventLoop: channel.eventLoop))
    }
}

extension Listener {
    /// Binds an address and forwards what comes in as a policy says.
    ///
    /// - Throws: `ServingError`: `UNAVAILABLE` when the address cannot be bound,
    ///   `INVALID_ARGUMENT` or `NOT_FOUND` when certificates or keys cannot be used.
    public static func bind(
        to address: ListenAddress, options: ListenerOptions = ListenerOptions(),
        forwardingBy policy: any ForwardingPolicy, through pools: UpstreamPools, limits: Limits,
        eventLoops: EventLoops, logger: Logger
    ) async throws -> Listener {
        let core = ForwarderCore(policy: policy, limits: pools.limits)
        return try await bind(
            to: address, options: options,
            handlers: ForwardingHandlers(core: core, pools: pools, limits: SharedLimits(limits)),
            limits: limits, eventLoops: eventLoops, logger: logger)
    }
}

extension ForwardingLimits {
    /// The beginnings of a connection to an upstream.
    func bootstrap(
        on eventLoop: any EventLoop, connectTimeout: Duration? = nil
    ) -> ClientBootstrap {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(connectTimeout ?? self.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(
                .tcpOption(.tcpUserTimeout),
                value: SocketOptionValue(unacknowledgedTimeout.milliseconds)
            )
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(.recvAllocator, value: ReadBufferSizes())
    }
}

extension ClientBootstrap {
    /// Connects to an upstream; a name is looked up, which an address spares.
    func connect(to address: UpstreamAddress) -> EventLoopFuture<any Channel> {
        if let known = try? SocketAddress(ipAddress: address.host, port: address.port) {
            connect(to: known)
        } else {
            connect(host: address.host, port: address.port)
        }
    }
}

extension NIOBSDSocket.Option {
    /// After how many milliseconds without an acknowledgement a connection is given up (RFC 5482);
    /// `TCP_USER_TIMEOUT` of Linux.
    static let tcpUserTimeout = NIOBSDSocket.Option(rawValue: 18)
}

extension Duration {
    fileprivate var milliseconds: Int {
        let (seconds, attoseconds) = components
        return Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}
