import NIOCore

/// Content that waits to be sent, as it was given: nothing is copied before its frame is written.
struct PendingContent {
    private enum Piece {
        /// With so many bytes of a gRPC message's prefix before it.
        case array([UInt8], prefixBytes: Int)
        case buffer(ByteBuffer)

        var count: Int {
            switch self {
            case .array(let bytes, let prefixBytes): prefixBytes + bytes.count
            case .buffer(let bytes): bytes.readableBytes
            }
        }
    }

    private var pieces = CircularBuffer<Piece>(initialCapacity: 1)
    /// Bytes of the first piece that have left.
    private var sent = 0

    /// Bytes that wait, prefixes included.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Adds content, behind a gRPC message's prefix where `isMessage`.
    mutating func append(_ bytes: [UInt8], isMessage: Bool) {
        append(.array(bytes, prefixBytes: isMessage ? HTTP2Connection.messagePrefixBytes : 0))
    }

    /// Adds content.
    mutating func append(_ bytes: ByteBuffer) {
        append(.buffer(bytes))
    }

    private mutating func append(_ piece: Piece) {
        guard piece.count > 0 else { return }
        pieces.append(piece)
        count += piece.count
    }

    /// Writes the first `length` bytes, of which there must be as many.
    mutating func moveFirst(_ length: Int, to output: inout ByteBuffer) {
        var left = length
        while left > 0, let piece = pieces.first {
            let part = min(left, piece.count - sent)
            PendingContent.write(piece, sent..<sent + part, to: &output)
            left -= part
            sent += part
            if sent == piece.count {
                pieces.removeFirst()
                sent = 0
            }
        }
        count -= length - left
    }

    private static func write(_ piece: Piece, _ range: Range<Int>, to output: inout ByteBuffer) {
        switch piece {
        case .array(let bytes, let prefixBytes):
            write(bytes, prefixBytes: prefixBytes, range, to: &output)
        case .buffer(let bytes):
            let start = bytes.readerIndex + range.lowerBound
            guard let part = bytes.getSlice(at: start, length: range.count) else { return }
            output.writeImmutableBuffer(part)
        }
    }

    private static func write(
        _ bytes: [UInt8], prefixBytes: Int, _ range: Range<Int>, to output: inout ByteBuffer
    ) {
        let prefix = range.clamped(to: 0..<prefixBytes)
        if !prefix.isEmpty {
            var written = ByteBuffer()
            HTTP2Connection.writeMessagePrefix(of: bytes.count, to: &written)
            output.writeBytes(written.readableBytesView[prefix])
        }
        let content = range.clamped(to: prefixBytes..<(prefixBytes + bytes.count))
        guard !content.isEmpty else { return }
        let start = content.lowerBound - prefixBytes
        output.writeBytes(bytes[start..<start + content.count])
    }
}
