import NIOCore

/// Content that waits to be sent, as the arrays it was given in: nothing is copied before its frame
/// is written.
struct PendingContent {
    private struct Piece {
        let bytes: [UInt8]
        /// Bytes of a gRPC message's prefix before them.
        let prefixBytes: Int

        var count: Int { prefixBytes + bytes.count }
    }

    private var pieces = CircularBuffer<Piece>(initialCapacity: 1)
    /// Bytes of the first piece that have left.
    private var sent = 0

    /// Bytes that wait, prefixes included.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Adds content, behind a gRPC message's prefix where `isMessage`.
    mutating func append(_ bytes: [UInt8], isMessage: Bool) {
        let piece = Piece(
            bytes: bytes, prefixBytes: isMessage ? HTTP2Connection.messagePrefixBytes : 0)
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
        let prefix = range.clamped(to: 0..<piece.prefixBytes)
        if !prefix.isEmpty {
            var bytes = ByteBuffer()
            HTTP2Connection.writeMessagePrefix(of: piece.bytes.count, to: &bytes)
            output.writeBytes(bytes.readableBytesView[prefix])
        }
        let content = range.clamped(to: piece.prefixBytes..<piece.count)
        guard !content.isEmpty else { return }
        let start = content.lowerBound - piece.prefixBytes
        output.writeBytes(piece.bytes[start..<start + content.count])
    }
}
