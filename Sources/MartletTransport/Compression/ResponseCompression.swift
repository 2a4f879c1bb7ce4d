extension HTTPResponse {
    /// Compresses the body if the client takes that and it is worth it.
    ///
    /// Texts are compressed, not tensors as bytes: those hardly get smaller. It takes time: never
    /// call it on an event loop.
    ///
    /// - Parameters:
    ///   - request: says what the client takes.
    ///   - bytesMin: smallest body that is compressed.
    public mutating func compress(for request: HTTPRequest, from bytesMin: Int) {
        guard body.count >= bytesMin, isText, headers.first("content-encoding") == nil else {
            return
        }
        // Caches on the way are told that others may get another body.
        headers.add("vary", "accept-encoding")
        guard AcceptedCodings(request.headers).takesGzip, let smaller = Gzip.compress(body) else {
            return
        }
        body = smaller
        headers.add("content-encoding", "gzip")
    }

    private var isText: Bool {
        guard let type = headers.first("content-type") else { return false }
        return type.hasPrefix("application/json") || type.hasPrefix("text/")
    }
}

/// What the field `accept-encoding` says (RFC 9110, section 12.5.3).
struct AcceptedCodings {
    /// Whether the client takes gzip.
    let takesGzip: Bool

    /// Reads the fields of a request; without one nothing is compressed.
    init(_ headers: HeaderFields) {
        var gzip: Bool?
        var any: Bool?
        for entry in (headers.first("accept-encoding") ?? "").lowercased().split(separator: ",") {
            let parts = entry.split(separator: ";").map { $0.trimmed }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { $0.dropFirst(2) }
            // A weight that is no number is taken for none, so that nothing is sent unasked.
            let isTaken = weight.map { (Double($0) ?? 0) > 0 } ?? true
            switch parts.first {
            case "gzip", "x-gzip": gzip = isTaken
            case "*": any = isTaken
            default: break
            }
        }
        takesGzip = gzip ?? any ?? false
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var trimmed = self
        while trimmed.first == " " || trimmed.first == "\t" { trimmed.removeFirst() }
        while trimmed.last == " " || trimmed.last == "\t" { trimmed.removeLast() }
        return trimmed
    }
}
