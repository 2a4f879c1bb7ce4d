import NIOCore

/// What an upstream's connection tells of its answers, in the order in which it happened.
enum HTTP1AnswerEvent {
    /// An answer has begun; where `isEnd`, it has no content.
    case head(HTTP1AnswerHead, isEnd: Bool)
    /// More of its content.
    case content(ByteBuffer)
    /// It is complete.
    case end(trailers: ByteBuffer?)
    /// An answer that came in one piece.
    case whole(HTTP1AnswerHead, ByteBuffer)
}

/// The client's side of an HTTP/1.1 connection (RFC 9112): an upstream's bytes in, events out.
///
/// It knows no socket, and is as strict as the server's side: an answer that may be read in two
/// ways is nobody's answer. One request is answered at a time.
struct HTTP1AnswerReader {
    private enum Phase {
        /// No request waits. Next: head.
        case idle
        /// Before or in a head. Next: body, untilEnd, idle.
        case head
        /// In content. Next: idle.
        case body(HTTP1BodyReader)
        /// In content that ends with the connection, which is no longer one of HTTP if so agreed.
        case untilEnd
        /// After what is no answer. Final.
        case failed
    }

    private let limits: HTTP1Limits
    private var parser = HTTP1HeadParser<HTTP1AnswerHead>()
    private var phase = Phase.idle
    private var inbox = ByteBuffer()
    private var isToHead = false
    private var allowsUpgrade = false
    private var owesEnd = false

    /// Whether the connection can serve another request once this one is answered.
    private(set) var isReusable = true

    init(limits: HTTP1Limits) {
        self.limits = limits
    }

    /// Awaits the answer to a request.
    mutating func expect(isToHead: Bool, allowsUpgrade: Bool) {
        self.isToHead = isToHead
        self.allowsUpgrade = allowsUpgrade
        phase = .head
        isReusable = true
        // An answer to nobody, or more of one: nothing that follows can be told apart.
        if inbox.readableBytes > 0 { isReusable = false }
    }

    /// Whether bytes came that no request has asked for.
    var hasStrayBytes: Bool {
        if case .idle = phase { inbox.readableBytes > 0 } else { false }
    }

    /// Whether more is awaited of an answer's content.
    var isReceivingContent: Bool {
        switch phase {
        case .body, .untilEnd: true
        case .idle, .head, .failed: false
        }
    }

    /// Takes bytes of the upstream.
    mutating func receive(_ bytes: ByteBuffer) {
        if inbox.readableBytes == 0 {
            inbox = bytes
        } else {
            inbox.writeImmutableBuffer(bytes)
        }
    }

    /// Notes that the upstream sends no more; whether that is the end of the answer.
    mutating func receiveEnd() -> Bool {
        guard case .untilEnd = phase else { return false }
        phase = .idle
        return true
    }

    /// The next thing that happened, if anything.
    mutating func next() throws(HTTP1Fault) -> HTTP1AnswerEvent? {
        do throws(HTTP1Fault) {
            return try step()
        } catch {
            phase = .failed
            inbox = ByteBuffer()
            throw error
        }
    }

    private mutating func step() throws(HTTP1Fault) -> HTTP1AnswerEvent? {
        if owesEnd {
            owesEnd = false
            return .end(trailers: nil)
        }
        switch phase {
        case .idle, .failed: return nil
        case .head:
            guard let head = try readHead() else { return nil }
            if let content = takeWholeContent(of: head) { return .whole(head, content) }
            return .head(head, isEnd: begin(head))
        case .body(var reader):
            guard let piece = try reader.next(from: &inbox, limits: limits) else {
                phase = .body(reader)
                releaseInbox()
                return nil
            }
            phase = piece.isEnd ? .idle : .body(reader)
            guard piece.isEnd else { return .content(piece.bytes) }
            releaseInbox()
            guard piece.bytes.readableBytes > 0 else { return .end(trailers: piece.trailers) }
            owesEnd = true
            return .content(piece.bytes)
        case .untilEnd:
            guard inbox.readableBytes > 0 else { return nil }
            defer { inbox = ByteBuffer() }
            return .content(inbox)
        }
    }

    private mutating func readHead() throws(HTTP1Fault) -> HTTP1AnswerHead? {
        while inbox.readableBytes > 0,
            let head = try parser.next(from: &inbox, limits: limits)
        {
            guard head.status != 101 || allowsUpgrade else {
                throw .malformed("The upstream changes the protocol, which nobody has asked for")
            }
            // The gateway has answered 100-continue itself; of other interim answers clients of old
            // know nothing.
            if head.status >= 200 || head.status == 101 { return head }
        }
        releaseInbox()
        return nil
    }

    /// All content of the answer that has just begun, where it is here already.
    private mutating func takeWholeContent(of head: HTTP1AnswerHead) -> ByteBuffer? {
        guard case .length(let length) = head.framing(toHead: isToHead),
            let content = inbox.readSlice(length: length)
        else { return nil }
        isReusable = isReusable && head.isKeepAlive
        phase = .idle
        releaseInbox()
        return content
    }

    /// What was read is not kept for the sake of what was not.
    private mutating func releaseInbox() {
        if inbox.readableBytes == 0 { inbox = ByteBuffer() }
    }

    private mutating func begin(_ head: HTTP1AnswerHead) -> Bool {
        isReusable = isReusable && head.isKeepAlive
        switch head.framing(toHead: isToHead) {
        case .none:
            phase = .idle
            return true
        case .length(let length): begin(.length(length))
        case .chunked: begin(.chunked)
        case .untilEnd, .tunnel:
            isReusable = false
            phase = .untilEnd
        }
        return false
    }

    private mutating func begin(_ framing: HTTP1Framing) {
        let reader = HTTP1BodyReader(framing, keepsTrailers: true)
        phase = reader.map { .body($0) } ?? .idle
    }
}
