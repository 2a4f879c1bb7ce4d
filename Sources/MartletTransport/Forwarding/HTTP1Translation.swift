import NIOCore
import NIOHPACK

extension RequestHead {
    /// The same head by HTTP/1.1, read as strictly as if a client had sent it: what may stand in a
    /// field of HTTP/2 may begin another request in HTTP/1.1.
    ///
    /// - Parameter hasContent: whether anything follows it.
    /// - Returns: the head; `nil` where HTTP/1.1 cannot say it.
    func http1(hasContent: Bool) -> HTTP1Head? {
        guard malformation == nil, method != "CONNECT",
            path.utf8.first == UInt8(ascii: "/") || path == "*"
        else { return nil }
        var text = "\(method) \(path)\(hasQuery ? "?" + query : "") HTTP/1.1\r\n"
        if let authority { text += "host: \(authority)\r\n" }
        // One field of HTTP/1.1 stands for all of HTTP/2's (RFC 9113, section 8.2.3).
        var cookies: [String] = []
        for field in fields.fields {
            switch field.name {
            case "content-length": break
            case "host" where authority != nil: break
            case "cookie": cookies.append(field.value)
            default: text += "\(field.name): \(field.value)\r\n"
            }
        }
        if !cookies.isEmpty { text += "cookie: \(cookies.joined(separator: "; "))\r\n" }
        if hasContent {
            let length = contentLength.map { "content-length: \($0)" }
            text += (length ?? "transfer-encoding: chunked") + "\r\n"
        }
        var bytes = ByteBuffer(string: text + "\r\n")
        var limits = HTTP1Limits()
        // It was within the limits of the client's connection.
        limits.headerFields = fieldCount + 4
        limits.headerBytes = listBytes + 64
        var parser = HTTP1HeadParser<HTTP1Head>()
        guard let head = try? parser.next(from: &bytes, limits: limits), bytes.readableBytes == 0
        else { return nil }
        return head
    }
}

extension HTTP1AnswerHead {
    /// The same head by HTTP/2; `nil` where that cannot say it.
    var http2: AnswerHead? {
        var headers = HPACKHeaders([(":status", String(status))])
        for field in fields { headers.add(name: field.name.lowercased(), value: field.value) }
        if let statedLength { headers.add(name: "content-length", value: String(statedLength)) }
        let head = AnswerHead(headers)
        return head.malformation == nil ? head : nil
    }
}
