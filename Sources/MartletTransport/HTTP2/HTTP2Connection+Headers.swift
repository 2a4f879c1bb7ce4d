import NIOCore

/// Header blocks of the peer: heads of messages, and what stands behind them.
extension HTTP2Connection {
    mutating func takeHeaders(
        _ head: FrameHead, _ payload: ByteBuffer
    ) throws(ConnectionFault) -> Step {
        guard head.stream & 1 == 1, role == .server || !isIdle(head.stream) else {
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

    mutating func takeContinuation(
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
        else { throw ConnectionFault(.headerBlocks, "The header block is too large") }
        guard isWhole else {
            openBlock = block
            return .more
        }
        if role == .client { return try takeAnswer(block) }
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
                contentLeft: head.contentLength, peerEnded: block.isEnd),
            for: block.stream)
        return .event(.head(block.stream, head, isEnd: block.isEnd))
    }

    /// An answer, or what comes before or behind it.
    private mutating func takeAnswer(_ block: OpenBlock) throws(ConnectionFault) -> Step {
        guard let stream = streams[block.stream], !stream.hasPeerHead else {
            return try takeTrailers(block)
        }
        let head = try blocks.readAnswer(block.bytes)
        guard head.malformation == nil, !block.dependsOnItself else {
            return try breakStream(block.stream, .protocolError)
        }
        guard !head.isInterim else {
            guard !block.isEnd else { return try breakStream(block.stream, .protocolError) }
            try floods.didControl()
            return .more
        }
        let length = stream.expectsNoContent || head.hasNoContent ? 0 : head.contentLength
        guard !block.isEnd || length ?? 0 == 0 else {
            return try breakStream(block.stream, .protocolError)
        }
        streams[block.stream]?.hasPeerHead = true
        streams[block.stream]?.contentLeft = length
        if block.isEnd { didReceiveEnd(block.stream) }
        return .event(.answer(block.stream, head, isEnd: block.isEnd))
    }

    /// Resets a stream that was never told of.
    private mutating func refuse(_ stream: UInt32, _ code: HTTP2Code) throws(ConnectionFault) {
        try floods.didBreakStream()
        writeReset(stream, code)
        closed.add(stream, .resetByUs)
    }

    private mutating func takeTrailers(_ block: OpenBlock) throws(ConnectionFault) -> Step {
        // Read in any case, so that the decoder keeps step with the peer.
        let trailers = try blocks.readTrailers(block.bytes)
        guard let stream = streams[block.stream] else {
            switch closed.reason(block.stream) {
            case .resetByUs: return .more
            case .ended, .resetByPeer:
                throw ConnectionFault(.streamClosed, "HEADERS on a closed stream")
            // It may have been reset by us long ago.
            case nil where role == .client: return .more
            case nil:
                throw ConnectionFault(.protocolError, "A stream's number is lower than the last")
            }
        }
        guard !stream.peerEnded else { return try breakStream(block.stream, .streamClosed) }
        guard trailers.malformation == nil, block.isEnd, !block.dependsOnItself,
            stream.contentLeft ?? 0 == 0
        else {
            return try breakStream(block.stream, .protocolError)
        }
        didReceiveEnd(block.stream)
        return .event(.trailers(block.stream, trailers))
    }

    /// Ends a stream for what the peer did with it.
    mutating func breakStream(
        _ stream: UInt32, _ code: HTTP2Code
    ) throws(ConnectionFault) -> Step {
        try floods.didBreakStream()
        reset(stream, code)
        return .event(.reset(stream))
    }
}
