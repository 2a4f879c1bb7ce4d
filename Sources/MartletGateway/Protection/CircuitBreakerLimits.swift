/// How much the gateway may have under way at endpoints, so that one that hangs holds up no more
/// than its part of the gateway.
///
/// Negative figures count as 0, which allows nothing; `Int.max` is no limit. Source: the limits of
/// Envoy's circuit breaking.
public struct CircuitBreakerLimits: Sendable, Equatable {
    /// Connections (default 1024).
    public let connections: Int
    /// Requests that wait for a connection (default 1024).
    public let pendingRequests: Int
    /// Requests sent and not yet answered (default 1024).
    public let requests: Int
    /// Retries among the pending requests and those sent (default 1024).
    ///
    /// Envoy's default of 3 would fail what a killed neighbour leaves to retry; ``RetryBudget``
    /// already keeps retries a small part.
    public let retries: Int

    /// The defaults, but for what is given.
    public init(
        connections: Int = 1024, pendingRequests: Int = 1024, requests: Int = 1024,
        retries: Int = 1024
    ) {
        self.connections = max(0, connections)
        self.pendingRequests = max(0, pendingRequests)
        self.requests = max(0, requests)
        self.retries = max(0, retries)
    }

    /// What there is a limit on; the raw values are labels of metrics.
    enum Resource: String, Sendable, Hashable, CaseIterable {
        case requests
        case retries
    }

    /// No limits.
    static let none = CircuitBreakerLimits(
        connections: .max, pendingRequests: .max, requests: .max, retries: .max)
}
