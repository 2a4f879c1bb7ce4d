import NIOCore

/// Finds a request's content in a client's bytes, by its length or in chunks (RFC 9112, sections 6
/// and 7.1).
struct HTTP1BodyReader {
    private enum State {
        /// So many bytes are left. Next: ended.
        case length(Int)
        /// Before the line with a chunk's size. Next: chunk, trailers.
        case chunkSize
        /// So many bytes of a chunk are left. Next: chunkEnd.
        case chunk(Int)
        /// Before the line's end behind a chunk. Next: chunkSize.
        case chunkEnd
        /// Before a line of the trailers. Next: ended.
        case trailers
        /// Final.
        case ended
    }

    /// A part of the content, which may be empty at the end.
    struct Piece {
        let bytes: ByteBuffer
        let isEnd: Bool
        /// The lines of the trailers at the end, where there are any and they are wanted.
        var trailers: ByteBuffer?
    }

    private var state: State
    private var scanned = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerFields = 0
    private var trailers: ByteBuffer?
    private let keepsTrailers: Bool

    /// Begins a body; nil where the message has none.
    init?(_ framing: HTTP1Framing, keepsTrailers: Bool = false) {
        self.keepsTrailers = keepsTrailers
        switch framing {
        case .none: return nil
        case .length(let length): state = .length(length)
        case .chunked: state = .chunkSize
        }
    }

    /// The next part, if any has come.
    mutating func next(
        from inbox: inout ByteBuffer, limits: HTTP1Limits
    ) throws(HTTP1Fault) -> Piece? {
        while true {
            switch state {
            case .length(let left):
                guard let bytes = HTTP1BodyReader.read(left, from: &inbox) else { return nil }
                let rest = left - bytes.readableBytes
                state = rest == 0 ? .ended : .length(rest)
                return Piece(bytes: bytes, isEnd: rest == 0)
            case .chunkSize:
                guard let size = try readSize(&inbox, limits) else { return nil }
                state = size == 0 ? .trailers : .chunk(size)
            case .chunk(let left):
                guard let bytes = HTTP1BodyReader.read(left, from: &inbox) else { return nil }
                let rest = left - bytes.readableBytes
                state = rest == 0 ? .chunkEnd : .chunk(rest)
                return Piece(bytes: bytes, isEnd: false)
            case .chunkEnd:
                guard try readChunkEnd(&inbox) else { return nil }
                state = .chunkSize
            case .trailers:
                guard let isEnd = try readTrailer(&inbox, limits) else { return nil }
                guard isEnd else { continue }
                state = .ended
                return Piece(bytes: ByteBuffer(), isEnd: true, trailers: trailers)
            case .ended: return nil
            }
        }
    }

    private static func read(_ count: Int, from inbox: inout ByteBuffer) -> ByteBuffer? {
        let count = min(count, inbox.readableBytes)
        return count > 0 ? inbox.readSlice(length: count) : nil
    }

    private func readChunkEnd(_ inbox: inout ByteBuffer) throws(HTTP1Fault) -> Bool {
        let start = inbox.readableBytesView.prefix(2)
        guard start.elementsEqual([0x0D, 0x0A].prefix(start.count)) else {
            throw .malformed("A chunk is longer than it says")
        }
        guard start.count == 2 else { return false }
        inbox.moveReaderIndex(forwardBy: 2)
        return true
    }

    private mutating func readSize(
        _ inbox: inout ByteBuffer, _ limits: HTTP1Limits
    ) throws(HTTP1Fault) -> Int? {
        let line = try readLine(
            &inbox, bytesMax: limits.chunkLineBytes, otherwise: "The line of a chunk is too long")
        guard let line else { return nil }
        let size = try line.withUnsafeReadableBytes { (bytes) throws(HTTP1Fault) in
            try HTTP1ChunkLine(bytes)
        }
        extensionBytes += size.extensionBytes
        guard extensionBytes <= limits.chunkExtensionBytes else {
            throw .malformed("The chunks have too many extensions")
        }
        return size.size
    }

    /// Reads a line of the trailers; whether it is the last, or nil where it has not come.
    private mutating func readTrailer(
        _ inbox: inout ByteBuffer, _ limits: HTTP1Limits
    ) throws(HTTP1Fault) -> Bool? {
        let line = try readLine(
            &inbox, bytesMax: limits.headerBytes - trailerBytes,
            otherwise: "The trailers exceed \(limits.headerBytes) bytes (--max-header-bytes)")
        guard let line else { return nil }
        guard line.readableBytes > 0 else { return true }
        trailerBytes += line.readableBytes
        trailerFields += 1
        guard trailerFields <= limits.headerFields else {
            throw .malformed(
                "There are more than \(limits.headerFields) trailers (--max-header-fields)")
        }
        try line.withUnsafeReadableBytes { (bytes) throws(HTTP1Fault) in
            let field = try HTTP1FieldLine(bytes, 0..<bytes.count)
            // RFC 9110, section 6.5.1: it is too late for what the body or its end depends on.
            let late: [StaticString] = ["content-length", "transfer-encoding", "host"]
            guard !late.contains(where: { bytes.spells($0, field.name) }) else {
                throw .malformed("\(bytes.text(field.name)) is among the trailers")
            }
        }
        if keepsTrailers { keep(line) }
        return false
    }

    private mutating func keep(_ line: ByteBuffer) {
        var line = line
        var trailers = trailers.take() ?? ByteBuffer()
        trailers.writeBuffer(&line)
        trailers.writeStaticString("\r\n")
        self.trailers = trailers
    }

    /// Reads a line without its end; nil where its end has not come.
    private mutating func readLine(
        _ inbox: inout ByteBuffer, bytesMax: Int, otherwise fault: String
    ) throws(HTTP1Fault) -> ByteBuffer? {
        let end = inbox.withUnsafeReadableBytes { bytes in
            bytes.firstIndex(of: HTTP1Characters.lineFeed, from: scanned)
        }
        guard (end ?? inbox.readableBytes) <= bytesMax + 1 else { throw .malformed(fault) }
        guard let end else {
            scanned = inbox.readableBytes
            return nil
        }
        scanned = 0
        guard end > 0, let line = inbox.readSlice(length: end - 1),
            inbox.readInteger(as: UInt16.self) == 0x0D0A
        else { throw .malformed("A line among the chunks does not end with CR LF") }
        return line
    }
}

/// The line in front of a chunk (RFC 9112, section 7.1): its size, and extensions that mean nothing
/// to us.
struct HTTP1ChunkLine {
    let size: Int
    let extensionBytes: Int

    /// Reads a line without its end.
    ///
    /// Blanks are refused that a lenient reader would overlook: others may read them differently.
    init(_ bytes: UnsafeRawBufferPointer) throws(HTTP1Fault) {
        var size = 0
        var index = 0
        while index < bytes.count, let digit = HTTP1Characters.hexadecimal(bytes[index]) {
            guard size <= Int.max >> 4 else { throw .malformed("The size of a chunk is too large") }
            size = size << 4 | digit
            index += 1
        }
        guard index > 0 else { throw .malformed("The size of a chunk is no number") }
        self.size = size
        extensionBytes = bytes.count - index
        while index < bytes.count {
            guard let end = HTTP1ChunkLine.endOfExtension(bytes, from: index) else {
                throw .malformed("The size of a chunk, or its extension, has forbidden characters")
            }
            index = end
        }
    }

    /// Where `;name`, `;name=value` or `;name="value"` ends that begins at `start`.
    private static func endOfExtension(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard bytes[start] == UInt8(ascii: ";"), let name = endOfToken(bytes, from: start + 1)
        else {
            return nil
        }
        guard name < bytes.count, bytes[name] == UInt8(ascii: "=") else { return name }
        let value = name + 1
        guard value < bytes.count, bytes[value] == UInt8(ascii: "\"") else {
            return endOfToken(bytes, from: value)
        }
        return endOfQuotation(bytes, from: value + 1)
    }

    private static func endOfToken(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index < bytes.count, HTTP1Characters.isToken(bytes[index]) { index += 1 }
        return index > start ? index : nil
    }

    private static func endOfQuotation(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index < bytes.count, HTTP1Characters.isFieldContent(bytes[index]) {
            switch bytes[index] {
            case UInt8(ascii: "\""): return index + 1
            case UInt8(ascii: "\\"):
                guard index + 1 < bytes.count, HTTP1Characters.isFieldContent(bytes[index + 1])
                else { return nil }
                index += 2
            default: index += 1
            }
        }
        return nil
    }
}
