import NIOCore

/// Answers: what goes out at once, and what has to wait for windows or the socket.
extension HTTP2Connection {
    /// What is to be written to the socket, leaving nothing behind.
    mutating func takeOutput() -> ByteBuffer? {
        guard output.readableBytes > 0 else { return nil }
        let taken = output
        output = ByteBuffer()
        lastData = nil
        return taken
    }

    /// Whether anything is to be written to the socket.
    var hasOutput: Bool { output.readableBytes > 0 }

    /// Whether frames of streams may be written.
    var isOpen: Bool { isWritable && output.readableBytes < limits.outputBytes }

    /// Notes whether the socket takes more; what waited for it is then in the output.
    mutating func setWritable(_ isWritable: Bool) {
        self.isWritable = isWritable
        guard isWritable else { return }
        unreadControlFrames = 0
        pump()
    }

    /// Whether anything waits that could be sent when the output has been taken.
    var hasMoreOutput: Bool {
        isOpen && !queue.isEmpty && (sendWindow > 0 || queueNeedsNoWindow)
    }

    // MARK: What is sent

    /// Sends the head of an answer, which is all of it where `isEnd`.
    mutating func sendHead(_ block: FieldBlock, on stream: UInt32, isEnd: Bool = false) {
        guard let state = streams[stream], !state.hasHead else { return }
        streams[stream]?.hasHead = true
        guard isOpen, state.pending == nil else {
            change(stream) { pending in
                pending.head = block.bytes
                if isEnd { pending.end = .data }
            }
            return
        }
        writeHeaders(block.bytes, stream: stream, isEnd: isEnd)
        if isEnd { didEnd(stream) }
    }

    /// Sends content.
    ///
    /// - Parameters:
    ///   - bytes: the content.
    ///   - isMessage: whether a gRPC message's prefix comes before it.
    ///   - stream: where to.
    ///   - isEnd: whether it is the last.
    /// - Returns: how many bytes, prefixes included, did not have to wait.
    @discardableResult
    mutating func sendData(
        _ bytes: [UInt8], isMessage: Bool = false, on stream: UInt32, isEnd: Bool = false
    ) -> Int {
        guard let state = streams[stream], state.mayGoOn else { return 0 }
        let prefix = isMessage ? HTTP2Connection.messagePrefixBytes : 0
        let count = prefix + bytes.count
        guard count > 0 || isEnd else { return 0 }
        let room = min(state.sendWindow, sendWindow, frameBytesMax)
        if isOpen, state.pending == nil, count <= room {
            // All in one frame, which is what most answers are.
            writeDataHead(count, stream: stream, isEnd: isEnd)
            HTTP2Connection.append(bytes, isMessage: isMessage, to: &output)
            didSend(count, on: stream)
            if isEnd { didEnd(stream) }
            return count
        }
        change(stream) { pending in
            pending.data.append(bytes, isMessage: isMessage)
            if isEnd { pending.end = .data }
        }
        let waiting = streams[stream]?.pending?.data.count ?? 0
        // Only what is new counts: what waited before is told of by events.
        guard state.pending == nil else { return 0 }
        pump(telling: stream)
        return waiting - (streams[stream]?.pending?.data.count ?? 0)
    }

    /// Ends an answer by trailers.
    mutating func sendTrailers(_ block: FieldBlock, on stream: UInt32) {
        guard let state = streams[stream], state.mayGoOn else { return }
        guard isOpen, state.pending == nil else {
            change(stream) { $0.end = .trailers(block.bytes) }
            return
        }
        writeHeaders(block.bytes, stream: stream, isEnd: true)
        didEnd(stream)
    }

    /// Answers a gRPC call by one message.
    mutating func answer(
        _ message: [UInt8], on stream: UInt32, trailers: FieldBlock = .grpcSuccess
    ) {
        sendHead(.grpcHead, on: stream)
        sendData(message, isMessage: true, on: stream)
        sendTrailers(trailers, on: stream)
    }

    /// Ends a stream without an answer.
    mutating func reset(_ stream: UInt32, _ code: HTTP2Code) {
        guard streams.remove(stream) != nil else { return }
        writeReset(stream, code)
        closed.add(stream, .resetByUs)
    }

    /// Reads the rest of a request when its answer is complete, and throws it away: some clients
    /// drop an answer that is followed by the reset which asks for no more.
    mutating func endQuietly(_ stream: UInt32) {
        streams[stream]?.endsQuietly = true
        streams[stream]?.isCredited = true
    }

    // MARK: What waits

    /// Adds to what waits on a stream.
    mutating func change(_ stream: UInt32, _ change: (inout PendingOutput) -> Void) {
        // Taken out, so that its buffer is not copied.
        var pending = streams[stream]?.pending ?? PendingOutput()
        streams[stream]?.pending = nil
        change(&pending)
        streams[stream]?.pending = pending
        enqueue(stream)
    }

    /// Lets a stream stand in line, if it can go on but for the connection.
    mutating func enqueue(_ stream: UInt32) {
        guard let state = streams[stream], !state.isQueued, state.canProceed else { return }
        streams[stream]?.isQueued = true
        if state.pending?.needsNoWindow == true { queueNeedsNoWindow = true }
        // Streams that were reset while they stood in line do not pile up.
        if queue.count > 2 * streams.count + 64 {
            queue = CircularBuffer(queue.filter { streams[$0]?.isQueued == true && $0 != stream })
        }
        queue.append(stream)
    }

    /// Sends what may be sent, a frame of each stream in turn.
    ///
    /// - Parameter own: a stream whose progress is not told by an event.
    mutating func pump(telling own: UInt32? = nil) {
        var stuck = 0
        while isOpen, stuck < queue.count, let stream = queue.popFirst() {
            // A stream that has gone may still stand in line.
            guard streams[stream]?.pending != nil else {
                streams[stream]?.isQueued = false
                continue
            }
            if let sent = sendPending(stream) {
                stuck = 0
                // Whoever waits for a head to leave is told of that, too.
                if stream != own, sent > 0 || streams[stream]?.pending == nil {
                    events.append(.sent(stream, sent))
                }
                streams[stream]?.isQueued = false
                enqueue(stream)
            } else {
                queue.append(stream)
                stuck += 1
            }
        }
        // All that is left waits for the connection's window.
        if stuck == queue.count { queueNeedsNoWindow = false }
    }

    /// Sends one frame; `nil` when the connection's window does not allow it.
    private mutating func sendPending(_ stream: UInt32) -> Int? {
        guard var state = streams[stream], var pending = state.pending else { return 0 }
        if let head = pending.head {
            pending.head = nil
            let isEnd = pending.endsWithData && pending.data.isEmpty
            writeHeaders(head, stream: stream, isEnd: isEnd)
            finishPending(pending, stream: stream, hasEnded: isEnd)
            return 0
        }
        guard !pending.data.isEmpty else {
            if case .trailers(let block) = pending.end {
                writeHeaders(block, stream: stream, isEnd: true)
            } else {
                writeDataHead(0, stream: stream, isEnd: true)
            }
            finishPending(pending, stream: stream, hasEnded: true)
            return 0
        }
        let room = min(pending.data.count, state.sendWindow, frameBytesMax)
        let count = min(room, sendWindow)
        guard count > 0 else { return nil }
        let isEnd = pending.endsWithData && count == pending.data.count
        let all = min(pending.data.count, limits.outputBytes)
        output.reserveCapacity(minimumWritableBytes: all + FrameHead.byteCount)
        writeDataHead(count, stream: stream, isEnd: isEnd)
        // Held here only, so that what changes is not copied.
        state.pending = nil
        streams[stream]?.pending = nil
        pending.data.moveFirst(count, to: &output)
        didSend(count, on: stream)
        finishPending(pending, stream: stream, hasEnded: isEnd)
        return count
    }

    private mutating func finishPending(
        _ pending: PendingOutput, stream: UInt32, hasEnded: Bool
    ) {
        if hasEnded {
            // The stream may go on until the peer has ended its side, too.
            streams[stream]?.pending = nil
            didEnd(stream)
        } else {
            streams[stream]?.pending = pending.isEmpty ? nil : pending
        }
    }

    mutating func didSend(_ count: Int, on stream: UInt32) {
        sendWindow -= count
        streams[stream]?.sendWindow -= count
    }

    /// Our side of a stream is complete.
    mutating func didEnd(_ stream: UInt32) {
        guard let state = streams[stream] else { return }
        if role == .client || state.endsQuietly, !state.peerEnded {
            streams[stream]?.hasEnded = true
            return
        }
        streams.remove(stream)
        guard !state.peerEnded else {
            closed.add(stream, .ended)
            return
        }
        // RFC 9113, section 8.1: a client whose answer is complete need not send the rest.
        writeReset(stream, .noError)
        closed.add(stream, .resetByUs)
    }
}

extension HTTP2Stream {
    /// Whether more may be sent behind the head.
    var mayGoOn: Bool { hasHead && !hasEnded && pending?.end == nil }

    /// Whether what waits could be sent if the connection allowed it.
    var canProceed: Bool {
        guard let pending else { return false }
        return pending.needsNoWindow || sendWindow > 0
    }
}

extension PendingOutput {
    /// Whether the frame with the last of the data ends the stream.
    var endsWithData: Bool {
        if case .data = end { true } else { false }
    }

    var isEmpty: Bool { head == nil && data.isEmpty && end == nil }

    /// Whether what comes next is no content, for which alone there are windows.
    var needsNoWindow: Bool { head != nil || data.isEmpty }
}
