import NIOCore

/// Frames of the peer.
extension HTTP2Connection {
    /// Checks the head of a frame, before its payload is waited for.
    mutating func begin(_ head: FrameHead) throws(ConnectionFault) {
        guard head.length <= limits.frameBytes else {
            throw ConnectionFault(.frameSizeError, "A frame is larger than the settings allow")
        }
        if let openBlock, head.kind != .continuation || head.stream != openBlock.stream {
            throw ConnectionFault(.protocolError, "A frame interrupts a header block")
        }
        guard hasSettings || head.kind == .settings else {
            throw ConnectionFault(.protocolError, "The first frame is not SETTINGS")
        }
        if let length = HTTP2Connection.fixedLength(head.kind), length != head.length {
            throw ConnectionFault(.frameSizeError, "A frame of fixed length has another one")
        }
        switch head.kind {
        case .data: try beginData(head)
        case .headers, .continuation, .settings, .ping, .goAway, .windowUpdate, .resetStream,
            .priority:
            phase = .payload(head)
        case .pushPromise: throw ConnectionFault(.protocolError, "Nothing may be pushed")
        default:
            try floods.didControl()
            phase = .skip(head.length)
        }
    }

    private static func fixedLength(_ kind: FrameKind) -> Int? {
        switch kind {
        case .ping: 8
        case .windowUpdate, .resetStream: 4
        default: nil
        }
    }

    /// Takes a frame that came as a whole.
    mutating func take(_ head: FrameHead, _ payload: ByteBuffer) throws(ConnectionFault) -> Step {
        var payload = payload
        switch head.kind {
        case .headers: return try takeHeaders(head, payload)
        case .continuation: return try takeContinuation(head, payload)
        case .settings: try takeSettings(head, &payload)
        case .ping: try takePing(head, &payload)
        case .windowUpdate: try takeWindowUpdate(head, &payload)
        case .resetStream: return try takeReset(head, &payload)
        case .priority: try takePriority(head, &payload)
        case .goAway: try takeGoAway(head, &payload)
        default: break
        }
        return .more
    }

    // MARK: Frames without content

    private mutating func takePing(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        guard head.stream == 0 else { throw ConnectionFault(.protocolError, "PING on a stream") }
        let data = payload.readInteger(as: UInt64.self) ?? 0
        try floods.didControl()
        guard head.flags.contains(.acknowledge) else {
            writePing(data, isAnswer: true)
            try noteControlFrame()
            return
        }
        switch data {
        case PingData.drain: nameLast()
        case PingData.keepalive: events.append(.pong)
        default: break
        }
    }

    /// Bounds what waits for a peer that asks and does not read.
    mutating func noteControlFrame() throws(ConnectionFault) {
        guard !isWritable else { return }
        unreadControlFrames += 1
        guard unreadControlFrames <= limits.unreadControlFrames else {
            throw ConnectionFault(.unreadAnswers, "The answers to control frames are not read")
        }
    }

    private mutating func takeReset(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) -> Step {
        guard head.stream != 0, !isIdle(head.stream) else {
            throw ConnectionFault(.protocolError, "RST_STREAM of a stream that never began")
        }
        try floods.didReset()
        guard streams.remove(head.stream) != nil else { return .more }
        closed.add(head.stream, .resetByPeer)
        let code = payload.readInteger(as: UInt32.self)
        let isRefused = role == .client && code == HTTP2Code.refusedStream.rawValue
        return .event(isRefused ? .unprocessed(head.stream) : .reset(head.stream))
    }

    private mutating func takePriority(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        guard head.stream != 0 else {
            throw ConnectionFault(.protocolError, "PRIORITY of no stream")
        }
        try floods.didControl()
        let isSized = head.length == 5
        let parent = payload.readInteger(as: UInt32.self) ?? 0
        if isSized, parent & 0x7FFF_FFFF != head.stream { return }
        let code = isSized ? HTTP2Code.protocolError : .frameSizeError
        guard streams.contains(head.stream) else {
            // RST_STREAM is not for streams that are not open.
            throw ConnectionFault(code, "PRIORITY is wrong")
        }
        if case .event(let event) = try breakStream(head.stream, code) { events.append(event) }
    }

    private mutating func takeGoAway(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        guard head.stream == 0 else { throw ConnectionFault(.protocolError, "GOAWAY on a stream") }
        guard head.length >= 8, let last = payload.readInteger(as: UInt32.self) else {
            throw ConnectionFault(.frameSizeError, "GOAWAY is too short")
        }
        // A client's speaks of streams that we would open; it closes when it has its answers.
        guard role == .client else { return }
        isGoingAway = true
        events.append(.goAway)
        for stream in streams.streams where stream > last & 0x7FFF_FFFF {
            streams.remove(stream)
            closed.add(stream, .resetByPeer)
            events.append(.unprocessed(stream))
        }
    }

    /// Whether a stream has not been used yet; clients open odd ones only, and we open none.
    func isIdle(_ stream: UInt32) -> Bool {
        stream > lastStream || stream & 1 == 0
    }
}
