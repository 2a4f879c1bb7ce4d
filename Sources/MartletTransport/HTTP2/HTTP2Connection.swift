import NIOCore

/// What a connection tells of its streams, in the order in which it happened.
enum HTTP2Event {
    /// A request has begun, at a server.
    case head(UInt32, RequestHead, isEnd: Bool)
    /// An answer has begun, at a client.
    case answer(UInt32, AnswerHead, isEnd: Bool)
    /// More of the content, which may be empty at the end.
    case data(UInt32, ByteBuffer, isEnd: Bool)
    /// The end of a message that has fields behind its content.
    case trailers(UInt32, FieldTrailers)
    /// The stream is gone, by the peer's wish or for what it did.
    case reset(UInt32)
    /// The stream is gone, and the server says that it has not looked at its request.
    case unprocessed(UInt32)
    /// So many bytes of content that had to wait have left. None where that was a head with nothing
    /// behind it, or the end; then the stream is no more.
    case sent(UInt32, Int)
    /// The server takes no more requests on this connection.
    case goAway
    /// The client is still there.
    case pong
    /// The connection is at its end: what is in its output is to be sent, then it is closed.
    case failed(ConnectionFault)
}

/// One side of an HTTP/2 connection (RFC 9113), a server's or a client's: bytes in, events out;
/// messages in, bytes out.
///
/// It knows no socket and no clock: time comes with the bytes. After ``receive(_:now:)``, events
/// are taken by ``next()`` until there is none, and ``takeOutput()`` is to be written.
struct HTTP2Connection {
    /// Which side it is.
    enum Role {
        case server
        case client
    }

    /// Where in the peer's bytes we are.
    enum Phase {
        /// Next: head.
        case preface
        /// Before a frame. Next: payload, data, skip, failed.
        case head
        /// In a frame that is handled as a whole. Next: head, failed.
        case payload(FrameHead)
        /// In a DATA frame, whose content is handed on as it comes. Next: head, failed.
        case data(OpenData)
        /// In bytes that mean nothing to us. Next: head.
        case skip(Int)
        /// After an error. Final.
        case failed
    }

    /// The rest of a DATA frame.
    struct OpenData {
        let stream: UInt32
        var left: Int
        let padding: Int
        let isEnd: Bool
    }

    /// A header block whose end has not come.
    struct OpenBlock {
        let stream: UInt32
        let isEnd: Bool
        let dependsOnItself: Bool
        var bytes: ByteBuffer
        var continuations = 0
    }

    /// How far the graceful end has come.
    enum Drain {
        /// Next: announced.
        case no
        /// The client was told, and may not have heard of it. Next: final.
        case announced
        /// The client knows, and which stream is the last. Final.
        case final(last: UInt32)
    }

    let limits: HTTP2Limits
    let role: Role
    var phase: Phase
    var inbox = ByteBuffer()
    var output = ByteBuffer()
    var streams = StreamTable<HTTP2Stream>()
    var closed = ClosedStreams()
    /// The last stream that was opened, by whichever side is the client.
    var lastStream: UInt32 = 0
    var blocks: HeaderBlockReader
    var openBlock: OpenBlock?
    var drain = Drain.no
    var floods: FloodMeter
    /// Streams that may send as soon as the connection may.
    var queue = CircularBuffer<UInt32>()
    /// Whether some of them may have more to send than content.
    var queueNeedsNoWindow = false
    var events = CircularBuffer<HTTP2Event>()

    /// What the peer has set.
    var peerWindow = HTTP2Protocol.initialWindow
    var peerFrameBytes = HTTP2Protocol.frameBytesMin
    /// Streams that may be open at once; a careful guess until the server has said so.
    var peerStreamsMax = 100
    var owesTableSize = false
    var hasSettings = false
    /// Whether the server takes no more requests.
    var isGoingAway = false

    var sendWindow = HTTP2Protocol.initialWindow
    var receiveWindow: Int
    var consumed = 0

    /// Whether the socket takes more; while it does not, only what answers control frames is
    /// written, and not for ever.
    var isWritable = true
    var unreadControlFrames = 0

    /// Where the last DATA frame of the output begins, so that it can still be made its stream's
    /// last.
    var lastData: (stream: UInt32, place: Int)?

    /// Begins a connection: its output holds our settings.
    init(role: Role = .server, limits: HTTP2Limits, now: NIODeadline) {
        self.limits = limits
        self.role = role
        phase = role == .server ? .preface : .head
        blocks = HeaderBlockReader(listBytesMax: limits.headerBlockBytes)
        floods = FloodMeter(limits.floods, now: now)
        receiveWindow = limits.connectionWindow
        if role == .client { output.writeBytes(HTTP2Protocol.preface) }
        writeSettings()
        let growth = limits.connectionWindow - HTTP2Protocol.initialWindow
        if growth > 0 { writeWindowUpdate(growth, stream: 0) }
    }

    /// Takes bytes of the peer.
    mutating func receive(_ bytes: ByteBuffer, now: NIODeadline) {
        floods.now = now
        if inbox.readableBytes == 0 {
            inbox = bytes
        } else {
            var bytes = bytes
            inbox.writeBuffer(&bytes)
        }
    }

    /// The next thing that happened, if anything.
    mutating func next() -> HTTP2Event? {
        if let event = events.popFirst() { return event }
        do throws(ConnectionFault) {
            while true {
                switch try step() {
                case .event(let event): return event
                case .more: if let event = events.popFirst() { return event }
                case .wait:
                    // What was read is not kept for the sake of what was not.
                    if inbox.readableBytes == 0 { inbox = ByteBuffer() }
                    return events.popFirst()
                }
            }
        } catch {
            fail(error)
            return .failed(error)
        }
    }

    enum Step {
        case event(HTTP2Event)
        case more
        case wait
    }

    private mutating func step() throws(ConnectionFault) -> Step {
        switch phase {
        case .head:
            let start = inbox.readerIndex
            guard let head = FrameHead(from: &inbox) else { return .wait }
            if head.isPaddedData, inbox.readableBytes == 0 {
                // It is read again, together with the length of its padding.
                inbox.moveReaderIndex(to: start)
                return .wait
            }
            try begin(head)
            return .more
        case .payload(let head):
            guard let payload = inbox.readSlice(length: head.length) else { return .wait }
            phase = .head
            return try take(head, payload)
        case .data(let data): return takeData(data)
        case .skip(let count):
            let skipped = min(count, inbox.readableBytes)
            inbox.moveReaderIndex(forwardBy: skipped)
            guard skipped == count else {
                phase = .skip(count - skipped)
                return .wait
            }
            phase = .head
            return .more
        case .preface: return try takePreface() ? .more : .wait
        case .failed:
            inbox = ByteBuffer()
            return .wait
        }
    }

    private mutating func takePreface() throws(ConnectionFault) -> Bool {
        let expected = HTTP2Protocol.preface
        let start = inbox.readableBytesView.prefix(expected.count)
        guard start.elementsEqual(expected.prefix(start.count)) else {
            throw ConnectionFault(.protocolError, "The connection preface is wrong")
        }
        guard start.count == expected.count else { return false }
        inbox.moveReaderIndex(forwardBy: expected.count)
        phase = .head
        return true
    }

    // MARK: The end

    /// Ends the connection for what the peer did; it was told.
    private mutating func fail(_ fault: ConnectionFault) {
        phase = .failed
        inbox = ByteBuffer()
        openBlock = nil
        // It names streams of the peer, and servers open none.
        writeGoAway(last: role == .server ? lastStream : 0, fault.code, fault.text)
    }

    /// Whether the connection has ended by an error.
    var hasFailed: Bool {
        if case .failed = phase { true } else { false }
    }

    /// Asks the client to begin no more; what it has begun until it hears of that is served.
    mutating func startDraining() {
        guard case .no = drain, !hasFailed else { return }
        drain = .announced
        writeGoAway(last: UInt32(HTTP2Protocol.windowMax), .noError)
        writePing(PingData.drain, isAnswer: false)
    }

    /// Tells the client, which knows of the end by now, which of its streams is the last.
    mutating func nameLast() {
        guard case .announced = drain, !hasFailed else { return }
        drain = .final(last: lastStream)
        writeGoAway(last: lastStream, .noError)
    }

    /// Whether the client was told which of its streams is the last.
    var isLastNamed: Bool {
        if case .final = drain { true } else { false }
    }

    /// Whether the graceful end has begun.
    var isDraining: Bool {
        if case .no = drain { false } else { true }
    }

    /// Whether nothing is left to be done on this connection but to close it.
    var isDrained: Bool {
        if case .final = drain { streams.isEmpty } else { false }
    }

    /// Whether the client is in the middle of what is due without pause: its first frame or a
    /// header block.
    var owesHead: Bool { !hasSettings || openBlock != nil }

    /// Asks the client whether it is still there; ``HTTP2Event/pong`` is its answer.
    mutating func ping() {
        writePing(PingData.keepalive, isAnswer: false)
    }
}

/// What our pings carry.
enum PingData {
    static let keepalive: UInt64 = 0x6d61_7274_6c65_7401
    static let drain: UInt64 = 0x6d61_7274_6c65_7402
}
