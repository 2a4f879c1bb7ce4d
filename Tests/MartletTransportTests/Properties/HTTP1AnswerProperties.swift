import NIOCore

@testable import MartletTransport

/// What holds for any bytes that an upstream sends in answer to a request of the gateway's.
enum HTTP1AnswerProperties {
    static func check(_ bytes: [UInt8]) throws(BrokenProperty) {
        for asker in HTTP1Asker.allCases {
            for limits in [HTTP1Limits(), .tight] {
                try check(bytes, for: asker, limits: limits)
            }
        }
    }

    /// However the bytes are cut, they are read as one and the same answer: that which is there.
    private static func check(
        _ bytes: [UInt8], for asker: HTTP1Asker, limits: HTTP1Limits
    ) throws(BrokenProperty) {
        let whole = try read([bytes[...]], for: asker, limits: limits)
        for pieces in Cuts.some(of: bytes) {
            let cut = try read(pieces, for: asker, limits: limits)
            try BrokenProperty.unless(
                cut == whole, "In pieces the answer is \(cut), as a whole \(whole)")
        }
        guard let head = whole.head else { return }
        let rest = try checkPlain(whole, head, for: asker, in: bytes)
        if whole.isReusable {
            try BrokenProperty.unless(rest.isEmpty, "\(rest.count) bytes are nobody's")
            try checkAgain(bytes, as: whole, for: asker, limits: limits)
        }
        try checkRelayed(whole, head, to: asker)
    }

    static func read(
        _ pieces: [ArraySlice<UInt8>], for asker: HTTP1Asker, limits: HTTP1Limits = HTTP1Limits()
    ) throws(BrokenProperty) -> HTTP1AnswerReading {
        var reading = HTTP1AnswerReading(for: asker, limits: limits)
        for piece in pieces { try reading.receive(ByteBuffer(bytes: piece)) }
        try reading.end()
        return reading
    }

    // MARK: The answer that is there

    /// Reads the answer a second time; returns what is behind it.
    private static func checkPlain(
        _ told: HTTP1AnswerReading, _ head: HTTP1AnswerHead, for asker: HTTP1Asker,
        in bytes: [UInt8]
    ) throws(BrokenProperty) -> ArraySlice<UInt8> {
        var plain = PlainReader(bytes)
        // Interim answers are not told of (RFC 9110, section 15.2).
        var found = try plain.nextHead()
        while let interim = found, interim.head.firstLine.dropFirst(9).first == "1",
            head.status != 101 || interim.bytes != head.bytes
        {
            found = try plain.nextHead()
        }
        guard let found, found.bytes == head.bytes else {
            throw BrokenProperty("The head that was told is not that which is there")
        }
        try checkFirstLine(found.head.firstLine, status: head.status)
        let content = try plainContent(&plain, found.head, head.status, for: asker)
        try content.check(told: told.content, of: "The answer")
        return plain.rest
    }

    private static func checkFirstLine(_ line: String, status: Int) throws(BrokenProperty) {
        let parts = line.utf8.split(separator: 0x20, maxSplits: 2, omittingEmptySubsequences: false)
        let isRight =
            parts.count >= 2 && parts[0].count == 8 && line.hasPrefix("HTTP/1.")
            && parts[1].elementsEqual("\(status)".utf8) && (100...999).contains(status)
        try BrokenProperty.unless(isRight, "'\(line)' was accepted as \(status)")
    }

    /// RFC 9112, section 6.3, in its order.
    private static func plainContent(
        _ plain: inout PlainReader, _ head: PlainHead, _ status: Int, for asker: HTTP1Asker
    ) throws(BrokenProperty) -> PlainContent {
        let isHTTP10 = head.firstLine.hasPrefix("HTTP/1.0")
        let framing = try head.framing(isHTTP10: isHTTP10)
        if status == 101 { return plain.content() }
        if asker.isToHead || status == 204 || status == 304 {
            return PlainContent(isComplete: true)
        }
        return switch framing {
        case .some(.none): PlainContent(isComplete: true)
        case .length(let length): plain.content(length: length)
        case .chunked: plain.chunks()
        case nil: plain.content()
        }
    }

    // MARK: What becomes of it

    /// The next answer on the connection is read without a memory of the first.
    private static func checkAgain(
        _ bytes: [UInt8], as first: HTTP1AnswerReading, for asker: HTTP1Asker, limits: HTTP1Limits
    ) throws(BrokenProperty) {
        var reading = first
        reading.expectAnother(for: asker)
        try reading.receive(ByteBuffer(bytes: bytes))
        try BrokenProperty.unless(
            reading == first, "A second time the answer is \(reading), the first time \(first)")
    }

    /// What the gateway makes of the answer means the same to its client.
    private static func checkRelayed(
        _ answer: HTTP1AnswerReading, _ head: HTTP1AnswerHead, to asker: HTTP1Asker
    ) throws(BrokenProperty) {
        // The client is cut off in the middle, as the gateway was.
        guard answer.content.isComplete else { return }
        var relay = HTTP1Connection(limits: HTTP1Limits())
        relay.receive(ByteBuffer(string: asker.request))
        guard case .head = relay.next() else { throw BrokenProperty("The asker asks for nothing") }
        relay.begin(head)
        var reading = HTTP1AnswerReading(for: asker)
        for part in relay.send(ByteBuffer(bytes: answer.content.bytes)) {
            try reading.receive(part)
        }
        let trailers = answer.content.trailers
        relay.endAnswer(trailers: trailers.isEmpty ? nil : ByteBuffer(bytes: trailers))
        if let output = relay.takeOutput() { try reading.receive(output) }
        if relay.isClosing { try reading.end() }
        try BrokenProperty.unless(
            reading.head?.forwarded == head.forwarded && reading.content == answer.content,
            "The client reads \(reading), the upstream sent \(answer)")
        try BrokenProperty.unless(
            reading.isReusable != relay.isClosing, "The sides disagree whether the connection ends")
        // RFC 9110, section 8.6.
        try BrokenProperty.unless(
            head.status != 204 || reading.head?.statedLength == nil, "A 204 states a length")
    }
}

extension HTTP1Limits {
    /// Bounds that short messages reach.
    static var tight: HTTP1Limits {
        var limits = HTTP1Limits()
        limits.headerFields = 6
        limits.headerBytes = 96
        limits.emptyLines = 1
        limits.chunkLineBytes = 12
        limits.chunkExtensionBytes = 16
        limits.unreadBytes = 64
        limits.keptHeadBytes = 64
        return limits
    }
}
