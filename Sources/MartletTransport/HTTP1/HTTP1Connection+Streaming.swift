import NIOCore

/// An answer that is given in pieces.
struct StreamedAnswer {
    /// How the client finds its end.
    let framing: HTTP1AnswerFraming
    /// Whether the connection lives on behind it.
    let isKept: Bool
}

/// Answers whose content comes in pieces, while their request may still be coming.
extension HTTP1Connection {
    /// Content up to this size is copied behind what is before it; more is handed on as it is.
    static let copiedBytesMax = 8 * 1024

    /// Begins the answer to the request that has begun, with the head of another server's.
    mutating func begin(_ head: HTTP1AnswerHead, changes: FieldChanges? = nil) {
        guard let request, streamed == nil, !isClosing else { return }
        var framing = head.framing(toHead: request.isHead)
        if request.isHTTP10, framing == .chunked { framing = .untilEnd }
        // A client of HTTP/1.1 can be told of the end without losing the connection.
        if !request.isHTTP10, framing == .untilEnd { framing = .chunked }
        var isKept = false
        if case .answering = phase, framing != .untilEnd, framing != .tunnel {
            isKept = request.isKeepAlive && !isLast()
        }
        output.reserveCapacity(minimumWritableBytes: head.forwarded.count + 256)
        if let changes, !changes.isEmpty {
            output.writeBytes(head.forwarded(changes: changes))
        } else {
            output.writeBytes(head.forwarded)
        }
        writeFraming(framing, statedLength: head.statedLength)
        if framing == .tunnel {
            output.writeStaticString("connection: upgrade\r\n\r\n")
            phase = .tunnel
        } else if !isKept {
            output.writeStaticString("connection: close\r\n\r\n")
        } else if request.isHTTP10 {
            output.writeStaticString("connection: keep-alive\r\n\r\n")
        } else {
            output.writeStaticString("\r\n")
        }
        streamed = StreamedAnswer(framing: framing, isKept: isKept)
    }

    /// Begins the answer to the request that is complete; its content follows in pieces.
    mutating func begin(_ response: HTTPResponse) {
        guard let request, streamed == nil, case .answering = phase else { return }
        let framing: HTTP1AnswerFraming =
            request.isHead ? .none : request.isHTTP10 ? .untilEnd : .chunked
        let isKept = framing != .untilEnd && request.isKeepAlive && !isLast()
        output.writeHead(response)
        writeFraming(framing, statedLength: nil)
        if !isKept {
            output.writeStaticString("connection: close\r\n\r\n")
        } else {
            output.writeStaticString(
                request.isHTTP10 ? "connection: keep-alive\r\n\r\n" : "\r\n")
        }
        streamed = StreamedAnswer(framing: framing, isKept: isKept)
    }

    /// Whether more of an answer's content can be sent on.
    var takesContent: Bool { streamed != nil && isOpen }

    /// Ends an answer that is not whole: what is missing tells the client so.
    mutating func abortAnswer() {
        guard streamed != nil, !isClosing else { return }
        streamed = nil
        request = nil
        mayBeSending = false
        inbox = ByteBuffer()
        phase = .closing
    }

    private mutating func writeFraming(_ framing: HTTP1AnswerFraming, statedLength: Int?) {
        switch framing {
        case .none, .length:
            guard let statedLength else { return }
            output.writeStaticString("content-length: ")
            output.writeString(String(statedLength))
            output.writeStaticString("\r\n")
        case .chunked: output.writeStaticString("transfer-encoding: chunked\r\n")
        case .untilEnd, .tunnel: break
        }
    }

    /// Gives more of the answer.
    ///
    /// - Returns: what is to be handed to the socket before the output, uncopied as it is large.
    mutating func send(_ content: ByteBuffer) -> [ByteBuffer] {
        guard let streamed, streamed.framing != .none, !isClosing else { return [] }
        return output.writeContent(content, inChunks: streamed.framing == .chunked)
    }

    /// Ends the answer.
    mutating func endAnswer(trailers: ByteBuffer?) {
        guard let streamed, !isClosing else { return }
        self.streamed = nil
        if streamed.framing == .chunked { output.writeLastChunk(trailers: trailers) }
        if case .answering = phase, streamed.isKept {
            phase = .head
        } else {
            mayBeSending = inbox.readableBytes > 0 || isReceiving
            inbox = ByteBuffer()
            phase = .closing
        }
        request = nil
    }

    private var isReceiving: Bool {
        switch phase {
        case .body, .tunnel: true
        case .head, .answering, .failed, .closing: false
        }
    }
}

extension ByteBuffer {
    /// Writes content, in chunks or as it is.
    ///
    /// - Returns: what is to be written in front of all that is here now: large content is not
    ///   copied. It must not reach the socket while this still waits: to write may be to flush.
    mutating func writeContent(_ content: ByteBuffer, inChunks: Bool) -> [ByteBuffer] {
        // The chunk of size 0 is the last.
        guard content.readableBytes > 0 else { return [] }
        if inChunks {
            writeString(String(content.readableBytes, radix: 16))
            writeStaticString("\r\n")
        }
        var first: [ByteBuffer] = []
        if content.readableBytes <= HTTP1Connection.copiedBytesMax {
            writeImmutableBuffer(content)
        } else {
            first = readableBytes > 0 ? [self, content] : [content]
            self = ByteBuffer()
        }
        if inChunks { writeStaticString("\r\n") }
        return first
    }

    mutating func writeLastChunk(trailers: ByteBuffer?) {
        writeStaticString("0\r\n")
        if let trailers { writeImmutableBuffer(trailers) }
        writeStaticString("\r\n")
    }
}
