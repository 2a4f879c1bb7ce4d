import NIOCore

@testable import MartletTransport

/// What holds for any bytes that a client sends to the server's side of HTTP/1.1.
enum HTTP1RequestProperties {
    static func check(_ bytes: [UInt8]) throws(BrokenProperty) {
        for limits in [HTTP1Limits(), .tight] { try check(bytes, limits: limits) }
        try HTTP1AnyApplication.check(bytes)
    }

    /// However the bytes are cut, they are read as the same requests: those which are there.
    private static func check(_ bytes: [UInt8], limits: HTTP1Limits) throws(BrokenProperty) {
        let whole = try read([bytes[...]], limits: limits)
        for pieces in Cuts.some(of: bytes) {
            let cut = try read(pieces, limits: limits)
            try BrokenProperty.unless(
                cut == whole, "In pieces the requests are \(cut), as a whole \(whole)")
        }
        var plain = PlainReader(bytes)
        for request in whole.requests {
            try checkPlain(request, &plain)
            try checkForwarded(request.head)
        }
        if whole.isBetweenRequests, plain.rest.isEmpty {
            try checkAgain(bytes, as: whole)
        }
    }

    static func read(
        _ pieces: [ArraySlice<UInt8>], limits: HTTP1Limits = HTTP1Limits()
    ) throws(BrokenProperty) -> HTTP1RequestReading {
        var reading = HTTP1RequestReading(limits: limits)
        for piece in pieces { try reading.receive(ByteBuffer(bytes: piece)) }
        return reading
    }

    /// The next requests on the connection are read without a memory of the first.
    private static func checkAgain(
        _ bytes: [UInt8], as first: HTTP1RequestReading
    ) throws(BrokenProperty) {
        var reading = first
        try reading.receive(ByteBuffer(bytes: bytes))
        try BrokenProperty.unless(
            reading.requests == first.requests + first.requests && reading.fault == nil,
            "A second time the requests are \(reading), the first time \(first)")
    }

    // MARK: The request that is there

    private static func checkPlain(
        _ request: HTTP1ToldRequest, _ plain: inout PlainReader
    ) throws(BrokenProperty) {
        guard let (bytes, head) = try plain.nextHead(), bytes == request.head.bytes else {
            throw BrokenProperty("The head that was told is not that which is there")
        }
        try check(request.head, is: head)
        let framing = try head.framing(isHTTP10: request.head.isHTTP10) ?? .none
        try BrokenProperty.unless(
            framing == request.head.framing, "\(framing) is read as \(request.head.framing)")
        let content =
            switch framing {
            case .none: PlainContent(isComplete: true)
            case .length(let length): plain.content(length: length)
            case .chunked: plain.chunks()
            }
        try content.check(told: request.content, of: "\(request.head.method) \(request.head.path)")
    }

    private static func check(_ head: HTTP1Head, is plain: PlainHead) throws(BrokenProperty) {
        let line = plain.firstLine.split(separator: " ", omittingEmptySubsequences: false)
        try BrokenProperty.unless(
            line.count == 3 && head.method == line[0] && !line[0].isEmpty
                && line[2].hasPrefix("HTTP/1.") && line[2].utf8.count == 8
                && head.isHTTP10 == (line[2] == "HTTP/1.0"),
            "'\(plain.firstLine)' was accepted as \(head.method)")
        let target = try PlainTarget(line[1], method: line[0])
        try BrokenProperty.unless(
            target.path == head.path && target.query == head.query,
            "\(line[1]) is read as \(head.path) and \(head.query)")
        let isSame = plain.fields.elementsEqual(head.fields) { plain, told in
            plain.name == told.name.lowercased() && plain.value == told.value
        }
        try BrokenProperty.unless(isSame, "\(plain.fields) is read as \(head.fields)")
        try checkHost(plain, authority: target.authority, isHTTP10: head.isHTTP10)
    }

    /// RFC 9112, section 3.2.
    private static func checkHost(
        _ head: PlainHead, authority: String?, isHTTP10: Bool
    ) throws(BrokenProperty) {
        let hosts = head.values("host")
        try BrokenProperty.unless(
            hosts.count == 1 || hosts.isEmpty && isHTTP10, "The hosts \(hosts) were accepted")
        guard let host = hosts.first else { return }
        try BrokenProperty.unless(
            host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"/?#@\\\"<>".utf8.contains($0) },
            "The host '\(host)' was accepted")
        try BrokenProperty.unless(
            authority == nil || authority?.lowercased() == host.lowercased(),
            "The hosts '\(host)' and '\(authority ?? "")' of one request were accepted")
    }

    // MARK: What becomes of it

    /// The head that an upstream gets means the same to it, and is passed on the same by it.
    private static func checkForwarded(_ head: HTTP1Head) throws(BrokenProperty) {
        let forwarded = HTTP1ForwardedHead(head, clientAddress: nil)
        var bytes = ByteBuffer()
        forwarded.write(to: &bytes, host: "upstream:1")
        let sent = bytes
        var parser = HTTP1HeadParser<HTTP1Head>()
        let read: HTTP1Head?
        do throws(HTTP1Fault) {
            read = try parser.next(from: &bytes, limits: HTTP1Limits())
        } catch {
            throw BrokenProperty("An upstream refuses '\(String(buffer: sent))': \(error.text)")
        }
        guard let read, bytes.readableBytes == 0 else {
            throw BrokenProperty("'\(String(buffer: sent))' is no head")
        }
        try BrokenProperty.unless(
            read.method == head.method && read.path == head.path && read.query == head.query
                && read.framing == head.framing && read.asksForUpgrade == head.asksForUpgrade
                && !read.isHTTP10 && read.isKeepAlive && !read.expectsContinue
                && (!head.hasHost || read.first("host") == head.first("host")),
            "\(String(decoding: head.bytes, as: UTF8.self)) is sent as \(String(buffer: sent))")
        let again = HTTP1ForwardedHead(read, clientAddress: nil)
        try BrokenProperty.unless(
            again.bytes.starts(with: forwarded.bytes), "The second hop changes the head")
    }
}

/// A request's target, taken apart a second time.
private struct PlainTarget {
    let authority: String?
    let path: String
    let query: String

    init(_ target: Substring, method: Substring) throws(BrokenProperty) {
        var rest = target
        var authority: String?
        let isPath = target.hasPrefix("/") || target == "*"
        if !isPath {
            let schemes = ["http://", "https://"]
            guard let scheme = schemes.first(where: { target.lowercased().hasPrefix($0) }) else {
                throw BrokenProperty("The target \(target) was accepted")
            }
            rest = target.dropFirst(scheme.count)
            let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
            authority = String(rest[..<end])
            rest = rest[end...]
        }
        self.authority = authority
        let mark = rest.firstIndex(of: "?") ?? rest.endIndex
        let isServer = method == "OPTIONS" && rest.isEmpty
        path = isServer ? "*" : mark == rest.startIndex ? "/" : String(rest[..<mark])
        query = String(rest[mark...].dropFirst())
    }
}
