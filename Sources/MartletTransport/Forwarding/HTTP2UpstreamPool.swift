import MartletCore
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
    private var connections: [UpstreamAddress: [HTTP2UpstreamConnection]] = [:]

    init(eventLoop: any EventLoop, limits: ForwardingLimits, upstreams: SharedUpstreams) {
        self.eventLoop = eventLoop
        self.upstreams = upstreams
        self.limits = limits
        turn = LoopTurn(eventLoop: eventLoop)
    }

    func open(_ address: UpstreamAddress, for exchange: Exchange<HTTP2Wire>, attempt: Int) {
        connection(to: address).open(for: exchange, attempt: attempt)
    }

    private func connection(to address: UpstreamAddress) -> HTTP2UpstreamConnection {
        let open = connections[address, default: []]
        if let connection = open.first(where: { $0.hasRoom }) { return connection }
        if open.count >= HTTP2UpstreamPool.connectionsMax,
            let connection = open.min(by: { $0.load < $1.load })
        {
            return connection
        }
        let connection = HTTP2UpstreamConnection(address: address, pool: self, now: eventLoop.now)
        connections[address, default: []].append(connection)
        connect(connection)
        return connection
    }

    private func connect(_ connection: HTTP2UpstreamConnection) {
        let bound = NIOLoopBound(connection, eventLoop: eventLoop)
        let address = connection.address
        let upstream = upstreams[address]
        limits.bootstrap(on: eventLoop, connectTimeout: upstream.options.connectTimeout)
            // Perhaps for several channels: a host may have many addresses.
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try upstream.configure(channel, to: address, isHTTP2: true)
                }
            }
            .connect(to: address)
            .whenComplete { result in
                do {
                    let channel = try result.get()
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                    bound.value.connected()
                } catch {
                    bound.value.close()
                }
            }
    }

    /// An upstream was found to be dead: nothing new is sent over connections to it, and what can
    /// be asked elsewhere is.
    func retire(_ address: UpstreamAddress) {
        for connection in connections.removeValue(forKey: address) ?? [] {
            connection.upstreamLost()
        }
    }

    /// Sends no more streams over a connection.
    func remove(_ connection: HTTP2UpstreamConnection) {
        connections[connection.address]?.removeAll { $0 === connection }
        if connections[connection.address]?.isEmpty == true {
            connections[connection.address] = nil
        }
    }
}
