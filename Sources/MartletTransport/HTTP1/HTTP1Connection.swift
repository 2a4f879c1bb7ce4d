import NIOCore

/// What a connection tells of its requests, in the order in which it happened.
enum HTTP1Event {
    /// A request has begun; where `isEnd`, it has no content.
    case head(HTTP1Head, isEnd: Bool)
    /// More of its content, which may be empty at the end.
    case content(ByteBuffer, isEnd: Bool)
    /// The connection cannot go on: an answer says why, and is the last.
    case failed(HTTP1Fault)
}

/// The server's side of an HTTP/1.1 connection (RFC 9112): bytes in, events out; answers in, bytes
/// out.
///
/// It knows no socket and no clock. Requests are told of one at a time: those behind wait as bytes
/// until the one in front is answered. After ``receive(_:)``, events are taken by ``next()`` until
/// there is none, and ``takeOutput()`` is to be written.
struct HTTP1Connection {
    /// Where in the client's bytes we are.
    enum Phase {
        /// Before or in a head. Next: body, answering, failed.
        case head
        /// In a request's content. Next: answering, failed, closing.
        case body(HTTP1BodyReader)
        /// A whole request waits for its answer. Next: head, closing, tunnel.
        case answering
        /// Bytes are no longer requests. Next: closing.
        case tunnel
        /// After an error, whose answer is awaited. Next: closing.
        case failed
        /// The last answer was given. Final.
        case closing
    }

    let limits: HTTP1Limits
    var phase = Phase.head
    var inbox = ByteBuffer()
    private var parser = HTTP1HeadParser<HTTP1Head>()
    var request: HTTP1Head?
    /// The answer that is given in pieces.
    var streamed: StreamedAnswer?
    private let keepsTrailers: Bool
    private var isWritable = true
    private var farewellAnswers: Int?
    var output = ByteBuffer()

    /// The number of requests that have begun.
    private(set) var requestCount = 0

    /// Whether the client may send more, though its last answer was given.
    var mayBeSending = false

    /// The lines of the last request's trailers, where they are kept.
    private(set) var trailers: ByteBuffer?

    init(limits: HTTP1Limits, keepsTrailers: Bool = false) {
        self.limits = limits
        self.keepsTrailers = keepsTrailers
    }

    // MARK: Bytes in

    /// Takes bytes of the client.
    mutating func receive(_ bytes: ByteBuffer) {
        if case .closing = phase { return }
        guard inbox.readableBytes > 0 else {
            inbox = bytes
            return
        }
        if inbox.readerIndex > inbox.readableBytes { inbox.discardReadBytes() }
        var bytes = bytes
        inbox.writeBuffer(&bytes)
    }

    /// The next thing that happened, if anything.
    mutating func next() -> HTTP1Event? {
        do throws(HTTP1Fault) {
            let event = try step()
            // What was read is not kept for the sake of what was not.
            if event == nil, inbox.readableBytes == 0 { inbox = ByteBuffer() }
            return event
        } catch {
            phase = .failed
            inbox = ByteBuffer()
            return .failed(error)
        }
    }

    private mutating func step() throws(HTTP1Fault) -> HTTP1Event? {
        switch phase {
        case .head:
            guard inbox.readableBytes > 0, isOpen,
                let head = try parser.next(from: &inbox, limits: limits)
            else { return nil }
            requestCount += 1
            request = head
            trailers = nil
            guard let reader = HTTP1BodyReader(head.framing, keepsTrailers: keepsTrailers) else {
                phase = .answering
                return .head(head, isEnd: true)
            }
            phase = .body(reader)
            return .head(head, isEnd: false)
        case .body(var reader):
            let piece = try reader.next(from: &inbox, limits: limits)
            phase = piece?.isEnd == true ? .answering : .body(reader)
            trailers = piece?.trailers
            return piece.map { .content($0.bytes, isEnd: $0.isEnd) }
        case .answering: return nil
        case .tunnel:
            guard inbox.readableBytes > 0 else { return nil }
            defer { inbox = ByteBuffer() }
            return .content(inbox, isEnd: false)
        case .failed, .closing:
            inbox = ByteBuffer()
            return nil
        }
    }

    /// All content of the request that has just begun, where it is here already: it is not told of
    /// again.
    mutating func takeWholeContent() -> ByteBuffer? {
        guard case .body = phase, case .length(let length)? = request?.framing,
            length <= inbox.readableBytes
        else { return nil }
        phase = .answering
        return inbox.readSlice(length: length)
    }

    /// Whether another request may be begun: its answer has to have room.
    var isOpen: Bool { isWritable && output.readableBytes < limits.outputBytes }

    /// Whether more bytes are wanted: further requests wait in the socket beyond a limit.
    var wantsInput: Bool {
        switch phase {
        case .body, .tunnel, .failed, .closing: true
        case .head: isOpen || inbox.readableBytes < limits.unreadBytes
        case .answering: inbox.readableBytes < limits.unreadBytes
        }
    }

    /// Whether bytes are awaited of a request's content.
    var isReceivingContent: Bool {
        if case .body = phase { true } else { false }
    }

    /// Lets go of what is kept of the last request to know the next one by.
    mutating func forgetHead() { parser.forget() }

    // MARK: Bytes out

    /// Notes whether the socket takes more.
    mutating func setWritable(_ isWritable: Bool) {
        self.isWritable = isWritable
    }

    /// Whether anything is to be written to the socket.
    var hasOutput: Bool { output.readableBytes > 0 }

    /// What is to be written to the socket, leaving nothing behind.
    mutating func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        let taken = output
        output = ByteBuffer()
        return taken
    }

    /// Tells a client that waits for it that its content is wanted (RFC 9110, section 10.1.1).
    mutating func wantContent() {
        guard case .body = phase, request?.expectsContinue == true, inbox.readableBytes == 0 else {
            return
        }
        output.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
    }

    /// Answers the request that is complete.
    mutating func answer(_ response: HTTPResponse) {
        guard case .answering = phase else { return }
        let isKept = request?.isKeepAlive == true && !isLast()
        guard isKept else {
            end(response, mayBeSending: inbox.readableBytes > 0)
            return
        }
        let isNamed = request?.isHTTP10 == true
        write(response, isNamed ? .namedKept : .kept)
        phase = .head
    }

    /// Answers what has begun and is not wanted, whether it is complete or not: nothing is read
    /// behind it.
    mutating func refuse(_ response: HTTPResponse) {
        switch phase {
        case .head, .tunnel, .closing: return
        case .body, .answering, .failed: end(response, mayBeSending: true)
        }
    }

    private mutating func end(_ response: HTTPResponse, mayBeSending: Bool) {
        write(response, .ended)
        self.mayBeSending = mayBeSending
        inbox = ByteBuffer()
        phase = .closing
    }

    private mutating func write(_ response: HTTPResponse, _ persistence: HTTP1Persistence) {
        output.write(response, persistence: persistence, isHead: request?.isHead == true)
        request = nil
    }

    // MARK: The end

    /// Ends the connection by the answers to the requests that are there.
    mutating func startDraining() {
        farewellAnswers = farewellAnswers ?? limits.farewellAnswers
    }

    /// Whether an answer that is given now is the last.
    mutating func isLast() -> Bool {
        guard let left = farewellAnswers else { return false }
        farewellAnswers = left - 1
        return inbox.readableBytes == 0 || left <= 0
    }

    /// Whether nothing is left to be done but to write the output and to close.
    var isClosing: Bool {
        if case .closing = phase { true } else { false }
    }

    /// Whether a whole request waits for its answer.
    var isAnswerable: Bool {
        if case .answering = phase { true } else { false }
    }

    /// Whether the connection is no longer one of HTTP.
    var isTunnel: Bool {
        if case .tunnel = phase { true } else { false }
    }

    /// What is awaited.
    var awaited: HTTP1Awaited {
        switch phase {
        case .head where !isOpen: .room
        case .head: inbox.readableBytes == 0 ? .request : .head
        case .body: .content
        case .answering, .tunnel, .failed: .answer
        case .closing: .room
        }
    }
}

/// What a connection waits for.
enum HTTP1Awaited {
    /// The next request's first byte.
    case request
    /// The rest of a head.
    case head
    /// More of a request's content.
    case content
    /// An answer of ours.
    case answer
    /// That the client takes what it was answered.
    case room
}
