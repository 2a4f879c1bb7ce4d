import MartletCore
import NIOCore

/// Serves an HTTP/2 connection: carries its requests to the responder.
///
/// What other threads have answered while bytes are read goes out at the end of that, too.
final class HTTP2ServerHandler: HTTP2ConnectionHandler {
    let responder: any RequestResponder
    let protocols: ListenerOptions.Protocols
    let eventLoop: any EventLoop

    var exchanges = StreamTable<HTTP2Exchange>()
    /// The head of a call that is known not to be streaming.
    var unaryHead: RequestHead?
    private(set) var answers: AnswerBox?

    init(
        responder: any RequestResponder, limits: Limits, protocols: ListenerOptions.Protocols,
        lifetime: ConnectionLifetime, eventLoop: any EventLoop
    ) {
        self.eventLoop = eventLoop
        self.responder = responder
        self.protocols = protocols
        super.init(limits: limits, lifetime: lifetime)
    }

    override func began(in context: ChannelHandlerContext) {
        answers = AnswerBox(of: self, eventLoop: context.eventLoop)
    }

    override func didTakeAll() {
        // What is done may leave something to be done: handlers of streams find room.
        while let items = answers?.take(), !items.isEmpty {
            for item in items { take(item) }
            takeEvents()
        }
    }

    override func abandonAll() {
        answers?.abandon()
        answers = nil
        unaryHead = nil
        for stream in exchanges.streams { abandon(stream) }
    }

    override func take(_ event: HTTP2Event) {
        switch event {
        case .head(let stream, let head, let isEnd): begin(stream, head, isEnd: isEnd)
        case .data(let stream, let bytes, let isEnd):
            bodyBytes += bytes.readableBytes
            receive(stream, bytes, isEnd: isEnd)
        case .trailers(let stream, _): receive(stream, ByteBuffer(), isEnd: true)
        case .reset(let stream), .unprocessed(let stream): abandon(stream)
        case .sent(let stream, let count): didSend(stream, count)
        case .answer, .goAway, .pong: break
        case .failed(let fault):
            if let flood = fault.flood { responder.didEnd(flood) }
            for stream in exchanges.streams { abandon(stream) }
        }
    }

    /// Takes the answers of other threads.
    func takeAnswers() {
        guard !isAtWork, context != nil else { return }
        work {}
    }

    // MARK: Time

    /// Notes when an exchange has to be looked at.
    func wake(_ exchange: HTTP2Exchange, at deadline: NIODeadline?) {
        exchange.wakeAt = deadline
        if let deadline { wake(at: deadline) }
    }

    override func expire() -> NIODeadline {
        for stream in exchanges.streams {
            guard let wakeAt = exchanges[stream]?.wakeAt, wakeAt <= now else { continue }
            expire(stream)
        }
        return exchanges.streams.lazy.compactMap { self.exchanges[$0]?.wakeAt }.min()
            ?? .distantFuture
    }
}
