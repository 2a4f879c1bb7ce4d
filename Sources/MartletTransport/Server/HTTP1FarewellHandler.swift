import NIOCore

/// Lets an HTTP/1 connection end without losing the request that is on its way to it.
///
/// Between two requests the connection would close at once, and a request that the client has
/// sent, but that was not read yet, would be lost. So it is kept for a moment: if a request comes,
/// it is answered, and its answer says that the connection closes.
final class HTTP1FarewellHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private enum State {
        /// Next: ending.
        case serving
        /// Asked to end, and waiting for the request that may be on its way. Next: passed.
        case ending
        /// The handlers behind have been asked to end. Final.
        case passed
    }

    /// A client that asks again and again has its next request under way by then.
    private static let moment = TimeAmount.milliseconds(250)

    private let deadline: ConnectionDeadline
    private var state = State.serving
    private var timer: Scheduled<Void>?

    /// Creates the farewell of a connection, whose deadline knows what it waits for.
    init(deadline: ConnectionDeadline) {
        self.deadline = deadline
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        guard case .serving = state else { return }
        state = .ending
        switch deadline.phase {
        case .body, .response: passOn(context)
        case .handshake, .idle, .head: wait(context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stopWaiting()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        stopWaiting()
    }

    private func wait(_ context: ChannelHandlerContext) {
        deadline.whenBodyBegins = { self.passOn(context) }
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: Self.moment) {
            // The rest of a head that has begun has a limit of its own.
            if case .idle = self.deadline.phase { self.passOn(context) }
        }
    }

    private func stopWaiting() {
        deadline.whenBodyBegins = nil
        timer?.cancel()
        timer = nil
    }

    private func passOn(_ context: ChannelHandlerContext) {
        guard case .ending = state else { return }
        state = .passed
        stopWaiting()
        context.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
    }
}
