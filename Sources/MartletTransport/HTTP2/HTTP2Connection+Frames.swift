import NIOCore

/// Frames of the client.
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
        case .pushPromise: throw ConnectionFault(.protocolError, "Clients push nothing")
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
        case .resetStream: return try takeReset(head)
        case .priority: try takePriority(head, &payload)
        case .goAway: try takeGoAway(head)
        default: break
        }
        return .more
    }

    // MARK: Header blocks

    private mutating func takeHeaders(
        _ head: FrameHead, _ payload: ByteBuffer
    ) throws(ConnectionFault) -> Step {
        guard head.stream != 0, head.stream & 1 == 1 else {
            throw ConnectionFault(.protocolError, "HEADERS on a stream that clients do not open")
        }
        var payload = payload
        var padding = 0
        if head.flags.contains(.padded) {
            guard let count = payload.readInteger(as: UInt8.self) else {
                throw ConnectionFault(.frameSizeError, "HEADERS has no room for its padding")
            }
            padding = Int(count)
        }
        var dependsOnItself = false
        if head.flags.contains(.priority) {
            guard let parent = payload.readInteger(as: UInt32.self),
                payload.readInteger(as: UInt8.self) != nil
            else { throw ConnectionFault(.frameSizeError, "HEADERS has no room for a priority") }
            dependsOnItself = parent & 0x7FFF_FFFF == head.stream
        }
        guard let block = payload.readSlice(length: payload.readableBytes - padding) else {
            throw ConnectionFault(.protocolError, "The padding is longer than its frame")
        }
        let open = OpenBlock(
            stream: head.stream, isEnd: head.flags.contains(.endStream),
            dependsOnItself: dependsOnItself, bytes: block)
        return try proceed(open, isWhole: head.flags.contains(.endHeaders))
    }

    private mutating func takeContinuation(
        _ head: FrameHead, _ payload: ByteBuffer
    ) throws(ConnectionFault) -> Step {
        guard var open = openBlock else {
            throw ConnectionFault(.protocolError, "CONTINUATION of nothing")
        }
        openBlock = nil
        var payload = payload
        open.continuations += 1
        open.bytes.writeBuffer(&payload)
        return try proceed(open, isWhole: head.flags.contains(.endHeaders))
    }

    private mutating func proceed(
        _ block: OpenBlock, isWhole: Bool
    ) throws(ConnectionFault) -> Step {
        guard block.bytes.readableBytes <= limits.headerBlockBytes,
            block.continuations <= limits.continuations
        else { throw ConnectionFault(.enhanceYourCalm, "The header block is too large") }
        guard isWhole else {
            openBlock = block
            return .more
        }
        if block.stream > lastStream { return try open(block) }
        return try takeTrailers(block)
    }

    /// A new stream.
    private mutating func open(_ block: OpenBlock) throws(ConnectionFault) -> Step {
        let head = try blocks.readHead(block.bytes)
        lastStream = block.stream
        if case .final(let last) = drain, block.stream > last {
            // It may be run elsewhere: the client knows that we have not begun.
            try refuse(block.stream, .refusedStream)
            return .more
        }
        guard !block.dependsOnItself, head.malformation == nil else {
            try refuse(block.stream, .protocolError)
            return .more
        }
        if block.isEnd, let length = head.contentLength, length > 0 {
            try refuse(block.stream, .protocolError)
            return .more
        }
        guard streams.count < limits.concurrentStreams else {
            try refuse(block.stream, .refusedStream)
            return .more
        }
        streams.insert(
            HTTP2Stream(
                sendWindow: peerWindow, receiveWindow: limits.streamWindow,
                contentLeft: head.contentLength, requestEnded: block.isEnd),
            for: block.stream)
        return .event(.head(block.stream, head, isEnd: block.isEnd))
    }

    /// Resets a stream that was never told of.
    private mutating func refuse(_ stream: UInt32, _ code: HTTP2Code) throws(ConnectionFault) {
        try floods.didBreakStream()
        writeReset(stream, code)
        closed.add(stream, .resetByServer)
    }

    private mutating func takeTrailers(_ block: OpenBlock) throws(ConnectionFault) -> Step {
        // Read in any case, so that the decoder keeps step with the client.
        let fault = try blocks.readTrailers(block.bytes)
        guard let stream = streams[block.stream] else {
            switch closed.reason(block.stream) {
            case .resetByServer: return .more
            case .ended, .resetByClient:
                throw ConnectionFault(.streamClosed, "HEADERS on a closed stream")
            case nil:
                throw ConnectionFault(.protocolError, "A stream's number is lower than the last")
            }
        }
        guard !stream.requestEnded else { return try breakStream(block.stream, .streamClosed) }
        guard fault == nil, block.isEnd, !block.dependsOnItself, stream.contentLeft ?? 0 == 0 else {
            return try breakStream(block.stream, .protocolError)
        }
        streams[block.stream]?.requestEnded = true
        return .event(.data(block.stream, ByteBuffer(), isEnd: true))
    }

    /// Ends a stream for what the client did with it.
    mutating func breakStream(
        _ stream: UInt32, _ code: HTTP2Code
    ) throws(ConnectionFault) -> Step {
        try floods.didBreakStream()
        reset(stream, code)
        return .event(.reset(stream))
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

    /// Bounds what waits for a client that asks and does not read.
    mutating func noteControlFrame() throws(ConnectionFault) {
        guard !isWritable else { return }
        unreadControlFrames += 1
        guard unreadControlFrames <= limits.unreadControlFrames else {
            throw ConnectionFault(.enhanceYourCalm, "The answers to control frames are not read")
        }
    }

    private mutating func takeReset(_ head: FrameHead) throws(ConnectionFault) -> Step {
        guard head.stream != 0, !isIdle(head.stream) else {
            throw ConnectionFault(.protocolError, "RST_STREAM of a stream that never began")
        }
        try floods.didReset()
        guard streams.remove(head.stream) != nil else { return .more }
        closed.add(head.stream, .resetByClient)
        return .event(.reset(head.stream))
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

    private func takeGoAway(_ head: FrameHead) throws(ConnectionFault) {
        guard head.stream == 0 else { throw ConnectionFault(.protocolError, "GOAWAY on a stream") }
        guard head.length >= 8 else {
            throw ConnectionFault(.frameSizeError, "GOAWAY is too short")
        }
        // It speaks of streams that we would open; the client closes when it has its answers.
    }

    /// Whether a stream has not been used yet; clients open odd ones only, and we open none.
    func isIdle(_ stream: UInt32) -> Bool {
        stream > lastStream || stream & 1 == 0
    }
}
