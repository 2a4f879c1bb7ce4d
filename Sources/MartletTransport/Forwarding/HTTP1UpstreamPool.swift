import MartletCore
import NIOCore
import NIOPosix

/// HTTP/1.1 connections of one event loop to all upstreams.
final class HTTP1UpstreamPool: UpstreamConnector {
    typealias Wire = HTTP1Wire

    /// Idle connections kept to one upstream; more are closed when they become idle.
    private static let maximumIdle = 256

    private let eventLoop: any EventLoop
    private let limits: ForwardingLimits
    private let upstreams: SharedUpstreams
    private var idle: [HashedText: [HTTP1UpstreamHandler]] = [:]
    /// All connections, those in use too.
    private var open: [HashedText: [ObjectIdentifier: HTTP1UpstreamHandler]] = [:]
    private let sweep: IdleSweep
    /// Clients' connections of the same event loop that keep a head.
    let keptHeads: KeptHeadSweep

    init(eventLoop: any EventLoop, limits: ForwardingLimits, upstreams: SharedUpstreams) {
        self.eventLoop = eventLoop
        self.upstreams = upstreams
        self.limits = limits
        sweep = IdleSweep(eventLoop: eventLoop, idleTimeout: limits.upstreamIdleTimeout)
        keptHeads = KeptHeadSweep(eventLoop: eventLoop)
        sweep.look = { [weak self] in self?.closeIdle() ?? false }
    }

    func open(_ address: UpstreamAddress, for exchange: Exchange<HTTP1Wire>, attempt: Int) {
        open(address, forAttempt: exchange, attempt: attempt)
    }

    /// Opens an attempt of a request that came by whichever version.
    func open(_ address: UpstreamAddress, forAttempt exchange: any HTTP1Attempt, attempt: Int) {
        open(address, forAttempt: exchange, attempt: attempt, wait: nil)
    }

    private func open(
        _ address: UpstreamAddress, forAttempt exchange: any HTTP1Attempt, attempt: Int,
        wait: RoomWait?
    ) {
        // The one used last is the least likely to have been closed by the upstream meanwhile.
        while let handler = idle[address.connections]?.popLast() {
            guard handler.begin(exchange, attempt: attempt) else { continue }
            exchange.opened(handler, attempt: attempt)
            return
        }
        connectIfRoom(to: address, for: exchange, attempt: attempt, wait: wait)
    }

    /// Connects, perhaps once another event loop has given up a connection that it does not use.
    private func connectIfRoom(
        to address: UpstreamAddress, for exchange: any HTTP1Attempt, attempt: Int,
        wait: RoomWait?
    ) {
        let upstream = upstreams[address]
        if upstream.begin() {
            connect(to: address, upstream, for: exchange, attempt: attempt)
            return
        }
        guard !upstream.isForCopies, upstream.options.connectionsMax < .max else {
            exchange.failed(.full, attempt: attempt)
            return
        }
        let wait =
            wait
            ?? RoomWait(
                at: address, of: upstreams,
                timeout: upstreams.connectTimeout(of: address, limits: limits), on: eventLoop)
        wait.next { isWorthATry in
            guard exchange.awaits(attempt) else { return }
            guard isWorthATry else { return exchange.failed(.full, attempt: attempt) }
            self.open(address, forAttempt: exchange, attempt: attempt, wait: wait)
        }
    }

    /// The connection that may make room for one of another event loop; `nil` where all are in
    /// use.
    func unused(at address: UpstreamAddress) -> (any UnusedConnection)? {
        idle[address.connections]?.first
    }

    /// Sends nothing more over a connection that is to make room.
    func forget(_ handler: HTTP1UpstreamHandler) {
        idle[handler.address.connections]?.removeAll { $0 === handler }
    }

    private func connect(
        to address: UpstreamAddress, _ upstream: SharedUpstream,
        for exchange: any HTTP1Attempt, attempt: Int
    ) {
        sweep.include(idleTimeout: upstreams.idleTimeout(of: address, limits: limits))
        let bound = NIOLoopBound((self, exchange), eventLoop: eventLoop)
        let timeout = upstream.options.connectTimeout
        limits.bootstrap(on: eventLoop, connectTimeout: timeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let (pool, _) = bound.value
                    try upstream.configure(channel, to: address, isHTTP2: false)
                    try channel.pipeline.syncOperations.addHandler(
                        HTTP1UpstreamHandler(address: address, pool: pool, upstream: upstream))
                }
            }
            .connect(to: address)
            .whenComplete { result in
                let (_, exchange) = bound.value
                let channel = try? result.get()
                upstream.didConnect(channel)
                guard let channel,
                    let handler = try? channel.pipeline.syncOperations.handler(
                        type: HTTP1UpstreamHandler.self),
                    handler.begin(exchange, attempt: attempt)
                else {
                    exchange.failed(
                        ForwardingFailure(connecting: result.error), attempt: attempt)
                    return
                }
                exchange.opened(handler, attempt: attempt)
                // It was found to be dead while the connection came about.
                if handler.isRetired { exchange.upstreamLost(attempt: attempt) }
            }
    }

    /// Takes a connection back; `false` where there is no room for it.
    func giveBack(_ handler: HTTP1UpstreamHandler) -> Bool {
        let upstream = handler.address.connections
        guard HTTP1UpstreamPool.add(handler, to: &idle[upstream, default: []]) else { return false }
        handler.idleSince = eventLoop.now
        sweep.start()
        return true
    }

    private static func add(
        _ handler: HTTP1UpstreamHandler, to idle: inout [HTTP1UpstreamHandler]
    ) -> Bool {
        guard idle.count < maximumIdle else { return false }
        idle.append(handler)
        return true
    }

    /// Notes a connection that has come about.
    func add(_ handler: HTTP1UpstreamHandler) {
        open[handler.address.connections, default: [:]][ObjectIdentifier(handler)] = handler
    }

    /// Forgets a connection that was closed.
    func remove(_ handler: HTTP1UpstreamHandler) {
        open[handler.address.connections]?[ObjectIdentifier(handler)] = nil
        idle[handler.address.connections]?.removeAll { $0 === handler }
    }

    /// An upstream was found to be dead: nothing new is sent over connections to it, and what can
    /// be asked elsewhere is.
    func retire(_ address: UpstreamAddress) {
        for handler in idle.removeValue(forKey: address.connections) ?? [] { handler.close() }
        let open = open[address.connections]?.values
        for handler in open.map({ Array($0) }) ?? [] { handler.upstreamLost() }
    }

    // MARK: Idle connections

    private func closeIdle() -> Bool {
        // The last ones are those used last.
        for (upstream, handlers) in idle {
            let idleTimeout = upstreams.idleTimeout(of: upstream, limits: limits)
            let latest = eventLoop.now - TimeAmount(idleTimeout)
            let expired = handlers.prefix { $0.idleSince <= latest }
            guard !expired.isEmpty else { continue }
            idle[upstream] = Array(handlers.dropFirst(expired.count))
            for handler in expired { handler.close() }
        }
        return idle.values.contains { !$0.isEmpty }
    }
}
