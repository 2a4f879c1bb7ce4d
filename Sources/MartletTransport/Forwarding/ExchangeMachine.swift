import NIOCore

/// The life of one request through the gateway: the functional core of forwarding.
///
/// It keeps the request for another attempt, holds the response back while that is allowed, and
/// sees to it that the client gets exactly one end. It knows no socket, endpoint or clock.
struct ExchangeMachine<Wire: ForwardingWire> {
    /// Something for the shell to do, in order.
    enum Action {
        /// Pass this to the upstream.
        case sendUpstream(RequestPart<Wire>)
        /// Pass these to the upstream: all of the request that has come so far.
        case beginUpstream([RequestPart<Wire>])
        /// The attempt is over. Ask whether there is another, then call ``retry()`` or
        /// ``giveUp()``.
        case decide(ForwardingFailure, isReplayable: Bool)
        /// Break the client's message off: part of a response has been sent.
        case abortClient
        /// Stop the attempt; its answer is of no interest any more.
        case cancelUpstream
    }

    /// What goes to the client when a part of the response has come.
    struct Delivery {
        /// What was held back, which goes first.
        let held: [ResponsePart<Wire>]
        let part: ResponsePart<Wire>
        /// Whether the request was sent whole, so that the upstream connection can be used again;
        /// `nil` while more of the response is to come.
        let isReusable: Bool?
    }

    private enum Upstream {
        /// No attempt is under way. Next: opening.
        case none
        /// A connection is being made. Next: open, none.
        case opening
        /// The request is being sent or its response received. Next: none, ended.
        case open
        /// The exchange is over. Final.
        case ended
    }

    private enum Response {
        /// Nothing has been passed on. Next: streaming.
        case held([ResponsePart<Wire>], bytes: Int)
        /// Parts go to the client as they come. Final.
        case streaming
    }

    private var holdLimit: Int
    /// Bytes of a request kept for another attempt.
    let replayLimit: Int
    private var upstream = Upstream.none
    private var request: [RequestPart<Wire>] = []
    private var requestKept = 0
    /// Whether all of the request has come.
    private(set) var requestEnded = false
    /// Whether all of the request that has come is at hand.
    private(set) var isReplayable = true
    private var response: Response

    /// Bytes of the request's body so far.
    private(set) var requestBytes = 0
    /// Bytes of the response's body so far, in the attempt that counts.
    private(set) var responseBytes = 0

    /// - Parameters:
    ///   - holdLimit: bytes of a response held back; 0 passes it on as it comes.
    ///   - replayLimit: bytes of a request kept for another attempt.
    init(holdLimit: Int, replayLimit: Int) {
        self.holdLimit = holdLimit
        self.replayLimit = replayLimit
        response = holdLimit > 0 ? .held([], bytes: 0) : .streaming
        isStreamingFromStart = holdLimit == 0
    }

    private let isStreamingFromStart: Bool
    /// Whether the client has seen part of a response.
    private(set) var responseStarted = false

    /// Whether more of the request should be read now: not while it piles up unsent.
    var wantsMoreRequest: Bool {
        switch upstream {
        case .open: true
        case .none, .opening: requestBytes <= max(replayLimit, awaitedBytes)
        case .ended: false
        }
    }

    /// Bytes kept for another attempt and held back.
    var keptBytes: Int {
        let held = if case .held(_, let bytes) = response { bytes } else { 0 }
        return held + requestKept
    }

    /// Whether the first message of a gRPC call is at hand: its prefix says how long it is.
    var hasFirstMessage: Bool {
        var start: [UInt8] = []
        for case .body(let bytes) in request where start.count < 5 {
            start.append(contentsOf: bytes.readableBytesView.prefix(5 - start.count))
        }
        guard start.count == 5 else { return false }
        return requestBytes >= 5 + start.dropFirst().reduce(0) { $0 << 8 | Int($1) }
    }

    /// The body of the request, as far as it is at hand.
    var requestBody: [UInt8] {
        var body: [UInt8] = []
        body.reserveCapacity(requestKept)
        for case .body(let bytes) in request { body.append(contentsOf: bytes.readableBytesView) }
        return body
    }

    /// Keeps nothing from now on: memory is short.
    ///
    /// What is held goes out with the next part.
    mutating func stopKeeping() {
        holdLimit = 0
        isReplayable = false
        if case .open = upstream { forgetRequest() }
    }

    /// Passes the response on as it comes.
    mutating func stopHolding() {
        holdLimit = 0
    }

    private mutating func forgetRequest() {
        request = []
        requestKept = 0
    }

    /// Whether another attempt can be made beside the one under way: the request was sent whole,
    /// and nothing of its answer has come.
    var mayHaveRival: Bool {
        guard case .open = upstream, case .held(let parts, _) = response else { return false }
        return requestEnded && isReplayable && parts.isEmpty
    }

    // MARK: Client

    /// A part of the request has come.
    mutating func receive(_ part: RequestPart<Wire>) -> Action? {
        requestBytes += part.byteCount
        requestEnded = requestEnded || part.isEnd
        if requestBytes > replayLimit { isReplayable = false }
        switch upstream {
        case .none, .opening:
            keep(part)
            return nil
        case .open:
            if isReplayable { keep(part) } else { forgetRequest() }
            return .sendUpstream(part)
        case .ended:
            return nil
        }
    }

    /// So much of the request is waited for before the first attempt, whatever is kept for others.
    var awaitedBytes = 0

    /// The request has no content; its head is still to come.
    mutating func endWithHead() { requestEnded = true }

    /// Whether anything of the request is kept but its head.
    var hasContent: Bool { !request.isEmpty }

    /// Puts the head of the request in front of what was kept of it.
    mutating func putFirst(_ head: RequestPart<Wire>) {
        request.insert(head, at: 0)
    }

    /// Puts other content in the place of that which was awaited.
    mutating func replaceContent(by content: ByteBuffer) {
        let rest = request.filter { if case .body = $0 { false } else { true } }
        let part = RequestPart<Wire>.body(content)
        request = [part] + rest
        requestKept = part.byteCount
    }

    /// Puts another head and other content in the place of those of a request that has come whole.
    mutating func replaceRequest(by head: Wire.RequestHead, _ content: ByteBuffer) {
        let end = request.filter { if case .end = $0 { true } else { false } }
        request = [.head(head, isEnd: false), .body(content)] + end
        requestKept = content.readableBytes
    }

    private mutating func keep(_ part: RequestPart<Wire>) {
        request.append(part)
        requestKept += part.byteCount
    }

    /// The client has gone.
    mutating func clientClosed() -> Action? {
        defer { end() }
        switch upstream {
        case .opening, .open: return .cancelUpstream
        case .none, .ended: return nil
        }
    }

    // MARK: Upstream

    /// An attempt begins.
    mutating func beginAttempt() {
        upstream = .opening
    }

    /// The attempt has a connection.
    mutating func opened() -> Action? {
        guard case .opening = upstream else { return nil }
        upstream = .open
        let parts = request
        if !isReplayable { forgetRequest() }
        return .beginUpstream(parts)
    }

    /// A part of the response has come; `nil` where it is held back, or of no interest.
    mutating func receive(_ part: ResponsePart<Wire>) -> Delivery? {
        guard case .open = upstream else { return nil }
        responseBytes += part.byteCount
        var held: [ResponsePart<Wire>] = []
        if case .held(let parts, let bytes) = response {
            // Taken out first, so that appending does not copy.
            response = .streaming
            held = parts
            let total = bytes + part.byteCount
            guard part.isEnd || total > holdLimit || holdLimit == 0 else {
                held.append(part)
                response = .held(held, bytes: total)
                return nil
            }
        }
        responseStarted = true
        guard part.isEnd else { return Delivery(held: held, part: part, isReusable: nil) }
        let isReusable = requestEnded
        end()
        return Delivery(held: held, part: part, isReusable: isReusable)
    }

    /// The attempt failed.
    mutating func failed(_ failure: ForwardingFailure) -> Action? {
        switch upstream {
        case .opening, .open:
            guard !responseStarted else {
                end()
                return .abortClient
            }
            // Nothing is forgotten before a connection stands.
            let isAtHand = if case .opening = upstream { true } else { isReplayable }
            upstream = .none
            return .decide(failure, isReplayable: isAtHand)
        case .none, .ended:
            return nil
        }
    }

    /// Another attempt is to be made: forgets what the last one answered.
    mutating func retry() {
        response = isStreamingFromStart ? .streaming : .held([], bytes: 0)
        responseBytes = 0
        upstream = .opening
    }

    /// An attempt from before, to which the request was sent whole, takes the place of the last
    /// one.
    mutating func goOn() {
        response = isStreamingFromStart ? .streaming : .held([], bytes: 0)
        responseBytes = 0
        upstream = .open
    }

    /// No attempt is left; the shell answers the client with an error of its own.
    mutating func giveUp() {
        end()
    }

    private mutating func end() {
        upstream = .ended
        if !keepsRequest { forgetRequest() }
    }

    // MARK: Copies

    /// Whether the request is kept beyond its end.
    var keepsRequest = false

    /// What followed the head of the request, which is not kept any longer; `nil` where it is not
    /// all at hand.
    mutating func takeContent() -> [RequestPart<Wire>]? {
        defer { forgetRequest() }
        guard requestEnded, isReplayable else { return nil }
        return request.filter { if case .head = $0 { false } else { true } }
    }
}
