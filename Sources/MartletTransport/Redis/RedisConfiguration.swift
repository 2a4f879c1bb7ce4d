/// Where a Redis server is.
public struct RedisAddress: Sendable, Hashable, CustomStringConvertible {
    /// Name or address of the host.
    public let host: String

    /// The port.
    public let port: Int

    /// Creates an address.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// `host:port`.
    public var description: String { "\(host):\(port)" }
}

/// Who a client is to Redis servers; the password is left out wherever this is printed.
public struct RedisCredentials: Sendable, CustomStringConvertible, CustomReflectable {
    /// The user; nil for the default one.
    public let username: String?

    let password: String

    /// Creates credentials.
    public init(username: String? = nil, password: String) {
        self.username = username
        self.password = password
    }

    /// The user's name.
    public var description: String { "user '\(username ?? "default")'" }

    /// The user's name alone, for what prints values by their parts.
    public var customMirror: Mirror { Mirror(self, children: ["username": username as Any]) }
}

/// What a ``RedisClient`` speaks to, and how.
///
/// Figures below their least sensible value count as that value.
public struct RedisConfiguration: Sendable {
    /// The servers.
    ///
    /// Of a cluster some are enough, the others are found by them. Without a cluster the first that
    /// is well is used, in this order.
    public var addresses: [RedisAddress]

    /// Whether the servers are a Redis Cluster.
    public var isCluster = false

    /// Who the client is; nil where servers want no password.
    public var credentials: RedisCredentials?

    /// The database, which a cluster has only one of: 0.
    public var database = 0

    /// Whether RESP3 is asked for (`HELLO 3`, Redis 6 and newer) in place of RESP2.
    public var usesRESP3 = false

    /// How servers are known; nil to speak in the clear.
    public var tls: ClientTLS?

    /// Longest wait for a reply, with connecting and redirections (default 50 ms).
    public var commandTimeout = Duration.milliseconds(50)

    /// Longest wait for a connection that is ready for commands (default 500 ms).
    public var connectTimeout = Duration.milliseconds(500)

    /// Commands without a reply on one connection; more are refused (default 1024).
    public var commandsInFlightMax = 1024

    /// Bytes of those commands (default 16 MiB).
    public var bytesInFlightMax = 16 << 20

    /// Bytes of a reply; a connection with a larger one is closed (default 16 MiB).
    public var replyBytesMax = 16 << 20

    /// Redirections of one command (default 4).
    public var redirectionsMax = 4

    /// Failures in a row after which a server is left alone for a while (default 5).
    public var failuresMax = 5

    /// The first such while (default 100 ms); each further one is twice as long.
    ///
    /// A random part, up to a half, is taken off, so that clients do not come back all at once.
    public var restMin = Duration.milliseconds(100)

    /// The longest such while (default 5 s).
    public var restMax = Duration.seconds(5)

    /// How often a cluster is asked who owns what, when nothing else gives cause (default 30 s).
    public var topologyInterval = Duration.seconds(30)

    /// How often it is asked at most (default 100 ms).
    public var topologyIntervalMin = Duration.milliseconds(100)

    /// Servers of a cluster that are known at once (default 256).
    public var serversMax = 256

    /// Creates a configuration with the defaults.
    public init(addresses: [RedisAddress], isCluster: Bool = false) {
        self.addresses = addresses
        self.isCluster = isCluster
    }

    var replyLimits: RedisReplyLimits {
        var limits = RedisReplyLimits()
        limits.bytesMax = max(1 << 10, replyBytesMax)
        return limits
    }
}
