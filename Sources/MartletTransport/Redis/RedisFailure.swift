/// Why a command has no reply.
///
/// Redis only makes things faster: whoever asks goes on as if nothing had been found. After
/// `timedOut`, `connectionLost`, `protocolBroken` and `shutDown` the command may have run all the
/// same.
public struct RedisFailure: Error, Sendable, CustomStringConvertible {
    /// What kind of failure this is; the raw values are labels of metrics and logs.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// No reply came in time.
        case timedOut = "timed_out"
        /// No connection came about, or it ended before the reply.
        case connectionLost = "connection_lost"
        /// The server failed lately, so that nothing is asked of it for a short while.
        case circuitOpen = "circuit_open"
        /// Too much is under way at the server.
        case overloaded
        /// The server says that it cannot serve now: it is loading, or its cluster is down.
        case unavailable
        /// The server says no to this command: a wrong type, no permission, no memory.
        case refused
        /// The cluster sent the command from server to server too often.
        case redirectedTooOften = "redirected_too_often"
        /// The server sent what is no reply.
        case protocolBroken = "protocol_broken"
        /// The command cannot be sent at all.
        case invalidCommand = "invalid_command"
        /// The client is shut down.
        case shutDown = "shut_down"
    }

    /// What kind of failure this is.
    public let code: Code

    /// A sentence for logs; may hold what the server said, never a password.
    public let message: String

    /// Creates a failure.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    init(_ code: Code, _ server: RedisAddress, said error: String) {
        self.init(code, "Redis at \(server) said: \(error.prefix(RedisFailure.charactersMax))")
    }

    /// Of what a server said.
    private static let charactersMax = 200

    /// The code's label and the message.
    public var description: String { "\(code.rawValue): \(message)" }
}
