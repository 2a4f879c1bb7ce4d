import NIOCore

/// Frames of ours.
extension HTTP2Connection {
    static var messagePrefixBytes: Int { 5 }

    /// The largest frame that goes to this peer.
    var frameBytesMax: Int { min(peerFrameBytes, limits.sentFrameBytes) }

    mutating func writeFrame(_ head: FrameHead) {
        head.write(to: &output)
    }

    /// Writes the head of a DATA frame, and notes where.
    mutating func writeDataHead(_ count: Int, stream: UInt32, isEnd: Bool) {
        lastData = isEnd ? nil : (stream, output.writerIndex)
        floods.didTransfer(mayCome: 2)
        let flags: FrameFlags = isEnd ? .endStream : []
        writeFrame(FrameHead(length: count, kind: .data, flags: flags, stream: stream))
    }

    /// Makes the last DATA frame the end of its stream, while it has not left.
    ///
    /// - Returns: `false` where a frame of its own is needed.
    mutating func endLastData(of stream: UInt32) -> Bool {
        guard let (last, place) = lastData, last == stream else { return false }
        output.setInteger(FrameFlags.endStream.rawValue, at: place + FrameHead.flagsPlace)
        lastData = nil
        return true
    }

    /// Writes a header block, in as many frames as it takes.
    mutating func writeHeaders(_ block: [UInt8], stream: UInt32, isEnd: Bool) {
        var flags: FrameFlags = isEnd ? .endStream : []
        let update = owesTableSize ? 1 : 0
        if block.count + update <= frameBytesMax {
            flags.insert(.endHeaders)
            writeFrame(
                FrameHead(
                    length: block.count + update, kind: .headers, flags: flags, stream: stream))
            writeTableSize()
            output.writeBytes(block)
            return
        }
        var rest = block[...]
        var kind = FrameKind.headers
        while !rest.isEmpty || kind == .headers {
            let own = kind == .headers ? update : 0
            let part = rest.prefix(frameBytesMax - own)
            rest = rest.dropFirst(part.count)
            if rest.isEmpty { flags.insert(.endHeaders) }
            writeFrame(
                FrameHead(length: part.count + own, kind: kind, flags: flags, stream: stream))
            writeTableSize()
            output.writeBytes(part)
            kind = .continuation
            flags = []
        }
    }

    /// Tells a peer that has made its table smaller that we use none (RFC 7541, section 4.2).
    private mutating func writeTableSize() {
        guard owesTableSize else { return }
        owesTableSize = false
        output.writeInteger(FieldBlock.tableSizeZero)
    }

    static func append(_ bytes: [UInt8], isMessage: Bool, to buffer: inout ByteBuffer) {
        if isMessage { writeMessagePrefix(of: bytes.count, to: &buffer) }
        buffer.writeBytes(bytes)
    }

    /// Says how long the gRPC message is that follows, uncompressed.
    static func writeMessagePrefix(of count: Int, to buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(UInt8(0), UInt32(truncatingIfNeeded: count))
    }

    mutating func writeSettings() {
        let first: (SettingIdentifier, Int) =
            switch role {
            case .server: (.maxConcurrentStreams, limits.concurrentStreams)
            case .client: (.enablePush, 0)
            }
        let settings: [(SettingIdentifier, Int)] = [
            first, (.initialWindowSize, limits.streamWindow),
            (.maxFrameSize, limits.frameBytes),
            (.maxHeaderListSize, limits.headerListBytes),
        ]
        writeFrame(FrameHead(length: 6 * settings.count, kind: .settings))
        for (identifier, value) in settings {
            output.writeMultipleIntegers(identifier.rawValue, UInt32(clamping: value))
        }
    }

    mutating func writeWindowUpdate(_ increment: Int, stream: UInt32) {
        writeFrame(FrameHead(length: 4, kind: .windowUpdate, stream: stream))
        output.writeInteger(UInt32(clamping: increment))
    }

    mutating func writeReset(_ stream: UInt32, _ code: HTTP2Code) {
        writeFrame(FrameHead(length: 4, kind: .resetStream, stream: stream))
        output.writeInteger(code.rawValue)
    }

    mutating func writePing(_ data: UInt64, isAnswer: Bool) {
        let flags: FrameFlags = isAnswer ? .acknowledge : []
        writeFrame(FrameHead(length: 8, kind: .ping, flags: flags))
        output.writeInteger(data)
    }

    mutating func writeGoAway(last: UInt32, _ code: HTTP2Code, _ text: String = "") {
        writeFrame(FrameHead(length: 8 + text.utf8.count, kind: .goAway))
        output.writeMultipleIntegers(last, code.rawValue)
        output.writeString(text)
    }
}
