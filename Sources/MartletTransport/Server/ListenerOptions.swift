/// How a listener takes and speaks with connections.
public struct ListenerOptions: Sendable {
    /// What connections may speak; a client that begins with anything else is told so.
    public enum Protocols: Sendable, Hashable {
        /// HTTP/1.1 and HTTP/2, gRPC included; told apart by ALPN or a connection's first bytes.
        case any
        /// HTTP/1.1 alone, as TensorFlow Serving's REST port.
        case http1
        /// gRPC alone, as TensorFlow Serving's gRPC port.
        case grpc
    }

    /// What connections may speak.
    public var protocols = Protocols.any

    /// Certificates and keys; `nil` serves in the clear.
    ///
    /// Files are looked at again while the listener is open: new connections get what they hold.
    public var tls: ServerTLS?

    /// Says anew what ``tls`` is, for certificates and keys that lie within some other file.
    public var readTLS: (@Sendable () throws -> ServerTLS)?

    /// Whether a port may be bound again while connections of its last owner still fade away
    /// (`SO_REUSEADDR`).
    public var reusesAddress = true

    /// Whether several processes may bind the same port and share its connections
    /// (`SO_REUSEPORT`).
    public var sharesPort = false

    /// Whether each event loop has a socket of its own for the port, among which the kernel deals
    /// out connections, in place of one that deals them to all in turn (`SO_REUSEPORT`).
    ///
    /// Another process of the same user can bind the port then, too.
    public var acceptsOnEveryLoop = false

    /// Whether the path of a Unix domain socket is taken from a server that still listens there.
    public var takesSocketOver = false

    /// When HTTP/2 connections end.
    public var lifetime = ConnectionLifetime()

    /// How long a connection on which nothing happens is kept; nil for what the limits say.
    public var idleTimeout: Duration?

    /// The defaults: every protocol, in the clear.
    public init() {}
}
