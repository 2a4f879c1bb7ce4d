import MartletCore
import NIOCore
import NIOPosix
import NIOSSL

/// One connection to a Redis server: the handshake, and bytes made of commands and replies of
/// bytes.
///
/// Which reply belongs to which command is the business of its ``RedisLink``.
final class RedisConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: RedisAddress
    private var reader: RedisReplyReader
    private var handshake: RedisHandshake
    private var isReady = false
    private var isOver = false
    private var context: ChannelHandlerContext?
    // Let go of at the end, as each holds the other.
    private var link: RedisLink?

    init(_ configuration: RedisConfiguration, server: RedisAddress) {
        self.server = server
        reader = RedisReplyReader(limits: configuration.replyLimits)
        handshake = RedisHandshake(configuration, server: server)
    }

    /// Begins the handshake; the link is told of all that happens from now on.
    func begin(for link: RedisLink) {
        self.link = link
        guard let context, context.channel.isActive, !isOver else {
            end(RedisFailure(.connectionLost, "Redis at \(server) closed the connection"))
            return
        }
        var bytes = context.channel.allocator.buffer(capacity: 256)
        for command in handshake.commands { command.write(to: &bytes) }
        write(bytes)
    }

    /// Sends commands.
    func write(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// Ends the connection; the link hears no more of it.
    func close() {
        isOver = true
        link = nil
        context?.close(promise: nil)
    }

    // MARK: Channel

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reader.receive(unwrapInboundIn(data))
        do throws(RedisProtocolFault) {
            // Whoever gets a reply may end the connection.
            while !isOver, let reply = try reader.next() {
                // Pushes belong to no command.
                if case .push = reply { continue }
                take(reply)
            }
        } catch {
            end(RedisFailure(.protocolBroken, "Redis at \(server) sent no reply: \(error)"))
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(RedisFailure(.connectionLost, "Redis at \(server) closed the connection"))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        end(RedisFailure(.connectionLost, "The connection to Redis at \(server) failed: \(error)"))
    }

    private func take(_ reply: RedisReply) {
        if isReady {
            link?.received(reply)
            return
        }
        switch handshake.receive(reply) {
        case .unfinished: break
        case .finished:
            isReady = true
            link?.connectionIsReady(self)
        case .failed(let failure): end(failure)
        }
    }

    private func end(_ failure: RedisFailure) {
        let link = link
        close()
        link?.connectionEnded(failure)
    }
}

/// Makes connections to Redis servers on one event loop.
struct RedisConnector {
    let configuration: RedisConfiguration
    let tls: NIOSSLContext?
    let eventLoop: any EventLoop

    /// Connects; the connection's handshake has not begun.
    func connect(
        to server: RedisAddress, then completion: @escaping (Result<any Channel, any Error>) -> Void
    ) {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { [configuration, tls] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        try pipeline.addHandler(ControlClient.encryption(tls, host: server.host))
                    }
                    try pipeline.addHandler(RedisConnection(configuration, server: server))
                }
            }
            .connect(host: server.host, port: server.port)
            .assumeIsolated()
            .whenComplete(completion)
    }

    /// The longest wait for a connection that is ready for commands.
    var timeout: Duration { max(.milliseconds(1), configuration.connectTimeout) }
}
