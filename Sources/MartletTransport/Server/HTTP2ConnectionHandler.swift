import MartletCore
import NIOCore
import NIOHTTP2

/// Watches over an HTTP/2 connection of a server: idleness, dead peers, errors and the farewell.
///
/// The library's own handler for this cannot take its leave without loss: once its connection has
/// sent any GOAWAY, the library refuses all new streams, those below the GOAWAY's last stream too,
/// and takes what else comes on them for a fault of the whole connection. So here GOAWAY passes the
/// library by, and streams above the last are refused one by one.
final class HTTP2ConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame
    typealias OutboundOut = HTTP2Frame

    /// How long a client may take to learn of the end.
    private static let announcement = TimeAmount.seconds(5)
    /// How long the client may take to close its side, so that nothing on its way is reset.
    private static let linger = TimeAmount.seconds(1)
    private static let afterListener = Duration.seconds(5)
    private static let farewellPing = HTTP2PingData(withInteger: 0x6661_7265_7765_6c6c)
    private static let livenessPing = HTTP2PingData(withInteger: 0x616c_6976_653f_3f3f)

    private let limits: Limits
    private let lifetime: ConnectionLifetime
    private let pingInterval: TimeAmount
    private let pingTimeout: TimeAmount
    private let wire: HTTP2WireHandler
    private var farewell = HTTP2Farewell()
    private var context: ChannelHandlerContext?
    private var lastRead = NIODeadline.now()
    private var idleSince: NIODeadline? = .now()
    private var pingedAt: NIODeadline?
    private var upkeep: Scheduled<Void>?
    private var farewellTimer: Scheduled<Void>?
    private var ageTimer: Scheduled<Void>?
    /// How long requests may take once the client knows of the end; nil to wait for them.
    private var grace: Duration?

    /// Creates the handler of a connection whose GOAWAY frames go through `wire`.
    init(limits: Limits, lifetime: ConnectionLifetime, wire: HTTP2WireHandler) {
        self.limits = limits
        self.lifetime = lifetime
        pingInterval = TimeAmount(lifetime.pingInterval)
        pingTimeout = TimeAmount(lifetime.pingTimeout)
        grace = limits.drain
        self.wire = wire
    }

    /// Takes a new stream in; `false` when it is to be refused.
    func admit(_ stream: HTTP2StreamID) -> Bool {
        guard farewell.admit(stream) else { return false }
        idleSince = nil
        return true
    }

    /// What the library tells of streams, on the connection's event loop.
    func delegate(on eventLoop: any EventLoop) -> Delegate {
        Delegate(handler: NIOLoopBound(self, eventLoop: eventLoop))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        scheduleUpkeep(context)
        guard let end = lifetime.end else { return }
        // Connections that began together, as after a restart, are not to end together.
        let age = TimeAmount(end.age * Double.random(in: 0.9...1.1))
        ageTimer = after(age, context) { handler in
            handler.grace = end.grace
            handler.begin()
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        cancelTimers()
    }

    func channelInactive(context: ChannelHandlerContext) {
        cancelTimers()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .ping(Self.farewellPing, ack: true) = unwrapInboundIn(data).payload {
            clientKnows()
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        lastRead = .now()
        context.fireChannelReadComplete()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            // The listener's own limit comes first, and says that requests were cut off.
            grace = limits.drain + Self.afterListener
            begin()
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Closes the connection after errors that concern all of it; those of a stream end it alone.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !wire.hasFailed, error is any NIOHTTP2Error,
            !(error is NIOHTTP2Errors.UnableToSerializeFrame)
        {
            return
        }
        context.close(promise: nil)
    }

    // MARK: The farewell

    private func begin() {
        guard let context, farewell.begin() == .announce else { return }
        wire.sendGoAway(lastStream: .maxID)
        let ping = HTTP2Frame(
            streamID: .rootStream, payload: .ping(Self.farewellPing, ack: false))
        context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
        let wait = min(Self.announcement, TimeAmount(limits.drain / 2))
        farewellTimer = after(wait, context) { $0.clientKnows() }
    }

    private func clientKnows() {
        guard let context, case .nameLast(let stream) = farewell.clientKnows() else { return }
        wire.sendGoAway(lastStream: stream)
        farewellTimer?.cancel()
        farewellTimer = grace.map { grace in
            after(TimeAmount(grace), context) { $0.context?.close(promise: nil) }
        }
        closeIfDone(farewell.closeIfDone())
    }

    private func streamEnded(_ stream: HTTP2StreamID) {
        let action = farewell.streamEnded(stream)
        if farewell.isIdle, idleSince == nil { idleSince = .now() }
        closeIfDone(action)
    }

    private func closeIfDone(_ action: HTTP2Farewell.Action) {
        guard action == .close, let context else { return }
        farewellTimer?.cancel()
        // Not at once: the stream's last frame is written by now, but not flushed.
        farewellTimer = after(.nanoseconds(0), context) { handler in
            guard let context = handler.context else { return }
            context.flush()
            context.close(mode: .output, promise: nil)
            handler.farewellTimer = handler.after(Self.linger, context) {
                $0.context?.close(promise: nil)
            }
        }
    }

    // MARK: Upkeep

    private func scheduleUpkeep(_ context: ChannelHandlerContext) {
        let ping = pingedAt.map { $0 + pingTimeout } ?? lastRead + pingInterval
        let next = idleSince.map { min(ping, $0 + TimeAmount(limits.idleTimeout)) } ?? ping
        // A little later than the limit, so that it has passed by then.
        let delay = max(next - .now(), .zero) + .milliseconds(1)
        upkeep = after(delay, context) { $0.keepUp() }
    }

    private func keepUp() {
        guard let context else { return }
        let now = NIODeadline.now()
        if let pinged = pingedAt {
            if lastRead > pinged {
                pingedAt = nil
            } else if now - pinged >= pingTimeout {
                // The peer is gone: nobody would read a farewell.
                context.close(promise: nil)
                return
            }
        } else if now - lastRead >= pingInterval {
            pingedAt = now
            let ping = HTTP2Frame(
                streamID: .rootStream, payload: .ping(Self.livenessPing, ack: false))
            context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
        }
        if let since = idleSince, now - since >= TimeAmount(limits.idleTimeout) {
            idleSince = nil
            begin()
        }
        scheduleUpkeep(context)
    }

    private func after(
        _ delay: TimeAmount, _ context: ChannelHandlerContext,
        _ run: @escaping (HTTP2ConnectionHandler) -> Void
    ) -> Scheduled<Void> {
        context.eventLoop.assumeIsolated().scheduleTask(in: delay) { run(self) }
    }

    private func cancelTimers() {
        upkeep?.cancel()
        upkeep = nil
        farewellTimer?.cancel()
        farewellTimer = nil
        ageTimer?.cancel()
        ageTimer = nil
    }
}

extension HTTP2ConnectionHandler {
    /// Passes on what the library tells of a connection's streams.
    struct Delegate: NIOHTTP2StreamDelegate, Sendable {
        fileprivate let handler: NIOLoopBound<HTTP2ConnectionHandler>

        /// Streams are counted when they are admitted.
        func streamCreated(_ id: HTTP2StreamID, channel: any Channel) {}

        func streamClosed(_ id: HTTP2StreamID, channel: any Channel) {
            handler.value.streamEnded(id)
        }
    }
}
