import NIOCore

/// Requests, on a client's side, and content that is passed on as it came.
extension HTTP2Connection {
    /// Whether the server takes another request besides those under way.
    var hasStreamRoom: Bool {
        !isGoingAway && !hasFailed && hasStreamsLeft && streams.count < peerStreamsMax
    }

    /// Whether there are numbers for more streams.
    var hasStreamsLeft: Bool { lastStream < UInt32(HTTP2Protocol.windowMax) }

    /// Whether a request can be begun at once: for it to wait for the socket is its owner's part,
    /// who then need not let the server know when it is given up.
    var canOpen: Bool { isOpen && hasStreamRoom }

    /// Begins a request.
    ///
    /// - Parameters:
    ///   - block: its head.
    ///   - isHead: whether the answer is a head alone.
    ///   - isEnd: whether it has no content.
    /// - Returns: its stream; `nil` where there is no room.
    mutating func open(_ block: FieldBlock, isHead: Bool = false, isEnd: Bool = false) -> UInt32? {
        guard hasStreamRoom else { return nil }
        // 1, 3, 5 and so on.
        lastStream = (lastStream + 1) | 1
        var stream = HTTP2Stream(
            sendWindow: peerWindow, receiveWindow: limits.streamWindow, hasPeerHead: false,
            expectsNoContent: isHead, hasHead: true)
        stream.hasEnded = isEnd
        streams.insert(stream, for: lastStream)
        writeHeaders(block.bytes, stream: lastStream, isEnd: isEnd)
        return lastStream
    }

    // MARK: Content that is passed on

    /// Sends content; what has to wait is told of by events when it leaves.
    mutating func sendContent(_ bytes: ByteBuffer, on stream: UInt32) {
        let count = bytes.readableBytes
        guard count > 0, let state = streams[stream], state.mayGoOn else { return }
        if isOpen, state.pending == nil, count <= min(state.sendWindow, sendWindow, frameBytesMax) {
            output.reserveCapacity(minimumWritableBytes: FrameHead.byteCount + count)
            writeDataHead(count, stream: stream, isEnd: false)
            output.writeImmutableBuffer(bytes)
            didSend(count, on: stream)
            return
        }
        change(stream) { $0.data.append(bytes) }
        pump()
    }

    /// Ends a message behind its content.
    mutating func sendEnd(on stream: UInt32) {
        guard let state = streams[stream], state.mayGoOn else { return }
        guard state.pending == nil else {
            change(stream) { $0.end = .data }
            return
        }
        if !endLastData(of: stream) {
            guard isOpen else {
                change(stream) { $0.end = .data }
                return
            }
            writeDataHead(0, stream: stream, isEnd: true)
        }
        didEnd(stream)
    }

    /// Bytes of a stream that wait for room.
    func waitingCount(of stream: UInt32) -> Int { streams[stream]?.pending?.data.count ?? 0 }
}
