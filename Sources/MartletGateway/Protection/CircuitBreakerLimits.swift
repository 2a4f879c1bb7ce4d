/// How many requests the gateway may have under way at endpoints, so that one that hangs holds up
/// no more than its part of the gateway.
///
/// Connections are bounded where they are made. Negative figures count as 0, which allows nothing;
/// `Int.max` is no limit. Source: the limits of Envoy's circuit breaking.
public struct CircuitBreakerLimits: Sendable, Equatable {
    /// Requests sent and not yet answered (default 1024).
    public let requests: Int
    /// Retries among them (default 1024).
    ///
    /// Envoy's default of 3 would fail what a killed neighbour leaves to retry; ``RetryBudget``
    /// already keeps retries a small part.
    public let retries: Int

    /// The defaults, but for what is given.
    public init(requests: Int = 1024, retries: Int = 1024) {
        self.requests = max(0, requests)
        self.retries = max(0, retries)
    }

    /// What there is a limit on; the raw values are labels of metrics.
    enum Resource: String, Sendable, Hashable, CaseIterable {
        case requests
        case retries
    }

    /// No limits.
    static let none = CircuitBreakerLimits(requests: .max, retries: .max)
}
