import MartletCore
import NIOCore

/// Closes a connection whose peer is too slow, whatever it is slow at.
///
/// Stands first in the pipeline and sees raw bytes; the handler that understands them says which
/// phase the connection is in. Setting a deadline is an assignment: the one timer checks it when
/// it fires and never fires less often than the shortest limit needs.
final class ConnectionDeadline: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// What the connection waits for.
    enum Phase {
        /// The end of the TLS handshake.
        case handshake
        /// The next request's first byte.
        case idle
        /// The rest of a request head.
        case head
        /// More of a request body.
        case body
        /// The server's own answer, which has no limit here.
        case response
    }

    private let limits: Limits
    private let handshakeTimeout: Duration?
    private(set) var phase = Phase.head
    /// When the connection is closed unless something happens; nil for never.
    private(set) var deadline: NIODeadline?
    private var timer: Scheduled<Void>?

    /// Creates the clock of one connection; with `handshakeTimeout` it begins with a handshake.
    init(limits: Limits, handshakeTimeout: Duration? = nil) {
        self.limits = limits
        self.handshakeTimeout = handshakeTimeout
    }

    func handlerAdded(context: ChannelHandlerContext) {
        enter(handshakeTimeout == nil ? .head : .handshake)
        schedule(context.channel)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch phase {
        case .idle: enter(.head)
        case .body: enter(.body)
        case .handshake, .head, .response: break
        }
        context.fireChannelRead(data)
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        context.fireChannelInactive()
    }

    /// Starts the clock of a phase.
    func enter(_ phase: Phase) {
        self.phase = phase
        switch phase {
        case .handshake: deadline = handshakeTimeout.map { .now() + TimeAmount($0) }
        case .idle: deadline = .now() + TimeAmount(limits.idleTimeout)
        case .head: deadline = .now() + TimeAmount(limits.headerTimeout)
        case .body: deadline = .now() + TimeAmount(limits.bodyTimeout)
        case .response: deadline = nil
        }
    }

    private func schedule(_ channel: any Channel) {
        let shortest = min(
            limits.headerTimeout, limits.bodyTimeout, limits.idleTimeout,
            handshakeTimeout ?? limits.headerTimeout)
        let latest = NIODeadline.now() + TimeAmount(shortest)
        let next = deadline.map { min($0, latest) } ?? latest
        timer = channel.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.fire(channel)
        }
    }

    private func fire(_ channel: any Channel) {
        if let deadline, deadline <= .now() {
            channel.close(promise: nil)
        } else {
            schedule(channel)
        }
    }
}
