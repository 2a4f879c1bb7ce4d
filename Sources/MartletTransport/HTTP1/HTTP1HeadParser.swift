import Foundation
import NIOCore

/// A head that can be read off a peer's bytes.
protocol HTTP1ReadableHead: AnyObject {
    /// What its lines have said so far.
    associatedtype Draft: HTTP1ReadableDraft

    /// The head as it came, from its first line to the empty one.
    var bytes: [UInt8] { get }

    /// Makes a head of what was found in `bytes`.
    init(_ draft: Draft, _ bytes: UnsafeRawBufferPointer) throws(HTTP1Fault)
}

/// What the lines of a head have said so far; places count from the head's first byte.
protocol HTTP1ReadableDraft {
    /// What the head belongs to, for people.
    static var subject: String { get }

    init()

    /// Whether the first line has come.
    var hasFirstLine: Bool { get }

    /// Whether a byte may be in the first line.
    static func mayBegin(with byte: UInt8) -> Bool

    /// Takes the first line; `next` is the place of the one behind it.
    mutating func takeFirstLine(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, next: Int
    ) throws(HTTP1Fault)

    /// Takes the line of a field.
    mutating func takeField(
        _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, limits: HTTP1Limits
    ) throws(HTTP1Fault)
}

extension HTTP1ReadableDraft {
    static func tooLarge(_ limits: HTTP1Limits) -> HTTP1Fault {
        .malformed(
            "The \(subject)'s header fields exceed \(limits.headerBytes) bytes "
                + "(--max-header-bytes)")
    }

    static func tooMany(_ limits: HTTP1Limits) -> HTTP1Fault {
        .malformed(
            "The \(subject) has more than \(limits.headerFields) header fields "
                + "(--max-header-fields)")
    }
}

/// Finds the heads of messages in a peer's bytes, line by line: each byte is looked at as it comes,
/// and nothing is kept but places, and the head before, to know the next one by.
struct HTTP1HeadParser<Head: HTTP1ReadableHead> {
    private var draft = Head.Draft()
    private var lineStart = 0
    private var scanned = 0
    private var emptyLines = 0
    private var previous: Head?

    /// The next head, leaving what is behind it; nil where its end has not come.
    mutating func next(
        from inbox: inout ByteBuffer, limits: HTTP1Limits
    ) throws(HTTP1Fault) -> Head? {
        if scanned == 0 {
            if let previous, inbox.begins(with: previous.bytes) {
                inbox.moveReaderIndex(forwardBy: previous.bytes.count)
                emptyLines = 0
                return previous
            }
            try skipEmptyLines(&inbox, most: limits.emptyLines)
            // An empty line may begin here.
            if inbox.readableBytes == 1,
                inbox.getInteger(at: inbox.readerIndex) == HTTP1Characters.carriageReturn
            {
                return nil
            }
        }
        let head = try inbox.withUnsafeReadableBytes { (bytes) throws(HTTP1Fault) in
            try scan(bytes, limits)
        }
        guard let head else { return nil }
        inbox.moveReaderIndex(forwardBy: head.bytes.count)
        draft = Head.Draft()
        lineStart = 0
        scanned = 0
        emptyLines = 0
        previous = head.bytes.count <= limits.keptHeadBytes ? head : nil
        return head
    }

    /// Lets go of the head before; the next one is read even if it is the same.
    mutating func forget() { previous = nil }

    /// RFC 9112, section 2.2: an empty line in front of a request is no part of it.
    private mutating func skipEmptyLines(
        _ inbox: inout ByteBuffer, most: Int
    ) throws(HTTP1Fault) {
        let line = UInt16(HTTP1Characters.carriageReturn) << 8 | UInt16(HTTP1Characters.lineFeed)
        while inbox.getInteger(at: inbox.readerIndex, as: UInt16.self) == line {
            emptyLines += 1
            guard emptyLines <= most else {
                throw .malformed(
                    "There are too many empty lines in front of a \(Head.Draft.subject)")
            }
            inbox.moveReaderIndex(forwardBy: 2)
        }
    }

    private mutating func scan(
        _ bytes: UnsafeRawBufferPointer, _ limits: HTTP1Limits
    ) throws(HTTP1Fault) -> Head? {
        let before = scanned
        while let end = bytes.firstIndex(of: HTTP1Characters.lineFeed, from: scanned) {
            guard end > lineStart, bytes[end - 1] == HTTP1Characters.carriageReturn else {
                throw .malformed(
                    "A line of the \(Head.Draft.subject)'s head does not end with CR LF")
            }
            let line = lineStart..<end - 1
            lineStart = end + 1
            scanned = lineStart
            guard lineStart <= limits.headBytes else { throw Head.Draft.tooLarge(limits) }
            if !draft.hasFirstLine {
                try draft.takeFirstLine(bytes, line, next: lineStart)
            } else if line.isEmpty {
                return try Head(
                    draft, UnsafeRawBufferPointer(rebasing: bytes[..<lineStart]))
            } else {
                try draft.takeField(bytes, line, limits: limits)
            }
        }
        scanned = bytes.count
        guard scanned <= limits.headBytes else { throw Head.Draft.tooLarge(limits) }
        if !draft.hasFirstLine { try checkBeginning(bytes, from: before) }
        return nil
    }

    /// Whoever speaks another protocol is told before a line's end comes by chance.
    private func checkBeginning(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) throws(HTTP1Fault) {
        let isText = bytes[start...].allSatisfy { byte in
            Head.Draft.mayBegin(with: byte) || byte == HTTP1Characters.carriageReturn
        }
        guard isText, bytes.first.map(HTTP1Characters.isBlank) != true else {
            throw .malformed("What the peer sends is no \(Head.Draft.subject) of HTTP/1.1")
        }
    }
}

extension ByteBuffer {
    /// Whether the next bytes are these.
    fileprivate func begins(with bytes: [UInt8]) -> Bool {
        let count = bytes.count
        guard readableBytes >= count else { return false }
        return withUnsafeReadableBytes { buffer in
            bytes.withUnsafeBytes { own in
                guard let left = buffer.baseAddress, let right = own.baseAddress else {
                    return false
                }
                return memcmp(left, right, count) == 0
            }
        }
    }
}
