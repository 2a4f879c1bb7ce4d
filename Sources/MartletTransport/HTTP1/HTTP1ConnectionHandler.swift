import MartletCore
import NIOCore

/// The server's end of an HTTP/1.1 connection: carries bytes to and from the core, and keeps its
/// time.
///
/// What is answered while bytes are read goes out together at the end of that. Subclasses say what
/// becomes of requests.
class HTTP1ConnectionHandler: ChannelDuplexHandler, NIOScheduledCallbackHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let shared: SharedLimits
    final var limits: Limits { shared.values }

    var connection: HTTP1Connection
    private(set) var remoteAddress = "unknown"

    /// Whether output is flushed soon anyway.
    private(set) var isAtWork = false
    /// The time of the work that is being done; reading it for each request would cost.
    private(set) var now: NIODeadline
    private var instant: ContinuousClock.Instant?
    private(set) var context: ChannelHandlerContext?
    private var clock: HTTP1Clock
    private var readBytes = 0
    private var owesRead = false
    /// Whether the last that is to be said was written.
    final var isEnding = false
    private var isOver = false
    /// Whether content is copied before anybody keeps it; see `Channel.isEncrypted`.
    private var copiesContent = false
    /// What goes out in front of the core's output.
    final var large: [ByteBuffer] = []
    /// Whether ``flush()`` is under way.
    final var isFlushing = false
    /// Whether something happened while output was being written.
    final var owesWork = false
    private var timer: NIOScheduledCallback?
    /// When the timer fires; `nil` without one.
    private var firesAt: NIODeadline?

    /// Begins a connection, whose first head is due since `since`.
    init(
        limits: SharedLimits, keepsTrailers: Bool, eventLoop: any EventLoop,
        since: NIODeadline? = nil
    ) {
        shared = limits
        now = eventLoop.now
        connection = HTTP1Connection(
            limits: HTTP1Limits(limits.values), keepsTrailers: keepsTrailers)
        clock = HTTP1Clock(limits, since: since ?? now)
    }

    /// The same time for people and logs.
    var start: ContinuousClock.Instant {
        if let instant { return instant }
        let now = ContinuousClock.now
        instant = now
        return now
    }

    // MARK: What subclasses do

    /// The connection has begun.
    func began(on eventLoop: any EventLoop) {}

    /// Something of a request has come.
    func take(_ event: HTTP1Event) {}

    /// All that has come for now was taken.
    func didTakeAll() {}

    /// Whether content is kept as it came, for a while.
    var keepsContent: Bool { false }

    /// When the request that is there is to be answered at the latest.
    var answerDeadline: NIODeadline? { nil }

    /// That time has come.
    func expire() {}

    /// The body of the request that is there comes too slowly.
    func refuseSlowBody() {}

    /// The client takes more output, or does not.
    func writabilityChanged(_ isWritable: Bool) {}

    /// Nobody waits for an answer any more.
    func abandon() {}

    /// Whether reading waits, though the connection could go on.
    var isPaused: Bool { false }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        copiesContent = keepsContent && context.channel.isEncrypted
        began(on: context.eventLoop)
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
        let bytes = unwrapInboundIn(data)
        readBytes += bytes.readableBytes
        let isToCopy = copiesContent && connection.isReceivingContent
        connection.receive(isToCopy ? ByteBuffer(buffer: bytes) : bytes)
        takeEvents()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if isAtWork { endWork() }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        guard connection.wantsInput, !isPaused else {
            owesRead = true
            return
        }
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        let isWritable = context.channel.isWritable
        work {
            connection.setWritable(isWritable)
            writabilityChanged(isWritable)
        }
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
    final func work(_ action: () -> Void) {
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
    ///
    /// While output is being written that waits: whoever had it written may not be done yet with
    /// the request that is answered, so the next one must not begin.
    private func endWork() {
        guard !isFlushing else {
            isAtWork = false
            owesWork = true
            return
        }
        takeEvents()
        while hasOutput, context != nil {
            flush()
            takeEvents()
        }
        didTakeAll()
        isAtWork = false
        guard context != nil else { return }
        watch()
        readIfOwed()
    }

    /// Reads what was not read while there was no room.
    final func readIfOwed() {
        guard owesRead, connection.wantsInput, !isPaused else { return }
        owesRead = false
        context?.read()
    }

    private func endAll() {
        timer?.cancel()
        timer = nil
        firesAt = nil
        isOver = true
        abandon()
    }

    // MARK: Time

    /// Sees to it that the timer fires when it has to.
    private func watch() {
        // Whoever is not read from is not slow.
        let awaited = isPaused && connection.awaited == .content ? .answer : connection.awaited
        clock.update(
            awaited, requestCount: connection.requestCount, readBytes: readBytes, now: now)
        readBytes = 0
        guard let next = nextWake, let context, !isOver else { return }
        if let firesAt, firesAt <= next { return }
        timer?.cancel()
        // A task would be kept with a promise and closures, for each idle connection.
        timer = try? context.eventLoop.assumeIsolated().scheduleCallback(at: next, handler: self)
        firesAt = timer == nil ? nil : next
    }

    private var nextWake: NIODeadline? {
        guard let deadline = answerDeadline else { return clock.end }
        return min(deadline, clock.end ?? .distantFuture)
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        timer = nil
        firesAt = nil
        guard let context else { return }
        work {
            if let deadline = answerDeadline, deadline <= now { expire() }
        }
        if case .room = connection.awaited,
            let unsent = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)
        {
            clock.update(unsentBytes: unsent, now: now)
        }
        if let end = clock.end, end <= now {
            endSlowClient(context)
        } else {
            watch()
        }
    }

    /// Gives a client up, who is told why where there is a request to answer.
    private func endSlowClient(_ context: ChannelHandlerContext) {
        if connection.isReceivingContent { work { refuseSlowBody() } }
        if !connection.isClosing { context.close(promise: nil) }
    }
}
