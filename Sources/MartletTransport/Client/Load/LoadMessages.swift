/// A request that is sent many times, put into bytes once.
public struct LoadRequest: Sendable {
    /// The method; gRPC knows only `POST`.
    public var method: String

    /// Path and query.
    public var path: String

    /// Header fields beside those that the connection adds.
    public var headers: HeaderFields

    /// The body, or the gRPC message without its frame.
    public var body: [UInt8]

    /// Creates a request.
    public init(
        method: String = "POST", path: String, headers: HeaderFields = [:], body: [UInt8] = []
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
    }
}

/// How a load generator speaks.
public enum LoadWire: Sendable, Hashable {
    /// HTTP/1.1, one request at a time on each connection.
    case http1
    /// Unary gRPC calls over HTTP/2.
    case grpc
}

/// Whom a load generator asks, and how.
public struct LoadTarget: Sendable {
    /// Name or address of the server.
    public var host: String

    /// Its port.
    public var port: Int

    /// The protocol.
    public var wire: LoadWire

    /// How the server is known; `nil` to speak in the clear.
    public var tls: ClientTLS?

    /// Certificates and keys that were read before, in place of ``tls``.
    var encryption: UpstreamEncryption?

    /// What is sent; lanes name a request by its place here.
    public var requests: [LoadRequest]

    /// Connections of all lanes together; each lane has one at least.
    public var connections = 1

    /// Most calls in flight on one connection, for gRPC.
    public var callsPerConnection = 1 << 16

    /// Longest wait for a connection, and for the answer to a request once it was sent.
    public var timeout: Duration = .seconds(10)

    /// Whether the content of good answers is told too, as it comes; that of others always is.
    public var keepsAnswers = false

    /// Creates a target.
    public init(
        host: String, port: Int, wire: LoadWire, tls: ClientTLS? = nil, requests: [LoadRequest]
    ) {
        self.host = host
        self.port = port
        self.wire = wire
        self.tls = tls
        self.requests = requests
    }

    /// Whether nothing is said in the clear.
    var isEncrypted: Bool { tls != nil || encryption != nil }

    /// The target as `Host` and `:authority` name it.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// What became of a request.
public enum LoadOutcome: Sendable, Equatable {
    /// It was answered, and well.
    case success
    /// The server refused it: an HTTP status or a gRPC status, and words where there were some.
    case refused(code: Int, text: String)
    /// There is no answer, or none that makes sense.
    case failed(LoadFailure)
}

/// Why a request has no answer.
public enum LoadFailure: Sendable, Hashable {
    /// No connection could be made.
    case notConnected(String)
    /// The connection ended before the answer.
    case closed
    /// The answer did not come in time.
    case timedOut
    /// The server said that it had not begun.
    case notBegun
    /// The server ended this request, by an HTTP/2 code.
    case reset(UInt32)
    /// What came is no answer.
    case malformed(String)
}
