import MartletCore
import NIOCore

/// HTTP/1.1 as the gateway forwards it.
enum HTTP1Wire: ForwardingWire {
    typealias RequestHead = HTTP1ForwardedHead
    typealias ResponseHead = HTTP1AnswerHead
    typealias Trailers = ByteBuffer

    static func httpStatus(of head: HTTP1AnswerHead) -> Int { head.status }

    static func fields(behind trailers: ByteBuffer) -> HeaderFields? { nil }

    static func grpcStatus(head: HTTP1AnswerHead?, trailers: ByteBuffer?) -> StatusCode? { nil }

    static func isStream(_ head: HTTP1AnswerHead) -> Bool { head.isStream }

    static func takesMore(_ head: HTTP1AnswerHead) -> Bool {
        head.statedLength == nil && fields(of: head).first("content-encoding") == nil
    }
}

extension HTTP1Wire {
    static func fields(of head: HTTP1AnswerHead) -> HeaderFields {
        HeaderFields(
            head.fields.compactMap { field in
                let name = field.name.lowercased()
                return name == "date" ? nil : (name: name, value: field.value)
            })
    }
}

/// A request's head as upstreams get it; made once for requests that are all the same.
final class HTTP1ForwardedHead {
    /// The first line and the client's fields, but those of its connection and of the length.
    let bytes: [UInt8]
    let hasHost: Bool
    let isHead: Bool
    let asksForUpgrade: Bool
    let framing: HTTP1Framing
    /// Whether the request says of its length even that it is 0.
    let statesLength: Bool
    /// Whether upstreams are told how long the client still waits.
    let tellsTimeLeft: Bool

    /// Makes what an upstream gets of a client's head.
    ///
    /// - Parameters:
    ///   - head: the client's head.
    ///   - clientAddress: goes behind what `X-Forwarded-For` says already.
    ///   - changes: what the policy changes.
    init(_ head: HTTP1Head, clientAddress: String?, changes: ForwardingChanges? = nil) {
        var bytes = [UInt8]()
        bytes.reserveCapacity(head.bytes.count + 64)
        head.writeRequestLine(path: changes?.path ?? head.path, to: &bytes)
        head.bytes.withUnsafeBytes { own in
            HTTP1Hops.copyFields(
                own, from: head.fieldsStart, connection: head.connection,
                keepsUpgrade: head.asksForUpgrade, changes: changes?.request, to: &bytes)
        }
        if let clientAddress {
            bytes.append(contentsOf: "x-forwarded-for: \(clientAddress)\r\n".utf8)
        }
        if head.asksForUpgrade { bytes.append(contentsOf: "connection: upgrade\r\n".utf8) }
        self.bytes = bytes
        hasHost = head.hasHost && changes?.request.removed.contains("host") != true
        isHead = head.isHead
        asksForUpgrade = head.asksForUpgrade
        framing = changes?.contentLength.map { .length($0) } ?? head.framing
        tellsTimeLeft = changes?.request.removed.contains(RequestTimeout.name) != true
        statesLength = head.framing == .none && !["GET", "HEAD"].contains(head.method)
    }

    /// The head as bytes, for an upstream that is named so.
    ///
    /// - Parameters:
    ///   - buffer: takes it.
    ///   - host: the upstream's name.
    ///   - asksForLoad: whether the upstream is asked for a load report along with the answer.
    ///   - timeLeft: how long the client still waits; `nil` where it has not said so.
    func write(
        to buffer: inout ByteBuffer, host: String, asksForLoad: Bool = false,
        timeLeft: Duration? = nil
    ) {
        buffer.reserveCapacity(minimumWritableBytes: bytes.count + 96)
        buffer.writeBytes(bytes)
        // A request of HTTP/1.0 may lack what ours must have.
        if !hasHost { buffer.writeString("host: \(host)\r\n") }
        if let timeLeft, tellsTimeLeft {
            let text = RequestTimeout.text(timeLeft)
            buffer.writeString("\(RequestTimeout.name): \(text)\r\n")
        }
        if asksForLoad { buffer.writeStaticString("endpoint-load-metrics-format: TEXT\r\n") }
        switch framing {
        case .none: if statesLength { buffer.writeStaticString("content-length: 0\r\n") }
        case .length(let length):
            buffer.writeStaticString("content-length: ")
            buffer.writeString(String(length))
            buffer.writeStaticString("\r\n")
        case .chunked: buffer.writeStaticString("transfer-encoding: chunked\r\n")
        }
        buffer.writeStaticString("\r\n")
    }
}

extension HTTP1Head {
    /// The request's first line in HTTP/1.1, and in the form that servers know (RFC 9112, section
    /// 3.2.1).
    func writeRequestLine(path: String, to target: inout [UInt8]) {
        target.append(contentsOf: method.utf8)
        target.append(HTTP1Characters.space)
        target.append(contentsOf: path.utf8)
        if !query.isEmpty {
            target.append(UInt8(ascii: "?"))
            target.append(contentsOf: query.utf8)
        }
        target.append(contentsOf: " HTTP/1.1\r\n".utf8)
    }
}

extension ByteBuffer {
    /// Takes the load report out of the lines of trailers, if there is one.
    mutating func takeLoadReport() -> LoadReading? {
        var load = LoadReportFields()
        var others = ByteBuffer()
        var hasAny = false
        withUnsafeReadableBytes { bytes in
            var position = 0
            var start = 0
            while let field = HTTP1Head.field(bytes, at: &position) {
                let name = bytes.text(field.name).lowercased()
                if load.take(name, bytes.text(field.value)) {
                    hasAny = true
                } else {
                    others.writeBytes(bytes[start..<position])
                }
                start = position
            }
        }
        if hasAny { self = others }
        return load.reading
    }
}
