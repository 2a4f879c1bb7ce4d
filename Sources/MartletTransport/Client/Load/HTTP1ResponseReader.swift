import NIOCore

/// Takes the answers of an HTTP/1.1 server apart (RFC 9112): bytes in, events out.
///
/// It knows no socket. After ``receive(_:)``, events are taken by ``next()`` until there is none.
struct HTTP1ResponseReader {
    /// What is told of an answer, in this order.
    enum Event: Equatable {
        /// The answer has begun; interim ones (1xx) are not told.
        case head(status: Int)
        /// Some of its content, or only how much it is where nobody wants it.
        case body(ByteBuffer?, count: Int)
        /// It is complete, and the connection may be used again or not.
        case end(isReusable: Bool)
        /// What came is no answer; nothing more is read.
        case malformed(String)
    }

    /// Where in the server's bytes we are.
    private enum Phase {
        /// Before or in a head. Next: body, chunk, untilEnd, end.
        case head
        /// In content of known length. Next: end.
        case body(left: Int)
        /// Before the size of a chunk. Next: chunk, trailers.
        case chunkSize
        /// In a chunk. Next: chunkEnd.
        case chunk(left: Int)
        /// Before the line that ends a chunk. Next: chunkSize.
        case chunkEnd
        /// Behind the last chunk. Next: end.
        case trailers
        /// In content that ends with the connection. Final.
        case untilEnd
        /// All is read, which was not told yet. Next: head.
        case end
        /// Final.
        case failed
    }

    static let headBytesMax = 64 * 1024
    static let lineBytesMax = 4096

    /// Whether the content itself is told, not only its size; kept from answer to answer.
    var wantsBody = false

    private var phase = Phase.head
    private var inbox = ByteBuffer()
    private var isReusable = true

    /// Takes bytes of the server.
    mutating func receive(_ bytes: ByteBuffer) {
        if inbox.readableBytes == 0 {
            inbox = bytes
        } else {
            var bytes = bytes
            inbox.writeBuffer(&bytes)
        }
    }

    /// Notes that the server sends no more.
    ///
    /// - Returns: the end of an answer that has its end there.
    mutating func receiveEnd() -> Event? {
        guard case .untilEnd = phase else { return nil }
        phase = .failed
        return .end(isReusable: false)
    }

    /// Whether an answer has begun and not ended.
    var isInAnswer: Bool {
        if case .head = phase { inbox.readableBytes > 0 } else { true }
    }

    /// The next thing that happened, if anything.
    mutating func next() -> Event? {
        while true {
            switch phase {
            case .head:
                guard let event = readHead() else { break }
                return event
            case .body(let left):
                guard let (event, rest) = readContent(left) else { break }
                phase = rest == 0 ? .end : .body(left: rest)
                return event
            case .chunkSize:
                guard let line = readLine() else { break }
                guard let size = HTTP1ResponseReader.chunkSize(line) else {
                    return fail("The size of a chunk is no number")
                }
                phase = size == 0 ? .trailers : .chunk(left: size)
                continue
            case .chunk(let left):
                guard let (event, rest) = readContent(left) else { break }
                phase = rest == 0 ? .chunkEnd : .chunk(left: rest)
                return event
            case .chunkEnd:
                guard let line = readLine() else { break }
                guard line.isEmpty else { return fail("A chunk is longer than its size") }
                phase = .chunkSize
                continue
            case .trailers:
                guard let line = readLine() else { break }
                if line.isEmpty { phase = .end }
                continue
            case .untilEnd:
                guard let (event, _) = readContent(.max) else { break }
                return event
            case .end:
                phase = .head
                return .end(isReusable: isReusable)
            case .failed: inbox = ByteBuffer()
            }
            return stop()
        }
    }

    /// Says what is wrong if more waits than any line or head may have.
    private mutating func stop() -> Event? {
        switch phase {
        case .head where inbox.readableBytes > HTTP1ResponseReader.headBytesMax:
            return fail("The head of the answer is too long")
        case .chunkSize, .chunkEnd, .trailers:
            guard inbox.readableBytes > HTTP1ResponseReader.lineBytesMax else { return nil }
            return fail("A line of the chunked answer is too long")
        default:
            if inbox.readableBytes == 0 { inbox = ByteBuffer() }
            return nil
        }
    }

    private mutating func fail(_ text: String) -> Event {
        phase = .failed
        inbox = ByteBuffer()
        return .malformed(text)
    }

    // MARK: Content

    private mutating func readContent(_ left: Int) -> (Event, rest: Int)? {
        let count = min(left, inbox.readableBytes)
        guard count > 0 else { return nil }
        guard wantsBody else {
            inbox.moveReaderIndex(forwardBy: count)
            return (.body(nil, count: count), left - count)
        }
        return (.body(inbox.readSlice(length: count), count: count), left - count)
    }

    /// The size at the start of a line; what may follow it means nothing to us.
    private static func chunkSize(_ line: [UInt8]) -> Int? {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        let isHexadecimal = digits.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x66).contains($0 | 0x20)
        }
        guard (1...15).contains(digits.count), isHexadecimal else { return nil }
        return Int(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    /// A line without its end; `nil` while it is not complete.
    private mutating func readLine() -> [UInt8]? {
        guard let end = inbox.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) else {
            return nil
        }
        var line = inbox.readBytes(length: end - inbox.readerIndex + 1) ?? []
        line.removeLast()
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    // MARK: Heads

    private mutating func readHead() -> Event? {
        while true {
            let found = inbox.withUnsafeReadableBytes { HTTP1ResponseHead($0) }
            guard let head = found else { return nil }
            guard let status = head.status else { return fail("The answer is not HTTP/1") }
            inbox.moveReaderIndex(forwardBy: head.byteCount)
            if let fault = head.fault { return fail(fault) }
            // 101 has no place here: nobody has asked for another protocol.
            if status < 200, status != 101 { continue }
            isReusable = head.isReusable
            begin(head, status: status)
            return .head(status: status)
        }
    }

    private mutating func begin(_ head: HTTP1ResponseHead, status: Int) {
        if status == 204 || status == 304 {
            phase = .end
        } else if head.isChunked {
            phase = .chunkSize
        } else if let length = head.contentLength {
            phase = length == 0 ? .end : .body(left: length)
        } else {
            isReusable = false
            phase = .untilEnd
        }
    }
}

/// What a client has to know of the head of an answer.
struct HTTP1ResponseHead {
    private(set) var byteCount = 0
    /// `nil` for what is no head.
    private(set) var status: Int?
    private(set) var contentLength: Int?
    private(set) var isChunked = false
    private(set) var isReusable = true
    private(set) var fault: String?

    /// Reads a head at the start of bytes; `nil` while it is not complete.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var start = 0
        var isFirst = true
        while true {
            guard let end = HTTP1ResponseHead.lineEnd(bytes, from: start) else { return nil }
            let hasReturn = end > start && bytes[end - 1] == UInt8(ascii: "\r")
            let line = UnsafeRawBufferPointer(rebasing: bytes[start..<(hasReturn ? end - 1 : end)])
            start = end + 1
            if isFirst {
                isFirst = false
                readStatusLine(line)
                // What is no answer is not waited for any longer.
                if status == nil { return }
            } else if line.isEmpty {
                byteCount = start
                return
            } else {
                readField(line)
            }
        }
    }

    private static func lineEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "\n") { return index }
            index += 1
        }
        return nil
    }

    /// `HTTP/1.x NNN`, and a reason that means nothing.
    private mutating func readStatusLine(_ line: UnsafeRawBufferPointer) {
        guard line.count >= 12, line[0..<7].elementsEqual("HTTP/1.".utf8),
            line[8] == UInt8(ascii: " "), line.count == 12 || line[12] == UInt8(ascii: " ")
        else { return }
        var number = 0
        for digit in line[9..<12] {
            guard (0x30...0x39).contains(digit) else { return }
            number = 10 * number + Int(digit - 0x30)
        }
        guard number >= 100 else { return }
        status = number
        isReusable = line[7] != UInt8(ascii: "0")
    }

    private mutating func readField(_ line: UnsafeRawBufferPointer) {
        // Only three fields matter, which are told apart by their length first.
        guard line.count > 10 else { return }
        if line.count > 14, HTTP1ResponseHead.has(line, "content-length:") {
            readLength(HTTP1ResponseHead.value(line, after: 15))
        } else if line.count > 17, HTTP1ResponseHead.has(line, "transfer-encoding:") {
            let value = HTTP1ResponseHead.value(line, after: 18)
            guard value.equalsIgnoringASCIICase("chunked") else {
                fault = "The answer has the transfer coding '\(value)', which is not known"
                return
            }
            isChunked = true
        } else if HTTP1ResponseHead.has(line, "connection:") {
            let value = HTTP1ResponseHead.value(line, after: 11)
            if value.equalsIgnoringASCIICase("close") { isReusable = false }
            if value.equalsIgnoringASCIICase("keep-alive") { isReusable = true }
        }
    }

    private mutating func readLength(_ text: String) {
        guard (1...15).contains(text.utf8.count),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(text)
        else {
            fault = "The length of the answer is no number"
            return
        }
        guard contentLength == nil || contentLength == length else {
            fault = "The answer has two lengths"
            return
        }
        contentLength = length
    }

    private static func has(_ line: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        let count = name.utf8CodeUnitCount
        guard line.count >= count else { return false }
        for index in 0..<count where line[index] | 0x20 != name.utf8Start[index] | 0x20 {
            return false
        }
        return true
    }

    private static func value(_ line: UnsafeRawBufferPointer, after count: Int) -> String {
        var value = line[count...]
        while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
        return String(decoding: value, as: UTF8.self)
    }
}
