import Foundation
import NIOCore

/// Finds the heads of requests in a client's bytes, line by line: each byte is looked at as it
/// comes, and nothing is kept but places.
struct HTTP1HeadParser {
    private let limits: HTTP1Limits
    private var draft = HTTP1HeadDraft()
    private var lineStart = 0
    private var scanned = 0
    private var emptyLines = 0
    private var previous: HTTP1Head?

    init(limits: HTTP1Limits) {
        self.limits = limits
    }

    /// The next head, leaving what is behind it; nil where its end has not come.
    mutating func next(from inbox: inout ByteBuffer) throws(HTTP1Fault) -> HTTP1Head? {
        if scanned == 0 {
            if let previous, previous.isPrefix(of: inbox) {
                inbox.moveReaderIndex(forwardBy: previous.bytes.count)
                return previous
            }
            try skipEmptyLines(&inbox)
            // An empty line may begin here.
            if inbox.readableBytes == 1,
                inbox.getInteger(at: inbox.readerIndex) == HTTP1Characters.carriageReturn
            {
                return nil
            }
        }
        let head = try inbox.withUnsafeReadableBytes { (bytes) throws(HTTP1Fault) in
            try scan(bytes)
        }
        guard let head else { return nil }
        inbox.moveReaderIndex(forwardBy: head.bytes.count)
        draft = HTTP1HeadDraft()
        lineStart = 0
        scanned = 0
        emptyLines = 0
        previous = head.bytes.count <= limits.keptHeadBytes ? head : nil
        return head
    }

    /// RFC 9112, section 2.2: an empty line in front of a request is no part of it.
    private mutating func skipEmptyLines(_ inbox: inout ByteBuffer) throws(HTTP1Fault) {
        let line = UInt16(HTTP1Characters.carriageReturn) << 8 | UInt16(HTTP1Characters.lineFeed)
        while inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) == line {
            emptyLines += 1
            guard emptyLines <= limits.emptyLines else {
                throw .malformed("There are too many empty lines in front of a request")
            }
            inbox.moveReaderIndex(forwardBy: 2)
        }
    }

    private mutating func scan(
        _ bytes: UnsafeRawBufferPointer
    ) throws(HTTP1Fault) -> HTTP1Head? {
        let before = scanned
        while let end = bytes.firstIndex(of: HTTP1Characters.lineFeed, from: scanned) {
            guard end > lineStart, bytes[end - 1] == HTTP1Characters.carriageReturn else {
                throw .malformed("A line of the request's head does not end with CR LF")
            }
            let line = lineStart..<end - 1
            lineStart = end + 1
            scanned = lineStart
            guard lineStart <= limits.headBytes else { throw HTTP1HeadDraft.tooLarge(limits) }
            if !draft.hasRequestLine {
                try draft.takeRequestLine(bytes, line, next: lineStart)
            } else if line.isEmpty {
                return try HTTP1Head(
                    draft, UnsafeRawBufferPointer(rebasing: bytes[..<lineStart]))
            } else {
                try draft.takeField(bytes, line, limits: limits)
            }
        }
        scanned = bytes.count
        guard scanned <= limits.headBytes else { throw HTTP1HeadDraft.tooLarge(limits) }
        if !draft.hasRequestLine { try checkBeginning(bytes, from: before) }
        return nil
    }

    /// Whoever speaks another protocol is told before a line's end comes by chance.
    private func checkBeginning(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(HTTP1Fault) {
        let isText = bytes[start...].allSatisfy { byte in
            byte >= 0x20 && byte < 0x7F || byte == HTTP1Characters.carriageReturn
        }
        guard isText, bytes.first.map(HTTP1Characters.isBlank) != true else {
            throw .malformed("What the client sends is no request of HTTP/1.1")
        }
    }
}

extension HTTP1Head {
    /// Whether bytes begin with this very head.
    fileprivate func isPrefix(of buffer: ByteBuffer) -> Bool {
        let count = bytes.count
        guard buffer.readableBytes >= count else { return false }
        return buffer.withUnsafeReadableBytes { buffer in
            bytes.withUnsafeBytes { own in
                guard let left = buffer.baseAddress, let right = own.baseAddress else {
                    return false
                }
                return memcmp(left, right, count) == 0
            }
        }
    }
}
