import MartletCore
import NIOCore

/// The client's side of exchanges on an HTTP/2 connection: a table of requests under way.
final class HTTP2ForwardingHandler: HTTP2ConnectionHandler, LoopTurnMember {
    let core: ForwarderCore
    let pool: HTTP2UpstreamPool
    let eventLoop: any EventLoop
    private(set) var clientNames: [ClientName] = []
    var isInTurn = false

    private var requests = StreamTable<HTTP2ForwardedRequest>()
    private var clientAddress: String?
    /// What upstreams get of the head that the client sent last, which is often its next one, too.
    private var lastHead:
        (of: RequestHead, changes: ForwardingChanges?, forwarded: HTTP2ForwardedHead)?
    /// What the client got of the head that an upstream sent last, where it was changed.
    private var lastAnswer: (of: AnswerHead, changes: FieldChanges, block: FieldBlock)?

    init(
        core: ForwarderCore, pool: HTTP2UpstreamPool, limits: Limits, lifetime: ConnectionLifetime,
        eventLoop: any EventLoop
    ) {
        self.core = core
        self.pool = pool
        self.eventLoop = eventLoop
        super.init(limits: limits, lifetime: lifetime)
    }

    // MARK: The connection

    override func began(in context: ChannelHandlerContext) {
        clientAddress = context.channel.remoteAddress?.ipAddress
        clientNames = ClientName.names(of: context.channel)
    }

    override var keepsContent: Bool { true }

    override func take(_ event: HTTP2Event) {
        switch event {
        case .head(let stream, let head, let isEnd):
            let request = HTTP2ForwardedRequest(head, on: stream, of: self)
            requests.insert(request, for: stream)
            request.begin(isEnd: isEnd)
        case .data(let stream, let bytes, let isEnd):
            bodyBytes += bytes.readableBytes
            requests[stream]?.receive(bytes, isEnd: isEnd)
        case .trailers(let stream, let trailers): requests[stream]?.receive(trailers)
        case .reset(let stream), .unprocessed(let stream):
            requests.remove(stream)?.clientClosed()
        case .sent(let stream, _): requests[stream]?.didSend()
        case .failed(let fault):
            if let flood = fault.flood { core.policy.didEnd(flood) }
            abandonAll()
        case .answer, .goAway, .pong: break
        }
    }

    /// Requests whose answer has not left yet.
    var requestCount: Int { requests.count }

    override func abandonAll() {
        for stream in requests.streams { requests.remove(stream)?.clientClosed() }
    }

    override func expire() -> NIODeadline {
        for stream in requests.streams {
            guard let request = requests[stream], request.wakeAt <= now else { continue }
            request.expire(now: now)
        }
        return requests.streams.lazy.compactMap { self.requests[$0]?.wakeAt }.min()
            ?? .distantFuture
    }

    // MARK: What requests ask for

    /// Sees to it that what was handed to the core leaves, and that its clock is looked at.
    func endSoon() {
        if !isAtWork { pool.turn.add(self) }
    }

    func endTurn() { work {} }

    /// Forgets a request that is over; one whose answer still waits for the client is kept.
    ///
    /// - Returns: whether it is forgotten.
    @discardableResult
    func forget(_ request: HTTP2ForwardedRequest) -> Bool {
        guard !connection.streams.contains(request.stream) else { return false }
        requests.remove(request.stream)
        return true
    }

    /// Ends a stream without an answer.
    func reset(_ stream: UInt32, _ code: HTTP2Code) {
        connection.reset(stream, code)
        requests.remove(stream)
        endSoon()
    }

    /// What upstreams get of a head.
    func forwarded(_ head: RequestHead, _ changes: ForwardingChanges?) -> HTTP2ForwardedHead {
        if let lastHead, lastHead.of === head, lastHead.changes == changes {
            return lastHead.forwarded
        }
        let forwarded = HTTP2ForwardedHead(head, clientAddress: clientAddress, changes: changes)
        lastHead = (head, changes, forwarded)
        return forwarded
    }

    /// Answers a gRPC call as it, or one like it, was answered before.
    ///
    /// An answer without message and trailers has its status in the head.
    func write(call answer: HTTPResponse, to stream: UInt32) {
        var block = FieldBlock([(":status", String(answer.status))])
        for field in answer.headers.fields { block.add(field.name, field.value) }
        let isBare = answer.trailers == nil
        connection.sendHead(block, on: stream, isEnd: isBare && answer.body.isEmpty)
        if !answer.body.isEmpty { connection.sendData(answer.body, on: stream, isEnd: isBare) }
        if let trailers = answer.trailers?.fields {
            connection.sendTrailers(FieldBlock(trailers.map { ($0.name, $0.value) }), on: stream)
        }
    }

    /// What the client gets of a head.
    func block(of head: AnswerHead, _ changes: FieldChanges?) -> FieldBlock {
        guard let changes, !changes.isEmpty else { return head.block }
        if let lastAnswer, lastAnswer.of === head, lastAnswer.changes == changes {
            return lastAnswer.block
        }
        let block = head.block(changedBy: changes)
        lastAnswer = (head, changes, block)
        return block
    }
}
