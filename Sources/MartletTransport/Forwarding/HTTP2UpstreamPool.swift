import MartletCore
import MartletTelemetry
import NIOCore
import NIOPosix

/// HTTP/2 connections of one event loop: one to each upstream, shared by all its streams, and more
/// where an upstream takes no more streams on those it has.
final class HTTP2UpstreamPool: UpstreamConnector {
    typealias Wire = HTTP2Wire

    /// Connections to one upstream; requests beyond their streams wait.
    private static let connectionsMax = 16

    let limits: ForwardingLimits
    /// Writes what one turn of the event loop has brought.
    let turn: LoopTurn
    private let eventLoop: any EventLoop
    private let upstreams: SharedUpstreams
    /// For requests to upstreams that do not speak HTTP/2.
    private let http1: HTTP1UpstreamPool
    private var connections: [HashedText: [HTTP2UpstreamConnection]] = [:]
    private let sweep: IdleSweep

    init(
        eventLoop: any EventLoop, limits: ForwardingLimits, upstreams: SharedUpstreams,
        http1: HTTP1UpstreamPool
    ) {
        self.http1 = http1
        self.eventLoop = eventLoop
        self.upstreams = upstreams
        self.limits = limits
        turn = LoopTurn(eventLoop: eventLoop)
        sweep = IdleSweep(eventLoop: eventLoop, idleTimeout: limits.upstreamIdleTimeout)
        sweep.look = { [weak self] in self?.closeIdle() ?? false }
    }

    func open(_ address: UpstreamAddress, for exchange: Exchange<HTTP2Wire>, attempt: Int) {
        open(address, for: exchange, attempt: attempt, wait: nil)
    }

    private func open(
        _ address: UpstreamAddress, for exchange: Exchange<HTTP2Wire>, attempt: Int,
        wait: RoomWait?
    ) {
        let open = connections[address.connections, default: []]
        if let connection = open.first(where: { $0.hasRoom }) {
            connection.open(for: exchange, attempt: attempt)
            return
        }
        if open.isEmpty, exchange.subject.api == .rest,
            upstreams[address].speaksHTTP1Alone(now: eventLoop.now)
        {
            openByHTTP1(address, for: exchange, attempt: attempt)
            return
        }
        if let connection = connection(to: address, besides: open) {
            connection.open(for: exchange, attempt: attempt)
            return
        }
        guard !upstreams[address].isForCopies else {
            return exchange.failed(.full, attempt: attempt)
        }
        let wait =
            wait
            ?? RoomWait(
                at: address, of: upstreams,
                timeout: upstreams.connectTimeout(of: address, limits: limits), on: eventLoop)
        wait.next { isWorthATry in
            guard exchange.awaits(attempt) else { return }
            guard isWorthATry else { return exchange.failed(.full, attempt: attempt) }
            self.open(address, for: exchange, attempt: attempt, wait: wait)
        }
    }

    /// Opens an attempt at an upstream that does not speak HTTP/2; gRPC knows no other way.
    func openByHTTP1(_ address: UpstreamAddress, for exchange: Exchange<HTTP2Wire>, attempt: Int) {
        guard exchange.subject.api == .rest else {
            exchange.failed(.noHTTP2, attempt: attempt)
            return
        }
        guard exchange.awaits(attempt) else { return }
        let bridge = HTTP1Bridge(exchange, attempt: attempt, turn: turn)
        http1.open(address, forAttempt: bridge, attempt: attempt)
    }

    /// Another connection, or the least loaded of those that have no room; `nil` where there
    /// is none and there may be none.
    private func connection(
        to address: UpstreamAddress, besides open: [HTTP2UpstreamConnection]
    ) -> HTTP2UpstreamConnection? {
        if open.count >= HTTP2UpstreamPool.connectionsMax,
            let connection = open.min(by: { $0.load < $1.load })
        {
            return connection
        }
        let upstream = upstreams[address]
        guard upstream.begin() else { return open.min { $0.load < $1.load } }
        let connection = HTTP2UpstreamConnection(
            address: address, pool: self, upstream: upstream, now: eventLoop.now)
        connections[address.connections, default: []].append(connection)
        connect(connection, upstream)
        sweep.include(idleTimeout: upstreams.idleTimeout(of: address, limits: limits))
        sweep.start()
        return connection
    }

    private func connect(_ connection: HTTP2UpstreamConnection, _ upstream: SharedUpstream) {
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        let address = connection.address
        limits.bootstrap(on: eventLoop, connectTimeout: upstream.options.connectTimeout)
            // Perhaps for several channels: a host may have many addresses.
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try upstream.configure(channel, to: address, isHTTP2: true)
                }
            }
            .connect(to: address)
            .whenComplete { result in
                upstream.didConnect(try? result.get())
                do {
                    let channel = try result.get()
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                    bound.value.connected()
                } catch {
                    bound.value.close(ForwardingFailure(connecting: error))
                }
            }
    }

    /// An upstream was found to be dead: nothing new is sent over connections to it, and what can
    /// be asked elsewhere is.
    func retire(_ address: UpstreamAddress) {
        for connection in connections.removeValue(forKey: address.connections) ?? [] {
            connection.upstreamLost()
        }
    }

    // MARK: Unused connections

    private func closeIdle() -> Bool {
        for (upstream, open) in connections {
            let idleTimeout = upstreams.idleTimeout(of: upstream, limits: limits)
            let latest = eventLoop.now - TimeAmount(idleTimeout)
            for connection in open where connection.idleSince.map({ $0 <= latest }) == true {
                connection.closeUnused()
            }
        }
        return !connections.isEmpty
    }

    /// The connection that may make room for one of another event loop; `nil` where all are in
    /// use.
    func unused(at address: UpstreamAddress) -> (any UnusedConnection)? {
        connections[address.connections]?.first { $0.idleSince != nil && $0.load == 0 }
    }

    /// Sends no more streams over a connection.
    func remove(_ connection: HTTP2UpstreamConnection) {
        connections[connection.address.connections]?.removeAll { $0 === connection }
        if connections[connection.address.connections]?.isEmpty == true {
            connections[connection.address.connections] = nil
        }
    }
}
