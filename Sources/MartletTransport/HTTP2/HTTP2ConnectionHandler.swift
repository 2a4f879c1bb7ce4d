import MartletCore
import NIOCore

/// The server's end of an HTTP/2 connection: carries bytes to and from the core, and keeps its
/// time.
///
/// There is one handler for all streams. What is answered while bytes are read goes out together at
/// the end of that. Subclasses say what becomes of requests.
class HTTP2ConnectionHandler: HTTP2Endpoint {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let limits: Limits

    var connection: HTTP2Connection
    private(set) var remoteAddress = "unknown"

    /// Whether output is flushed soon anyway.
    private(set) var isAtWork = false
    private(set) var context: ChannelHandlerContext?
    private var clock: ConnectionClock
    private var isEnding = false
    /// Whether content is copied before anybody keeps it; see `Channel.isEncrypted`.
    private var copiesContent = false
    var isFlushing = false
    /// Bytes of all bodies that have come.
    final var bodyBytes = 0
    private var timer: (at: NIODeadline, task: Scheduled<Void>)?
    /// No request has to be looked at earlier.
    private var earliestWake = NIODeadline.distantFuture
    /// The time of the work that is being done; reading it for each request would cost.
    private(set) var now = NIODeadline.now()
    private var instant: ContinuousClock.Instant?

    init(limits: Limits, lifetime: ConnectionLifetime) {
        self.limits = limits
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

    // MARK: What subclasses do

    /// The connection has begun.
    func began(in context: ChannelHandlerContext) {}

    /// Something of a request has come.
    func take(_ event: HTTP2Event) {}

    /// Whether content is kept as it came, for a while.
    var keepsContent: Bool { false }

    /// All that has come for now was taken; what is left to be done is done now.
    func didTakeAll() {}

    /// Ends the requests whose time is up; says when to look again.
    func expire() -> NIODeadline { .distantFuture }

    /// Nobody waits for any answer any more.
    func abandonAll() {}

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        remoteAddress = context.channel.remoteAddress?.text ?? "unknown"
        copiesContent = keepsContent && context.channel.isEncrypted
        connection.setWritable(context.channel.isWritable)
        began(in: context)
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
        let bytes = unwrapInboundIn(data)
        connection.receive(copiesContent ? ByteBuffer(buffer: bytes) : bytes, now: now)
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
    final func work(_ action: () -> Void) {
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

    final func takeEvents() {
        while let event = connection.next() { take(event) }
    }

    /// Does what was left to be done, then writes all that has come together.
    private func endWork() {
        didTakeAll()
        if let context { writeOutput(to: context) }
        isAtWork = false
        guard !isEnding else { return }
        if connection.hasFailed || connection.isDrained {
            end()
        } else {
            watch()
        }
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
        abandonAll()
    }

    // MARK: Time

    /// Sees to it that requests are looked at when their time is up.
    final func wake(at deadline: NIODeadline) { earliestWake = min(earliestWake, deadline) }

    /// Sees to it that the timer fires when it has to.
    private func watch() {
        if connection.streams.isEmpty { earliestWake = .distantFuture }
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
            earliestWake = .distantFuture
            earliestWake = min(earliestWake, expire())
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

    // MARK: Answers

    /// Answers a request that is no gRPC call, without the body where the answer is a head alone.
    final func write(_ response: HTTPResponse, to stream: UInt32, isHead: Bool = false) {
        var block = FieldBlock.streamedHead(response)
        block.add("content-length", String(response.body.count))
        let hasBody = !isHead && !response.body.isEmpty
        connection.sendHead(block, on: stream, isEnd: !hasBody)
        if hasBody { connection.sendData(response.body, on: stream, isEnd: true) }
    }
}

extension FieldBlock {
    /// The head of an answer whose content comes in pieces, or whose length is to be added.
    static func streamedHead(_ response: HTTPResponse) -> FieldBlock {
        var block = FieldBlock([(":status", String(response.status))])
        for field in response.headers.fields { block.add(field.name, field.value) }
        block.add("date", HTTPDate.now())
        return block
    }
}
