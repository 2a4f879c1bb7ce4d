import MartletCore
import NIOCore

/// Frames of the server.
extension HTTP2ClientConnection {
    /// Takes bytes of the server.
    mutating func receive(_ bytes: ByteBuffer) {
        if inbox.readableBytes == 0 {
            inbox = bytes
        } else {
            var bytes = bytes
            inbox.writeBuffer(&bytes)
        }
    }

    /// The next thing that happened, if anything.
    mutating func next() -> HTTP2ClientEvent? {
        if let event = events.popFirst() { return event }
        do throws(ConnectionFault) {
            while try step() {
                if let event = events.popFirst() { return event }
            }
        } catch {
            fail(error)
        }
        return events.popFirst()
    }

    private mutating func fail(_ fault: ConnectionFault) {
        phase = .failed
        inbox = ByteBuffer()
        openBlock = nil
        FrameHead(length: 8 + fault.text.utf8.count, kind: .goAway).write(to: &output)
        output.writeMultipleIntegers(UInt32(0), fault.code.rawValue)
        output.writeString(fault.text)
        for stream in streams.streams { end(stream, .failed(.malformed(fault.text))) }
        events.append(.failed(fault))
    }

    /// Reads on; `false` when there is nothing more to read.
    private mutating func step() throws(ConnectionFault) -> Bool {
        switch phase {
        case .head:
            guard let head = FrameHead(from: &inbox) else {
                if inbox.readableBytes == 0 { inbox = ByteBuffer() }
                return false
            }
            try check(head)
            phase = .payload(head)
            return true
        case .payload(let head):
            guard inbox.readableBytes >= head.length else { return false }
            phase = .head
            try take(head)
            return true
        case .failed:
            inbox = ByteBuffer()
            return false
        }
    }

    /// Checks the head of a frame, before its payload is waited for.
    private func check(_ head: FrameHead) throws(ConnectionFault) {
        guard hasSettings || head.kind == .settings else {
            throw ConnectionFault(.protocolError, "The server does not speak HTTP/2")
        }
        guard head.length <= HTTP2ClientConnection.frameBytesMax else {
            throw ConnectionFault(.frameSizeError, "A frame is larger than the settings allow")
        }
        if let openBlock, head.kind != .continuation || head.stream != openBlock.stream {
            throw ConnectionFault(.protocolError, "A frame interrupts a header block")
        }
        let isOfStream =
            switch head.kind {
            case .data, .headers, .continuation, .resetStream, .priority: true
            default: false
            }
        let isOfConnection =
            switch head.kind {
            case .settings, .ping, .goAway: true
            default: false
            }
        guard !isOfStream || head.stream != 0, !isOfConnection || head.stream == 0 else {
            throw ConnectionFault(.protocolError, "A frame has no right to its stream")
        }
        let isIdle = head.stream & 1 == 0 || head.stream >= nextStream
        if head.stream != 0, isIdle, isOfStream || head.kind == .windowUpdate,
            head.kind != .priority
        {
            throw ConnectionFault(.protocolError, "A frame of a stream that was never opened")
        }
    }

    private mutating func take(_ head: FrameHead) throws(ConnectionFault) {
        if head.kind == .data { return try takeData(head) }
        guard var payload = inbox.readSlice(length: head.length) else { return }
        switch head.kind {
        case .headers: try takeHeaders(head, payload)
        case .continuation: try takeContinuation(head, payload)
        case .settings: try takeSettings(head, &payload)
        case .windowUpdate: try takeWindowUpdate(head, &payload)
        case .ping: try takePing(head, payload)
        case .resetStream: try takeReset(head, &payload)
        case .goAway: try takeGoAway(&payload)
        case .pushPromise: throw ConnectionFault(.protocolError, "Nothing may be pushed")
        default: break
        }
    }

    // MARK: Answers

    private mutating func takeData(_ head: FrameHead) throws(ConnectionFault) {
        receiveWindow -= head.length
        guard receiveWindow >= 0 else {
            throw ConnectionFault(.flowControlError, "More data than the window allows")
        }
        if receiveWindow < HTTP2ClientConnection.window / 2 {
            writeWindowUpdate(HTTP2ClientConnection.window - receiveWindow)
            receiveWindow = HTTP2ClientConnection.window
        }
        var padding = 0
        var length = head.length
        if head.flags.contains(.padded) {
            guard length > 0, let count = inbox.readInteger(as: UInt8.self) else {
                throw ConnectionFault(.frameSizeError, "DATA has no room for its padding")
            }
            length -= 1
            padding = Int(count)
        }
        guard padding <= length else {
            throw ConnectionFault(.protocolError, "The padding is longer than its frame")
        }
        takeContent(length - padding, stream: head.stream)
        inbox.moveReaderIndex(forwardBy: padding)
        if head.flags.contains(.endStream) { end(head.stream, noStatus) }
    }

    private mutating func takeContent(_ count: Int, stream: UInt32) {
        guard let call = streams[stream] else {
            inbox.moveReaderIndex(forwardBy: count)
            return
        }
        let skipped = min(count, max(0, HTTP2ClientConnection.messagePrefixBytes - call.bytes))
        streams[stream]?.bytes += count
        streams[stream]?.messageBytes += count - skipped
        inbox.moveReaderIndex(forwardBy: skipped)
        guard keepsAnswers, count > skipped, let part = inbox.readSlice(length: count - skipped)
        else {
            inbox.moveReaderIndex(forwardBy: count - skipped)
            return
        }
        events.append(.received(token: call.token, part))
    }

    private var noStatus: LoadOutcome {
        .failed(.malformed("The answer ends without a status"))
    }

    private mutating func takeHeaders(
        _ head: FrameHead, _ payload: ByteBuffer
    ) throws(ConnectionFault) {
        var payload = payload
        var padding = 0
        if head.flags.contains(.padded) {
            guard let count = payload.readInteger(as: UInt8.self) else {
                throw ConnectionFault(.frameSizeError, "HEADERS has no room for its padding")
            }
            padding = Int(count)
        }
        if head.flags.contains(.priority) {
            guard payload.readBytes(length: 5) != nil else {
                throw ConnectionFault(.frameSizeError, "HEADERS has no room for a priority")
            }
        }
        guard padding <= payload.readableBytes,
            let block = payload.readSlice(length: payload.readableBytes - padding)
        else { throw ConnectionFault(.protocolError, "The padding is longer than its frame") }
        let open = OpenBlock(
            stream: head.stream, isEnd: head.flags.contains(.endStream), bytes: block)
        try proceed(open, isWhole: head.flags.contains(.endHeaders))
    }

    private mutating func takeContinuation(
        _ head: FrameHead, _ payload: ByteBuffer
    ) throws(ConnectionFault) {
        guard var open = openBlock else {
            throw ConnectionFault(.protocolError, "CONTINUATION of nothing")
        }
        openBlock = nil
        var payload = payload
        open.continuations += 1
        open.bytes.writeBuffer(&payload)
        try proceed(open, isWhole: head.flags.contains(.endHeaders))
    }

    private mutating func proceed(_ block: OpenBlock, isWhole: Bool) throws(ConnectionFault) {
        guard block.bytes.readableBytes <= HTTP2ClientConnection.headerBlockBytesMax,
            block.continuations <= HTTP2ClientConnection.continuationsMax
        else { throw ConnectionFault(.enhanceYourCalm, "The header block is too large") }
        guard isWhole else {
            openBlock = block
            return
        }
        // Read in any case, so that the decoder keeps step with the server.
        let fields = try blocks.read(block.bytes)
        guard let call = streams[block.stream] else { return }
        if !block.isEnd {
            // Interim answers are followed by the real one.
            if let status = fields.httpStatus, status < 200 { return }
            streams[block.stream]?.fields = fields
            return
        }
        let isAllThereIs = call.fields == nil
        let status = (isAllThereIs ? fields : call.fields ?? fields).httpStatus
        end(block.stream, outcome(call, httpStatus: status, trailers: fields))
    }

    private func outcome(
        _ call: Call, httpStatus: Int?, trailers: GRPCResponseFields
    ) -> LoadOutcome {
        guard let status = trailers.grpcStatus else {
            guard let httpStatus, httpStatus != 200 else { return noStatus }
            return .failed(.malformed("HTTP status \(httpStatus) in place of a gRPC answer"))
        }
        // The server has kept our own timeout, and was first by a little.
        guard status != StatusCode.deadlineExceeded.rawValue else { return .failed(.timedOut) }
        guard status == 0 else { return .refused(code: status, text: trailers.message) }
        guard call.bytes >= HTTP2ClientConnection.messagePrefixBytes else {
            return .failed(.malformed("The answer has no message"))
        }
        return .success
    }

    private mutating func takeReset(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        guard head.length == 4, let code = payload.readInteger(as: UInt32.self) else {
            throw ConnectionFault(.frameSizeError, "RST_STREAM of another length")
        }
        let wasBegun = code != HTTP2Code.refusedStream.rawValue
        end(head.stream, .failed(wasBegun ? .reset(code) : .notBegun))
    }
}
