import NIOCore

/// Content of messages, and the windows of both sides.
extension HTTP2Connection {
    /// Checks a DATA frame before its content comes.
    mutating func beginData(_ head: FrameHead) throws(ConnectionFault) {
        guard head.stream != 0, !isIdle(head.stream) else {
            throw ConnectionFault(.protocolError, "DATA on a stream that never began")
        }
        var padding = 0
        var taken = 0
        if head.flags.contains(.padded) {
            guard head.length > 0 else {
                throw ConnectionFault(.frameSizeError, "DATA has no room for its padding")
            }
            padding = Int(inbox.readInteger(as: UInt8.self) ?? 0)
            taken = 1
            guard padding < head.length else {
                throw ConnectionFault(.protocolError, "The padding is longer than its frame")
            }
        }
        receiveWindow -= head.length
        guard receiveWindow >= 0 else {
            throw ConnectionFault(.flowControlError, "More DATA than the connection's window")
        }
        let content = head.length - taken - padding
        let isEnd = head.flags.contains(.endStream)
        try meter(content: content, isEnd: isEnd)
        credit(head.length)
        guard try accept(head, content: content, isEnd: isEnd) else {
            phase = .skip(head.length - taken)
            return
        }
        // Padding is consumed as soon as it is known of.
        consume(head.length - content, on: head.stream, isContent: false)
        phase = .data(
            OpenData(stream: head.stream, left: content, padding: padding, isEnd: isEnd))
    }

    /// DATA with less than a gRPC message's prefix is hardly ever sent on purpose.
    private mutating func meter(content: Int, isEnd: Bool) throws(ConnectionFault) {
        if content >= HTTP2Connection.dribbleBytes { floods.didTransfer(mayCome: 1) }
        guard !isEnd, content < HTTP2Connection.messagePrefixBytes else { return }
        if content == 0 {
            try floods.didSendEmptyData()
        } else {
            try floods.didSendTinyFrame()
        }
    }

    /// Whether the content is for anybody.
    private mutating func accept(
        _ head: FrameHead, content: Int, isEnd: Bool
    ) throws(ConnectionFault) -> Bool {
        guard let stream = streams[head.stream] else {
            if closed.reason(head.stream) == .ended {
                throw ConnectionFault(.streamClosed, "DATA on a closed stream")
            }
            if closed.reason(head.stream) != .resetByUs {
                try floods.didBreakStream()
                writeReset(head.stream, .streamClosed)
            }
            return false
        }
        let code: HTTP2Code
        if stream.peerEnded {
            code = .streamClosed
        } else if !stream.hasPeerHead {
            code = .protocolError
        } else if head.length > stream.receiveWindow {
            code = .flowControlError
        } else if let left = stream.contentLeft, content > left || (isEnd && content < left) {
            code = .protocolError
        } else {
            streams[head.stream]?.receiveWindow -= head.length
            if let left = stream.contentLeft {
                streams[head.stream]?.contentLeft = left - content
            }
            return true
        }
        if case .event(let event) = try breakStream(head.stream, code) { events.append(event) }
        return false
    }

    /// Hands on what has come of a DATA frame.
    mutating func takeData(_ data: OpenData) -> Step {
        let count = min(data.left, inbox.readableBytes)
        guard let part = inbox.readSlice(length: count) else { return .wait }
        let isWhole = count == data.left
        if isWhole {
            phase = data.padding == 0 ? .head : .skip(data.padding)
        } else {
            guard count > 0 else { return .wait }
            phase = .data(
                OpenData(
                    stream: data.stream, left: data.left - count, padding: data.padding,
                    isEnd: data.isEnd))
        }
        let isEnd = isWhole && data.isEnd
        // Reset in the middle of the frame: nobody wants the rest.
        guard streams.contains(data.stream) else { return .more }
        if isEnd { didReceiveEnd(data.stream) }
        consume(count, on: data.stream, isContent: true)
        guard count > 0 || isEnd else { return .more }
        return .event(.data(data.stream, part, isEnd: isEnd))
    }

    /// The peer's side of a stream is complete.
    mutating func didReceiveEnd(_ stream: UInt32) {
        streams[stream]?.peerEnded = true
        guard streams[stream]?.hasEnded == true else { return }
        streams.remove(stream)
        closed.add(stream, .ended)
    }

    // MARK: The peer's windows

    /// Opens the connection's window for what has come, in large steps.
    private mutating func credit(_ count: Int) {
        consumed += count
        guard 2 * consumed >= limits.connectionWindow else { return }
        writeWindowUpdate(consumed, stream: 0)
        receiveWindow += consumed
        consumed = 0
    }

    private mutating func consume(_ count: Int, on stream: UInt32, isContent: Bool) {
        guard count > 0 else { return }
        let isCredited = streams[stream]?.isCredited ?? false
        if isCredited || !isContent { consume(count, on: stream) }
    }

    /// Opens a stream's window for what was taken in, in large steps.
    mutating func consume(_ count: Int, on stream: UInt32) {
        guard let state = streams[stream], !state.peerEnded else { return }
        let consumed = state.consumed + count
        guard 2 * consumed >= limits.streamWindow else {
            streams[stream]?.consumed = consumed
            return
        }
        streams[stream]?.consumed = 0
        streams[stream]?.receiveWindow += consumed
        writeWindowUpdate(consumed, stream: stream)
    }

    /// Leaves it to ``consume(_:on:)`` when a stream's window opens.
    mutating func holdWindow(of stream: UInt32) {
        streams[stream]?.isCredited = false
    }

    /// Opens a stream's window as data arrive again, and for `count` bytes that came meanwhile.
    mutating func releaseWindow(of stream: UInt32, count: Int) {
        streams[stream]?.isCredited = true
        consume(count, on: stream)
    }

    // MARK: Our windows

    mutating func takeWindowUpdate(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        let increment = Int((payload.readInteger(as: UInt32.self) ?? 0) & 0x7FFF_FFFF)
        if head.stream == 0 {
            guard increment > 0 else {
                throw ConnectionFault(.protocolError, "WINDOW_UPDATE by nothing")
            }
            sendWindow += increment
            guard sendWindow <= HTTP2Protocol.windowMax else {
                throw ConnectionFault(.flowControlError, "The window is too large")
            }
            if increment < HTTP2Connection.dribbleBytes { try meterDribble(waits: !queue.isEmpty) }
        } else {
            guard !isIdle(head.stream) else {
                throw ConnectionFault(.protocolError, "WINDOW_UPDATE of a stream that never began")
            }
            guard let stream = streams[head.stream] else {
                try floods.didControl()
                return
            }
            let window = stream.sendWindow + increment
            guard increment > 0, window <= HTTP2Protocol.windowMax else {
                let code = increment > 0 ? HTTP2Code.flowControlError : .protocolError
                if case .event(let event) = try breakStream(head.stream, code) {
                    events.append(event)
                }
                return
            }
            streams[head.stream]?.sendWindow = window
            if increment < HTTP2Connection.dribbleBytes {
                try meterDribble(waits: stream.pending != nil)
            }
            if stream.pending != nil { enqueue(head.stream) }
        }
        pump()
    }

    private mutating func meterDribble(waits: Bool) throws(ConnectionFault) {
        if waits {
            try floods.didDribble()
        } else {
            try floods.didSendTinyFrame()
        }
    }

    /// Windows that are opened by less are counted.
    private static var dribbleBytes: Int { 1024 }

    // MARK: Settings

    mutating func takeSettings(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        guard head.stream == 0 else {
            throw ConnectionFault(.protocolError, "SETTINGS on a stream")
        }
        try floods.didControl()
        guard !head.flags.contains(.acknowledge) else {
            guard head.length == 0 else {
                throw ConnectionFault(.frameSizeError, "An acknowledgement has settings")
            }
            guard hasSettings else {
                throw ConnectionFault(.protocolError, "The first frame is not SETTINGS")
            }
            return
        }
        guard head.length % 6 == 0 else {
            throw ConnectionFault(.frameSizeError, "SETTINGS is cut short")
        }
        guard head.length <= 6 * limits.settings else {
            throw ConnectionFault(.settings, "Too many settings")
        }
        // Whoever does not speak of streams takes any number of them.
        if !hasSettings { peerStreamsMax = .max }
        while let (identifier, value) = payload.readMultipleIntegers(
            as: (UInt16, UInt32).self)
        {
            try apply(identifier, Int(value))
        }
        hasSettings = true
        writeFrame(FrameHead(length: 0, kind: .settings, flags: .acknowledge))
        try noteControlFrame()
        pump()
    }

    private mutating func apply(_ identifier: UInt16, _ value: Int) throws(ConnectionFault) {
        switch SettingIdentifier(rawValue: identifier) {
        case .headerTableSize:
            if value < HTTP2Protocol.headerTableBytes { owesTableSize = true }
        case .enablePush:
            guard value <= 1 else { throw ConnectionFault(.protocolError, "ENABLE_PUSH is wrong") }
        case .initialWindowSize:
            guard value <= HTTP2Protocol.windowMax else {
                throw ConnectionFault(.flowControlError, "INITIAL_WINDOW_SIZE is too large")
            }
            try changeWindows(by: value - peerWindow)
            peerWindow = value
        case .maxFrameSize:
            guard (HTTP2Protocol.frameBytesMin...HTTP2Protocol.frameBytesMax).contains(value) else {
                throw ConnectionFault(.protocolError, "MAX_FRAME_SIZE is out of range")
            }
            peerFrameBytes = value
        case .maxConcurrentStreams: peerStreamsMax = value
        case .maxHeaderListSize, nil: break
        }
    }

    private mutating func changeWindows(by difference: Int) throws(ConnectionFault) {
        guard difference != 0 else { return }
        var opened: [UInt32] = []
        try streams.update { (id, stream) throws(ConnectionFault) in
            stream.sendWindow += difference
            guard stream.sendWindow <= HTTP2Protocol.windowMax else {
                throw ConnectionFault(.flowControlError, "A stream's window is too large")
            }
            if difference > 0, stream.pending != nil { opened.append(id) }
        }
        for stream in opened { enqueue(stream) }
    }
}
