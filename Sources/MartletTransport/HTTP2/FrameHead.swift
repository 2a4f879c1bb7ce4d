import NIOCore

/// The first nine bytes of a frame (RFC 9113, section 4.1).
struct FrameHead: Equatable {
    static let byteCount = 9

    /// Where its flags are.
    static let flagsPlace = 4

    let length: Int
    let kind: FrameKind
    let flags: FrameFlags
    let stream: UInt32

    init(length: Int, kind: FrameKind, flags: FrameFlags = [], stream: UInt32 = 0) {
        self.length = length
        self.kind = kind
        self.flags = flags
        self.stream = stream
    }

    /// Takes a head out of a buffer; `nil` while it is not complete.
    init?(from buffer: inout ByteBuffer) {
        let start = buffer.readerIndex
        // Eight of the nine bytes in one go: length, kind, flags and most of the stream.
        guard let most = buffer.getInteger(at: start, as: UInt64.self),
            let last = buffer.getInteger(at: start + 8, as: UInt8.self)
        else { return nil }
        buffer.moveReaderIndex(forwardBy: FrameHead.byteCount)
        length = Int(most >> 40)
        kind = FrameKind(rawValue: UInt8(truncatingIfNeeded: most >> 32))
        flags = FrameFlags(rawValue: UInt8(truncatingIfNeeded: most >> 24))
        // The highest bit is reserved and ignored.
        stream = (UInt32(truncatingIfNeeded: most) << 8 | UInt32(last)) & 0x7FFF_FFFF
    }

    /// Whether the length of a padding comes next.
    var isPaddedData: Bool { kind == .data && flags.contains(.padded) && length > 0 }

    func write(to buffer: inout ByteBuffer) {
        let most =
            UInt64(truncatingIfNeeded: length) << 40 | UInt64(kind.rawValue) << 32
            | UInt64(flags.rawValue) << 24 | UInt64(stream >> 8)
        buffer.writeMultipleIntegers(most, UInt8(truncatingIfNeeded: stream))
    }
}

/// The type of a frame.
struct FrameKind: RawRepresentable, Hashable, Sendable {
    let rawValue: UInt8

    static let data = FrameKind(rawValue: 0)
    static let headers = FrameKind(rawValue: 1)
    static let priority = FrameKind(rawValue: 2)
    static let resetStream = FrameKind(rawValue: 3)
    static let settings = FrameKind(rawValue: 4)
    static let pushPromise = FrameKind(rawValue: 5)
    static let ping = FrameKind(rawValue: 6)
    static let goAway = FrameKind(rawValue: 7)
    static let windowUpdate = FrameKind(rawValue: 8)
    static let continuation = FrameKind(rawValue: 9)
}

/// The flags of a frame; what one means depends on the frame's type.
struct FrameFlags: OptionSet, Hashable, Sendable {
    let rawValue: UInt8

    static let endStream = FrameFlags(rawValue: 0x1)
    static let acknowledge = FrameFlags(rawValue: 0x1)
    static let endHeaders = FrameFlags(rawValue: 0x4)
    static let padded = FrameFlags(rawValue: 0x8)
    static let priority = FrameFlags(rawValue: 0x20)
}

/// The identifiers of settings (RFC 9113, section 6.5.2).
enum SettingIdentifier: UInt16 {
    case headerTableSize = 1
    case enablePush = 2
    case maxConcurrentStreams = 3
    case initialWindowSize = 4
    case maxFrameSize = 5
    case maxHeaderListSize = 6
}

/// Numbers that the protocol fixes.
enum HTTP2Protocol {
    /// What a client sends first.
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static let windowMax = 0x7FFF_FFFF
    static let initialWindow = 65_535
    static let frameBytesMin = 16_384
    static let frameBytesMax = 16_777_215
    static let headerTableBytes = 4096
}
