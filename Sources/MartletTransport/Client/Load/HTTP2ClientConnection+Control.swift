import MartletCore
import NIOCore

/// Frames of the server that are about the connection, and about its windows.
extension HTTP2ClientConnection {
    mutating func takeGoAway(_ payload: inout ByteBuffer) throws(ConnectionFault) {
        guard let (last, _) = payload.readMultipleIntegers(as: (UInt32, UInt32).self) else {
            throw ConnectionFault(.frameSizeError, "GOAWAY is too short")
        }
        let isFirst = lastStream == nil
        lastStream = last & 0x7FFF_FFFF
        for stream in streams.streams where stream > last & 0x7FFF_FFFF {
            end(stream, .failed(.notBegun))
        }
        if isFirst, streams.isEmpty, events.last != .drained { events.append(.drained) }
    }

    mutating func takePing(
        _ head: FrameHead, _ payload: ByteBuffer
    ) throws(ConnectionFault) {
        guard head.length == 8 else {
            throw ConnectionFault(.frameSizeError, "PING of another length")
        }
        guard !head.flags.contains(.acknowledge) else { return }
        try checkOutput()
        FrameHead(length: 8, kind: .ping, flags: .acknowledge).write(to: &output)
        output.writeImmutableBuffer(payload)
    }

    /// Bounds what waits for a server that asks and does not read.
    private func checkOutput() throws(ConnectionFault) {
        guard output.readableBytes < 2 * HTTP2ClientConnection.outputBytesMax else {
            throw ConnectionFault(.enhanceYourCalm, "The answers to control frames are not read")
        }
    }

    mutating func takeSettings(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        if head.flags.contains(.acknowledge) {
            guard head.length == 0 else {
                throw ConnectionFault(.frameSizeError, "An acknowledgement has content")
            }
            return
        }
        guard head.length.isMultiple(of: 6) else {
            throw ConnectionFault(.frameSizeError, "SETTINGS of another length")
        }
        hasSettings = true
        while let (name, value) = payload.readMultipleIntegers(as: (UInt16, UInt32).self) {
            if let identifier = SettingIdentifier(rawValue: name) {
                try set(identifier, Int(value))
            }
        }
        try checkOutput()
        FrameHead(length: 0, kind: .settings, flags: .acknowledge).write(to: &output)
        pump()
    }

    private mutating func set(
        _ identifier: SettingIdentifier, _ value: Int
    ) throws(ConnectionFault) {
        switch identifier {
        case .headerTableSize:
            // A smaller one is acknowledged by the next header block, which then uses none.
            guard value < HTTP2Protocol.headerTableBytes else { return }
            owesTableSize = true
            usesTable = false
        case .maxConcurrentStreams: peerCallsMax = value
        case .initialWindowSize:
            guard value <= HTTP2Protocol.windowMax else {
                throw ConnectionFault(.flowControlError, "The initial window is too large")
            }
            let growth = value - peerWindow
            peerWindow = value
            try streams.update { (_, call) throws(ConnectionFault) in
                call.sendWindow += growth
                guard call.sendWindow <= HTTP2Protocol.windowMax else {
                    throw ConnectionFault(.flowControlError, "A window is too large")
                }
            }
        case .maxFrameSize:
            guard (HTTP2Protocol.frameBytesMin...HTTP2Protocol.frameBytesMax).contains(value) else {
                throw ConnectionFault(.protocolError, "The frame size is out of bounds")
            }
            peerFrameBytes = value
        case .enablePush, .maxHeaderListSize: break
        }
    }

    mutating func takeWindowUpdate(
        _ head: FrameHead, _ payload: inout ByteBuffer
    ) throws(ConnectionFault) {
        guard head.length == 4, let read = payload.readInteger(as: UInt32.self) else {
            throw ConnectionFault(.frameSizeError, "WINDOW_UPDATE of another length")
        }
        let increment = Int(read & 0x7FFF_FFFF)
        guard increment > 0 else {
            throw ConnectionFault(.protocolError, "A window is opened by nothing")
        }
        if head.stream == 0 {
            sendWindow += increment
            guard sendWindow <= HTTP2Protocol.windowMax else {
                throw ConnectionFault(.flowControlError, "The connection's window is too large")
            }
        } else if let call = streams[head.stream] {
            guard call.sendWindow + increment <= HTTP2Protocol.windowMax else {
                writeReset(head.stream, .flowControlError)
                end(head.stream, .failed(.malformed("A window is too large")))
                return
            }
            streams[head.stream]?.sendWindow += increment
        }
        pump()
    }
}
