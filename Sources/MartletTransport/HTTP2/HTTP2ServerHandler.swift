import MartletCore
import NIOCore

/// Serves an HTTP/2 connection: carries bytes to and from the core, and requests to the responder.
///
/// There is one handler for all streams. What they answer while bytes are read goes out together
/// at the end of that, as does what other threads have answered meanwhile.
final class HTTP2ServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let responder: any RequestResponder
    let limits: Limits
    let protocols: ListenerOptions.Protocols
    let eventLoop: any EventLoop

    var connection: HTTP2Connection
    var exchanges = StreamTable<HTTP2Exchange>()
    /// The head of a call that is known not to be streaming.
    var unaryHead: RequestHead?
    var answers: AnswerBox?
    var remoteAddress = "unknown"

    /// Whether output is flushed soon anyway.
    private(set) var isAtWork = false
    private var context: ChannelHandlerContext?
    private var clock: ConnectionClock
    private var isEnding = false
    private var isFlushing = false
    private var timer: (at: NIODeadline, task: Scheduled<Void>)?
    /// No exchange has to be looked at earlier.
    private var earliestWake = NIODeadline.distantFuture
    /// The time of the work that is being done; reading it for each request would cost.
    private(set) var now = NIODeadline.now()
    private var instant: ContinuousClock.Instant?

    init(
        responder: any RequestResponder, limits: Limits, protocols: ListenerOptions.Protocols,
        lifetime: ConnectionLifetime, eventLoop: any EventLoop
    ) {
        self.eventLoop = eventLoop
        self.responder = responder
        self.limits = limits
        self.protocols = protocols
        connection = HTTP2Connection(limits: HTTP2Limits(limits), now: now)
        clock = ConnectionClock(
            limits, lifetime, ageFactor: .random(in: 0.9...1.1), now: now)
    }

    /// The same time for people and logs.
    var start: ContinuousClock.Instant {
        if let instant { return instant }
        let now = ContinuousClock.now
        instant = now
        return now
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        answers = AnswerBox(of: self, eventLoop: context.eventLoop)
        remoteAddress = context.channel.remoteAddress?.text ?? "unknown"
        connection.setWritable(context.channel.isWritable)
        work {}
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        endAll()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isEnding else { return }
        beginWork()
        clock.didRead(now: now)
        connection.receive(unwrapInboundIn(data), now: now)
        takeEvents()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isAtWork { endWork() }
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        if isFlushing {
            // The loop that writes goes on with it.
            connection.setWritable(isWritable)
        } else {
            work { connection.setWritable(isWritable) }
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            clock.shutDown()
            work { connection.startDraining() }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        endAll()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    // MARK: Work, and what comes of it

    /// Does something that may lead to output.
    func work(_ action: () -> Void) {
        guard !isAtWork else {
            action()
            return
        }
        beginWork()
        action()
        takeEvents()
        endWork()
    }

    private func beginWork() {
        guard !isAtWork else { return }
        isAtWork = true
        now = .now()
        instant = nil
    }

    private func takeEvents() {
        while let event = connection.next() { take(event) }
    }

    /// Does what was left to be done, then writes all that has come together.
    private func endWork() {
        // What is done may leave something to be done: handlers of streams find room.
        while let items = answers?.take(), !items.isEmpty {
            for item in items { take(item) }
            takeEvents()
        }
        flush()
        isAtWork = false
        guard !isEnding else { return }
        if connection.hasFailed || connection.isDrained {
            end()
        } else {
            watch()
        }
    }

    /// Takes the answers of other threads.
    func takeAnswers() {
        guard !isAtWork, context != nil else { return }
        work {}
    }

    private func flush() {
        guard let context, !isFlushing else { return }
        isFlushing = true
        var isWritten = false
        while let output = connection.takeOutput() {
            context.write(wrapOutboundOut(output), promise: nil)
            isWritten = true
            if connection.hasMoreOutput { connection.setWritable(true) }
            // Before the socket has been tried, nobody knows that it takes no more.
            if !connection.hasOutput {
                context.flush()
                isWritten = false
                takeEvents()
            }
        }
        if isWritten { context.flush() }
        isFlushing = false
    }

    /// Closes behind what has been written, and without the reset that unread bytes would cause.
    private func end() {
        isEnding = true
        let channel = context?.channel
        endAll()
        channel?.linger()
    }

    private func endAll() {
        timer?.task.cancel()
        timer = nil
        answers?.abandon()
        answers = nil
        unaryHead = nil
        for stream in exchanges.streams { abandon(stream) }
    }

    // MARK: Time

    /// Notes when an exchange has to be looked at.
    func wake(_ exchange: HTTP2Exchange, at deadline: NIODeadline?) {
        exchange.wakeAt = deadline
        if let deadline { earliestWake = min(earliestWake, deadline) }
    }

    /// Sees to it that the timer fires when it has to.
    private func watch() {
        if exchanges.isEmpty { earliestWake = .distantFuture }
        clock.update(
            ConnectionClock.Situation(
                owesHead: connection.owesHead, isBusy: !connection.streams.isEmpty,
                isDraining: connection.isDraining, isLastNamed: connection.isLastNamed),
            now: now)
        let next = min(clock.next, earliestWake)
        if let timer, timer.at <= next { return }
        guard let channel = context?.channel else { return }
        timer?.task.cancel()
        let task = channel.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.fire()
        }
        timer = (next, task)
    }

    private func fire() {
        timer = nil
        guard !isEnding else { return }
        var isToClose = false
        work {
            for stream in exchanges.streams {
                guard let wakeAt = exchanges[stream]?.wakeAt, wakeAt <= now else { continue }
                expire(stream)
            }
            earliestWake =
                exchanges.streams.lazy.compactMap { self.exchanges[$0]?.wakeAt }.min()
                ?? .distantFuture
            switch clock.check(now: now) {
            case .none: break
            case .ping: connection.ping()
            case .drain: connection.startDraining()
            case .nameLast: connection.nameLast()
            case .close: isToClose = true
            }
        }
        if isToClose { context?.close(promise: nil) }
    }
}
