import MartletCore
import NIOCore
import NIOPosix
import NIOSSL

/// Makes connections of lanes to one target.
struct LoadConnector: Sendable {
    private let target: LoadTarget
    private let context: NIOSSLContext?
    private let calls: GRPCLoadCalls?
    private let requests: [ByteBuffer]

    /// Puts the requests into bytes.
    ///
    /// - Throws: `ServingError` for a certificate that cannot be used or a request that cannot be
    ///   sent.
    init(_ target: LoadTarget) throws {
        self.target = target
        switch target.wire {
        case .http1:
            context = try target.encryption?.http1 ?? target.tls?.load()
            calls = nil
            requests = try target.requests.map {
                try HTTP1LoadRequest.bytes($0, authority: target.authority)
            }
        case .grpc:
            context =
                try target.encryption?.http2 ?? target.tls?.load(applicationProtocols: ["h2"])
            calls = try GRPCLoadCalls(target)
            requests = []
        }
    }

    /// Makes a connection, and gives it to the lane once requests can be sent by it.
    func connect(on eventLoop: any EventLoop, lane: LoadLane) -> EventLoopFuture<Void> {
        let bound = NIOLoopBound(lane, eventLoop: eventLoop)
        let name = target.authority
        let serverName = target.encryption?.serverName ?? target.host
        return ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(target.timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(
                    minimum: 1024, initial: 4096, maximum: 1 << 18)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context {
                        try channel.pipeline.syncOperations.addHandler(
                            ControlClient.encryption(context, host: serverName))
                    }
                    let handler = self.handler(bound.value, channel: channel)
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: target.host, port: target.port)
            .assumeIsolated()
            .flatMapErrorThrowing { error in
                throw ServingError(.unavailable, "Cannot connect to \(name)", cause: error)
            }
            .flatMap { channel in give(channel, to: lane) }
            .nonisolated()
    }

    private func give(_ channel: any Channel, to lane: LoadLane) -> EventLoopFuture<Void> {
        let pipeline = channel.pipeline.syncOperations
        do {
            guard let calls = try? pipeline.handler(type: HTTP2LoadHandler.self) else {
                lane.connected(try pipeline.handler(type: HTTP1LoadHandler.self))
                return channel.eventLoop.makeSucceededVoidFuture()
            }
            calls.awaitSettings(for: TimeAmount(target.timeout))
            return calls.isReady.assumeIsolated().map { lane.connected(calls) }.nonisolated()
        } catch {
            return channel.eventLoop.makeFailedFuture(error)
        }
    }

    private func handler(_ lane: LoadLane, channel: any Channel) -> any ChannelHandler {
        if let calls {
            return HTTP2LoadHandler(calls, lane: lane)
        }
        return HTTP1LoadHandler(requests, lane: lane)
    }
}
