import Logging
import NIOCore
import NIOTLS

/// Tells HTTP/2 from HTTP/1.1, so that one port serves both, then sets the pipeline up and leaves
/// it.
///
/// Under TLS the client has said by ALPN what it speaks; without ALPN, and without TLS, the first
/// bytes tell.
final class ProtocolDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Next: configured, refused.
        case undecided
        /// The handlers behind this one speak. Final.
        case configured
        /// The client speaks what this port does not. Final.
        case refused
    }

    /// RFC 9113, section 3.4.
    ///
    /// No HTTP/1 method starts with these bytes.
    private static let preface = Array("PRI * HTTP/2.0".utf8)

    private let protocols: ListenerOptions.Protocols
    private let deadline: ConnectionDeadline
    private let logger: Logger
    private let configure: (any Channel, _ isHTTP2: Bool) throws -> Void
    private var state = State.undecided
    private var received: ByteBuffer?
    /// Whether the connection was asked to end before it said what it speaks; passed on when its
    /// first request, which may have been on its way, is known.
    private var isEnding = false

    init(
        protocols: ListenerOptions.Protocols, deadline: ConnectionDeadline, logger: Logger,
        configure: @escaping (any Channel, _ isHTTP2: Bool) throws -> Void
    ) {
        self.protocols = protocols
        self.deadline = deadline
        self.logger = logger
        self.configure = configure
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted(let agreed)? = event as? TLSUserEvent {
            deadline.enter(.head)
            if let agreed, case .undecided = state {
                decide(isHTTP2: agreed == "h2", context: context)
            }
        }
        if event is ChannelShouldQuiesceEvent {
            isEnding = true
            return
        }
        context.fireUserInboundEventTriggered(event)
        if !isEnding { leave(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .undecided = state else {
            if case .configured = state {
                context.fireChannelRead(data)
                leave(context)
            }
            return
        }
        var bytes = unwrapInboundIn(data)
        if var earlier = received.take() {
            earlier.writeBuffer(&bytes)
            bytes = earlier
        }
        let start = bytes.readableBytesView.prefix(ProtocolDetector.preface.count)
        let isPrefix = start.elementsEqual(ProtocolDetector.preface.prefix(start.count))
        if isPrefix, start.count < ProtocolDetector.preface.count {
            received = bytes
            return
        }
        decide(isHTTP2: isPrefix, context: context)
        guard case .configured = state else { return }
        context.fireChannelRead(wrapInboundOut(bytes))
        leave(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        logger.debug(
            "connection failed before its first request",
            metadata: [
                "peer": "\(context.channel.remoteAddress?.text ?? "unknown")", "error": "\(error)",
            ])
        context.close(promise: nil)
    }

    private func decide(isHTTP2: Bool, context: ChannelHandlerContext) {
        switch (protocols, isHTTP2) {
        case (.http1, true):
            refuse("505 HTTP Version Not Supported", "This port speaks HTTP/1.1 only", context)
            return
        case (.grpc, false):
            refuse("400 Bad Request", "This port speaks gRPC (HTTP/2) only", context)
            return
        case (.any, _), (.http1, false), (.grpc, true): break
        }
        state = .configured
        do {
            try configure(context.channel, isHTTP2)
        } catch {
            state = .refused
            context.close(promise: nil)
        }
    }

    private func leave(_ context: ChannelHandlerContext) {
        guard case .configured = state else { return }
        if isEnding { context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent()) }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    /// Answers in HTTP/1.1, which clients of either version show to their users.
    private func refuse(_ status: String, _ reason: String, _ context: ChannelHandlerContext) {
        state = .refused
        deadline.enter(.response)
        let body = reason + "\n"
        let head =
            "HTTP/1.1 \(status)\r\ncontent-type: text/plain\r\nconnection: close\r\n"
            + "content-length: \(body.utf8.count)\r\n\r\n"
        let channel = context.channel
        let answer = ByteBuffer(string: head + body)
        context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { _ in channel.linger() }
    }
}

extension Channel {
    /// Ends the output, throws away what still comes for a while, then closes.
    ///
    /// Closing at once would reset the connection before the client has read the answer.
    func linger() {
        close(mode: .output, promise: nil)
        eventLoop.scheduleTask(in: .seconds(2)) { self.close(promise: nil) }
    }
}

extension Optional {
    /// The value, leaving `nil` behind, so that a buffer is not copied while it is appended to.
    mutating func take() -> Wrapped? {
        defer { self = nil }
        return self
    }
}
