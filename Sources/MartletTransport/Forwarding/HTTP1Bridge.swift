import MartletCore
import MartletTelemetry
import NIOCore

/// An attempt at an upstream that does not speak HTTP/2, for a request that came by it: the same
/// request and answer by HTTP/1.1.
///
/// Trailers are passed on where the content in front of them has no length that was told before,
/// but for those that mean something to one connection or come too late.
final class HTTP1Bridge: HTTP1Attempt, UpstreamExchange, LoopTurnMember {
    typealias Wire = HTTP2Wire

    var isInTurn = false

    private let attempt: Int
    private let turn: LoopTurn
    private var exchange: Exchange<HTTP2Wire>?
    private var upstream: (any UpstreamExchange<HTTP1Wire>)?
    /// Whether the request's head cannot be said by HTTP/1.1.
    private var isUnsayable = false

    init(_ exchange: Exchange<HTTP2Wire>, attempt: Int, turn: LoopTurn) {
        self.exchange = exchange
        self.attempt = attempt
        self.turn = turn
    }

    private func letGo() -> Exchange<HTTP2Wire>? {
        defer {
            exchange = nil
            upstream = nil
        }
        return exchange
    }

    // MARK: UpstreamExchange

    var isWritable: Bool { upstream?.isWritable ?? false }

    func send(_ part: RequestPart<HTTP2Wire>) {
        switch part {
        case .head(let head, let isEnd):
            guard let head = head.http1(hasContent: !isEnd) else { return refuse() }
            upstream?.send(.head(head, isEnd: isEnd))
        case .whole(let head, let bytes):
            guard let head = head.http1(hasContent: true) else { return refuse() }
            upstream?.send(.head(head, isEnd: false))
            upstream?.send(.body(bytes))
            upstream?.send(.end(nil))
        case .body(let bytes): if !isUnsayable { upstream?.send(.body(bytes)) }
        case .end(let trailers): if !isUnsayable { upstream?.send(.end(trailers?.http1)) }
        }
        turn.add(self)
    }

    /// Not at once: the exchange is still about to send the rest.
    private func refuse() {
        isUnsayable = true
        turn.add(self)
    }

    /// What was sent leaves when the event loop's turn ends: nobody else lets it go.
    func endTurn() {
        guard isUnsayable else {
            upstream?.flush()
            return
        }
        upstream?.cancel()
        letGo()?.failed(.noHTTP2, attempt: attempt)
    }

    func flush() { upstream?.flush() }

    func cancel() {
        let upstream = upstream
        _ = letGo()
        upstream?.cancel()
    }

    func setReading(_ isReading: Bool) { upstream?.setReading(isReading) }

    func didFinish(isReusable: Bool) {
        let upstream = upstream
        _ = letGo()
        upstream?.didFinish(isReusable: isReusable)
    }

    // MARK: HTTP1Attempt

    var attemptStart: ContinuousClock.Instant? { exchange?.attemptStart }

    var timeLeft: Duration? { exchange?.timeLeft }

    func awaits(_ attempt: Int) -> Bool { exchange?.awaits(attempt) ?? false }

    func opened(_ upstream: any UpstreamExchange<HTTP1Wire>, attempt: Int) {
        guard let exchange else {
            upstream.cancel()
            return
        }
        self.upstream = upstream
        exchange.opened(self, attempt: attempt)
    }

    func receive(_ part: ResponsePart<HTTP1Wire>, attempt: Int) {
        switch part {
        case .head(let head, let isEnd):
            guard let head = head.http2 else { return breakOff() }
            exchange?.receive(.head(head, isEnd: isEnd), attempt: attempt)
        case .whole(let head, let bytes):
            guard let head = head.http2 else { return breakOff() }
            exchange?.receive(.whole(head, bytes), attempt: attempt)
        case .body(let bytes): exchange?.receive(.body(bytes), attempt: attempt)
        case .end(let trailers):
            exchange?.receive(.end(trailers?.http2Trailers), attempt: attempt)
        }
    }

    /// The answer cannot be said by HTTP/2.
    private func breakOff() {
        upstream?.cancel()
        letGo()?.failed(.connectionClosed, attempt: attempt)
    }

    func upstreamReadComplete(attempt: Int) { exchange?.upstreamReadComplete(attempt: attempt) }

    func upstreamWritabilityChanged(_ isWritable: Bool, attempt: Int) {
        exchange?.upstreamWritabilityChanged(isWritable, attempt: attempt)
    }

    func failed(_ failure: ForwardingFailure, attempt: Int) {
        letGo()?.failed(failure, attempt: attempt)
    }

    func upstreamLost(attempt: Int) { exchange?.upstreamLost(attempt: attempt) }

    func didReport(_ reading: LoadReading, from upstream: UpstreamAddress) {
        exchange?.didReport(reading, from: upstream)
    }
}
