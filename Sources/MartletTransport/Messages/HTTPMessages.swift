internal import MartletCore

/// A whole HTTP request, whichever version of HTTP it came by.
public struct HTTPRequest: Sendable {
    /// The method, such as `POST`; `GET` for a `HEAD`, whose answer the transport strips of its
    /// body.
    public let method: String

    /// Whether the method was `HEAD`.
    public let isHead: Bool

    /// The path without the query, still percent-encoded.
    public let path: String

    /// What stands behind the first `?`, still percent-encoded; empty without one.
    public let query: String

    /// The host and port that HTTP/2 says outside of the header fields; nil where it says none, and
    /// for HTTP/1.
    public let authority: String?

    /// The header fields.
    public let headers: HeaderFields

    /// The body.
    public let body: [UInt8]

    /// What surrounds the request.
    public let context: RequestContext

    /// Creates a request; a `HEAD` becomes the `GET` it is answered like.
    public init(
        method: String, path: String, query: String = "", authority: String? = nil,
        headers: HeaderFields = [:], body: [UInt8] = [], context: RequestContext
    ) {
        self.authority = authority
        isHead = method == "HEAD"
        self.method = isHead ? "GET" : method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.context = context
    }
}

/// The target of a request line, taken apart at its first `?`.
struct RequestTarget {
    let path: String
    let query: String

    init(_ target: String) {
        if let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) {
            path = String(target[..<mark])
            query = String(target[target.utf8.index(after: mark)...])
        } else {
            path = target
            query = ""
        }
    }
}

/// A whole HTTP response.
public struct HTTPResponse: Sendable {
    /// The status code.
    public var status: Int

    /// The header fields but `content-length`, which the transport adds.
    public var headers: HeaderFields

    /// The body.
    public var body: [UInt8]

    /// The fields behind the body, which only kept answers to gRPC calls have; `nil` for none.
    public var trailers: HeaderFields?

    /// Content that comes in pieces, in place of ``body``; `nil` for an answer that is whole.
    public var stream: ContentStream?

    /// Creates a response whose content comes in pieces.
    public init(status: Int = 200, contentType: String, stream: ContentStream) {
        self.init(status: status, contentType: contentType, body: [])
        self.stream = stream
    }

    /// Creates a response.
    public init(
        status: Int, headers: HeaderFields = [:], body: [UInt8] = [], trailers: HeaderFields? = nil
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.trailers = trailers
    }

    /// What a client gets when nobody answered its request.
    static let noAnswer = HTTPResponse(
        status: 500, contentType: "application/json", body: errorBody("No answer was given"))

    /// What a client gets when its time is up, in TensorFlow Serving's words.
    static let timedOut = HTTPResponse(
        status: StatusCode.deadlineExceeded.httpStatus, contentType: "application/json",
        body: errorBody("Timed out waiting for notification"))

    /// The same with changes of its header fields.
    func changed(by changes: FieldChanges) -> HTTPResponse {
        guard !changes.isEmpty else { return self }
        var changed = self
        let kept = headers.fields.filter { !changes.removed.contains($0.name.lowercased()) }
        changed.headers = HeaderFields(
            kept + changes.added.map { (name: $0.name, value: $0.value) })
        return changed
    }

    /// Creates a response with a body of a media type.
    public init(status: Int, contentType: String, body: [UInt8]) {
        self.init(status: status, headers: ["content-type": contentType], body: body)
    }
}
