import MartletCore
import NIOCore

/// Serves an HTTP/1.1 connection: carries bytes to and from the core, and requests to the
/// responder.
///
/// What is answered while bytes are read goes out together at the end of that.
final class HTTP1ServerHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let responder: any RequestResponder
    let limits: Limits

    var connection: HTTP1Connection
    var exchange: HTTP1Exchange?
    // Not in the exchange: appending to an array held in an optional would copy it each time.
    var body: RequestBody?
    private(set) var answers: HTTP1AnswerBox?
    private(set) var remoteAddress = "unknown"

    /// Whether output is flushed soon anyway.
    private(set) var isAtWork = false
    /// The time of the work that is being done; reading it for each request would cost.
    private(set) var now: NIODeadline
    private var instant: ContinuousClock.Instant?
    private var context: ChannelHandlerContext?
    private var clock: HTTP1Clock
    private var didRead = false
    private var owesRead = false
    private var isEnding = false
    private var timer: (at: NIODeadline, task: Scheduled<Void>)?

    /// Begins a connection, whose first head is due since `since`.
    init(
        responder: any RequestResponder, limits: Limits, eventLoop: any EventLoop,
        since: NIODeadline? = nil
    ) {
        self.responder = responder
        self.limits = limits
        now = eventLoop.now
        connection = HTTP1Connection(limits: HTTP1Limits(limits))
        clock = HTTP1Clock(limits, since: since ?? now)
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
        answers = HTTP1AnswerBox(of: self, eventLoop: context.eventLoop)
        remoteAddress = context.channel.remoteAddress?.text ?? "unknown"
        connection.setWritable(context.channel.isWritable)
        work {}
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        endAll()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        beginWork()
        didRead = true
        connection.receive(unwrapInboundIn(data))
        takeEvents()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isAtWork { endWork() }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        guard connection.wantsInput else {
            owesRead = true
            return
        }
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        work { connection.setWritable(isWritable) }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is ChannelShouldQuiesceEvent {
            work {
                clock.startDraining(now: now)
                connection.startDraining()
            }
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
    private func work(_ action: () -> Void) {
        guard !isAtWork else {
            action()
            return
        }
        beginWork()
        action()
        endWork()
    }

    private func beginWork() {
        guard !isAtWork, let context else { return }
        isAtWork = true
        now = context.eventLoop.now
        instant = nil
    }

    private func takeEvents() {
        while let event = connection.next() { take(event) }
    }

    /// Goes on as far as there is room, writing all that has come together.
    private func endWork() {
        takeEvents()
        while connection.hasOutput, context != nil {
            flush()
            takeEvents()
        }
        isAtWork = false
        guard let context else { return }
        watch()
        if owesRead, connection.wantsInput {
            owesRead = false
            context.read()
        }
    }

    /// Takes the answer of another thread.
    func take(_ response: HTTPResponse, of request: Int) {
        guard context != nil else { return }
        work { finish(response, of: request) }
    }

    private func flush() {
        guard let context, let output = connection.takeOutput() else { return }
        guard connection.isClosing, !isEnding else {
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
            return
        }
        isEnding = true
        let channel = context.channel
        // Closing on a client that still sends would reset the connection before it has read.
        let isToLinger = connection.mayBeSending
        context.writeAndFlush(wrapOutboundOut(output)).whenComplete { _ in
            if isToLinger { channel.linger() } else { channel.close(promise: nil) }
        }
    }

    /// Nobody waits for an answer any more.
    private func endAll() {
        timer?.task.cancel()
        timer = nil
        answers?.abandon()
        answers = nil
        exchange?.context.cancellation.cancel()
        exchange = nil
        body = nil
    }

    // MARK: Time

    /// Sees to it that the timer fires when it has to.
    private func watch() {
        clock.update(
            connection.awaited, requestCount: connection.requestCount, didRead: didRead, now: now)
        didRead = false
        guard let next = nextWake, let context, answers != nil else { return }
        if let timer, timer.at <= next { return }
        timer?.task.cancel()
        let task = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            self.fire()
        }
        timer = (next, task)
    }

    private var nextWake: NIODeadline? {
        guard let deadline = exchange?.answerDeadline else { return clock.end }
        return min(deadline, clock.end ?? .distantFuture)
    }

    private func fire() {
        timer = nil
        guard let context else { return }
        work {
            if let deadline = exchange?.answerDeadline, deadline <= now { expire() }
        }
        if case .room = connection.awaited,
            let unsent = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        {
            clock.update(unsentBytes: unsent, now: now)
        }
        if let end = clock.end, end <= now {
            context.close(promise: nil)
        } else {
            watch()
        }
    }
}
