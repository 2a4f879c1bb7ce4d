import NIOCore

/// What a connection tells of its calls, in the order in which it happened.
enum HTTP2ClientEvent: Equatable {
    /// A call has ended.
    case ended(token: UInt64, LoadOutcome, bytes: Int)
    /// Some of an answer's message, of a connection that keeps answers.
    case received(token: UInt64, ByteBuffer)
    /// The server wants no more calls, and has answered all it will.
    case drained
    /// The connection is at its end: what is in its output is to be sent, then it is closed.
    case failed(ConnectionFault)
}

/// The client's side of an HTTP/2 connection that makes unary gRPC calls (RFC 9113).
///
/// Bytes in, events out; calls in, bytes out. It knows no socket and no clock. After
/// ``receive(_:)``, events are taken by ``next()`` until there is none, and ``takeOutput()`` is to
/// be written.
struct HTTP2ClientConnection {
    /// Where in the server's bytes we are.
    enum Phase {
        /// Before a frame. Next: payload, failed.
        case head
        /// In a frame. Next: head, failed.
        case payload(FrameHead)
        /// After an error. Final.
        case failed
    }

    /// A call that has no answer yet.
    struct Call {
        let token: UInt64
        let sentAt: UInt64
        var sendWindow: Int
        /// What flow control has not let out yet.
        var pending: ByteBuffer?
        var fields: GRPCResponseFields?
        var bytes = 0
        /// Of the message, behind its prefix.
        var messageBytes = 0
    }

    /// A header block whose end has not come.
    struct OpenBlock {
        let stream: UInt32
        let isEnd: Bool
        var bytes: ByteBuffer
        var continuations = 0
    }

    static let window = 1 << 30
    static let frameBytesMax = 1 << 20
    static let headerBlockBytesMax = 256 * 1024
    static let continuationsMax = 64
    static let outputBytesMax = 16 << 20
    static let messagePrefixBytes = 5

    let calls: GRPCLoadCalls
    let keepsAnswers: Bool
    private let callsMax: Int
    var phase = Phase.head
    var inbox = ByteBuffer()
    var output = ByteBuffer()
    var streams = StreamTable<Call>()
    var nextStream: UInt32 = 1
    var blocks = ResponseBlockReader(listBytesMax: Self.headerBlockBytesMax)
    var openBlock: OpenBlock?
    var events = CircularBuffer<HTTP2ClientEvent>()
    /// Streams that wait for the connection's window, first come, first served.
    var waiting = CircularBuffer<UInt32>()

    /// What the server has set.
    var hasSettings = false
    var peerWindow = HTTP2Protocol.initialWindow
    var peerFrameBytes = HTTP2Protocol.frameBytesMin
    var peerCallsMax = Int.max
    /// Whether fields are kept in the server's table; never again once it was made smaller.
    var usesTable: Bool
    var owesTableSize = false
    var hasFilledTable = false

    var sendWindow = HTTP2Protocol.initialWindow
    var receiveWindow = Self.window
    /// The last stream that the server answers, once it has said so.
    var lastStream: UInt32?

    /// Begins a connection: its output holds the preface and our settings.
    init(_ calls: GRPCLoadCalls, callsMax: Int, keepsAnswers: Bool = false) {
        self.calls = calls
        self.callsMax = max(1, callsMax)
        self.keepsAnswers = keepsAnswers
        usesTable = calls.blocks.tableBytes <= HTTP2Protocol.headerTableBytes
        output.writeBytes(HTTP2Protocol.preface)
        let settings: [(SettingIdentifier, Int)] = [
            (.enablePush, 0), (.initialWindowSize, HTTP2ClientConnection.window),
            (.maxFrameSize, HTTP2ClientConnection.frameBytesMax),
        ]
        FrameHead(length: 6 * settings.count, kind: .settings).write(to: &output)
        for (identifier, value) in settings {
            output.writeMultipleIntegers(identifier.rawValue, UInt32(clamping: value))
        }
        writeWindowUpdate(HTTP2ClientConnection.window - HTTP2Protocol.initialWindow)
    }

    // MARK: Calls

    /// Whether the server is known to speak HTTP/2 and takes another call.
    var hasRoom: Bool {
        guard hasSettings, lastStream == nil, streams.count < min(callsMax, peerCallsMax),
            !hasFailed
        else { return false }
        return output.readableBytes < HTTP2ClientConnection.outputBytesMax
    }

    /// Whether the connection has ended by an error.
    private var hasFailed: Bool {
        if case .failed = phase { true } else { false }
    }

    /// Makes a call; there has to be room.
    mutating func send(_ call: Int, token: UInt64, now: UInt64) {
        let stream = nextStream
        nextStream += 2
        // There are no more streams than this: another connection has to go on.
        if nextStream > UInt32(HTTP2Protocol.windowMax) { lastStream = stream }
        let message = calls.messages[call]
        writeHead(stream)
        var state = Call(token: token, sentAt: now, sendWindow: peerWindow)
        if message.count <= min(sendWindow, peerWindow, peerFrameBytes), waiting.isEmpty {
            // All in one frame, which is what most calls are.
            writeDataHead(message.count, stream: stream, isEnd: true)
            output.writeBytes(message)
            sendWindow -= message.count
        } else {
            state.pending = ByteBuffer(bytes: message)
            waiting.append(stream)
        }
        streams.insert(state, for: stream)
        if state.pending != nil { pump() }
    }

    private mutating func writeHead(_ stream: UInt32) {
        let block =
            !usesTable
            ? calls.blocks.literal : hasFilledTable ? calls.blocks.later : calls.blocks.first
        if usesTable { hasFilledTable = true }
        guard owesTableSize || block.count > peerFrameBytes else {
            FrameHead(length: block.count, kind: .headers, flags: .endHeaders, stream: stream)
                .write(to: &output)
            output.writeBytes(block)
            return
        }
        writeLongHead(block, stream: stream)
    }

    /// Writes a header block in as many frames as it takes.
    private mutating func writeLongHead(_ block: [UInt8], stream: UInt32) {
        let extra = owesTableSize ? 1 : 0
        var rest = block[...]
        var kind = FrameKind.headers
        repeat {
            let part = rest.prefix(peerFrameBytes - (kind == .headers ? extra : 0))
            rest = rest.dropFirst(part.count)
            let own = kind == .headers ? extra : 0
            let flags: FrameFlags = rest.isEmpty ? .endHeaders : []
            FrameHead(length: part.count + own, kind: kind, flags: flags, stream: stream)
                .write(to: &output)
            // Whoever made its table smaller is told that we use none (RFC 7541, section 4.2).
            if own > 0 { output.writeInteger(FieldBlock.tableSizeZero) }
            output.writeBytes(part)
            kind = .continuation
        } while !rest.isEmpty
        owesTableSize = false
    }

    private mutating func writeDataHead(_ count: Int, stream: UInt32, isEnd: Bool) {
        let flags: FrameFlags = isEnd ? .endStream : []
        FrameHead(length: count, kind: .data, flags: flags, stream: stream).write(to: &output)
    }

    /// Sends what windows have held back.
    mutating func pump() {
        var blocked = 0
        while blocked < waiting.count, sendWindow > 0, let stream = waiting.popFirst() {
            guard var call = streams[stream], var pending = call.pending else { continue }
            let count = min(pending.readableBytes, call.sendWindow, sendWindow, peerFrameBytes)
            guard count > 0 else {
                waiting.append(stream)
                blocked += 1
                continue
            }
            blocked = 0
            let part = pending.readSlice(length: count)
            writeDataHead(count, stream: stream, isEnd: pending.readableBytes == 0)
            if let part { output.writeImmutableBuffer(part) }
            sendWindow -= count
            call.sendWindow -= count
            call.pending = pending.readableBytes > 0 ? pending : nil
            streams[stream] = call
            if call.pending != nil { waiting.prepend(stream) }
        }
    }

    /// Gives up calls that were sent before a time.
    mutating func expire(sentBefore time: UInt64) {
        guard !streams.isEmpty else { return }
        for stream in streams.streams {
            guard let call = streams[stream], call.sentAt < time else { continue }
            writeReset(stream, .cancel)
            end(stream, .failed(.timedOut))
        }
    }

    /// What became of all calls when the connection has gone.
    mutating func close() {
        for stream in streams.streams { end(stream, .failed(.closed)) }
    }

    mutating func end(_ stream: UInt32, _ outcome: LoadOutcome) {
        guard let call = streams.remove(stream) else { return }
        events.append(.ended(token: call.token, outcome, bytes: call.bytes))
        if streams.isEmpty, lastStream != nil { events.append(.drained) }
    }

    // MARK: Output

    /// What is to be written to the socket, leaving nothing behind.
    mutating func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        let taken = output
        output = ByteBuffer()
        return taken
    }

    mutating func writeWindowUpdate(_ increment: Int) {
        FrameHead(length: 4, kind: .windowUpdate).write(to: &output)
        output.writeInteger(UInt32(clamping: increment))
    }

    mutating func writeReset(_ stream: UInt32, _ code: HTTP2Code) {
        FrameHead(length: 4, kind: .resetStream, stream: stream).write(to: &output)
        output.writeInteger(code.rawValue)
    }
}
