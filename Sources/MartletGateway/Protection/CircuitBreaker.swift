/// How much of an endpoint the gateway may use at once; the limits of ``CircuitBreaker``.
///
/// Negative figures count as 0, which allows nothing; `Int.max` is no limit.
public struct CircuitBreakerLimits: Sendable, Equatable {
    /// Connections (default 1024).
    public let connections: Int
    /// Requests that wait for a connection (default 1024).
    public let pendingRequests: Int
    /// Requests sent and not yet answered (default 1024).
    public let requests: Int
    /// Retries among the pending requests and those sent (default 256).
    ///
    /// Envoy's default of 3 would fail what a killed neighbour leaves to retry; ``RetryBudget``
    /// already keeps retries a small part.
    public let retries: Int

    /// The defaults, but for what is given.
    public init(
        connections: Int = 1024, pendingRequests: Int = 1024, requests: Int = 1024,
        retries: Int = 256
    ) {
        self.connections = max(0, connections)
        self.pendingRequests = max(0, pendingRequests)
        self.requests = max(0, requests)
        self.retries = max(0, retries)
    }

    /// The limit on a resource.
    func of(_ resource: CircuitBreaker.Resource) -> Int {
        switch resource {
        case .connections: connections
        case .pendingRequests: pendingRequests
        case .requests: requests
        case .retries: retries
        }
    }
}

/// Keeps what the gateway has going at one endpoint within limits, so that an endpoint that hangs
/// holds up no more than its part of the gateway.
///
/// It counts what is admitted and released, no more: whoever is refused goes to another endpoint or
/// fails at once. Source: the limits of Envoy's circuit breaking.
struct CircuitBreaker: Sendable {
    /// What there is a limit on; the raw values are labels of metrics and logs.
    enum Resource: String, Sendable, Hashable, CaseIterable {
        case connections
        case pendingRequests = "pending_requests"
        case requests
        case retries
    }

    /// Whether something was admitted.
    enum Admission: Sendable, Hashable {
        /// It counts until it is released.
        case admitted
        /// Nothing was counted: this resource is used up to its limit.
        case refused(Resource, limit: Int)
    }

    /// The limits; lower ones take effect as what goes beyond them is released.
    var limits: CircuitBreakerLimits
    private var used = Counts()
    private var refused = Counts()

    /// A breaker with nothing in use.
    init(limits: CircuitBreakerLimits = CircuitBreakerLimits()) {
        self.limits = limits
    }

    /// How much of a resource is in use.
    func inUse(_ resource: Resource) -> Int { used[resource] }

    /// How often a resource was the reason of a refusal.
    func refusals(_ resource: Resource) -> Int { refused[resource] }

    /// Whether a resource is used up.
    func isOpen(_ resource: Resource) -> Bool { used[resource] >= limits.of(resource) }

    /// Admits one connection or request; if it is a retry, as one of those as well.
    ///
    /// What is admitted is to be released once, with the same arguments.
    mutating func admit(_ resource: Resource, asRetry isRetry: Bool = false) -> Admission {
        if isOpen(resource) { return refuse(resource) }
        if isRetry, isOpen(.retries) { return refuse(.retries) }
        used[resource] += 1
        if isRetry { used[.retries] += 1 }
        return .admitted
    }

    /// A pending request has its connection and is to be sent; refused, it is still pending.
    ///
    /// A retry stays one, so nothing changes for those.
    mutating func sendPending() -> Admission {
        if isOpen(.requests) { return refuse(.requests) }
        lower(.pendingRequests)
        used[.requests] += 1
        return .admitted
    }

    /// What was admitted is over.
    mutating func release(_ resource: Resource, asRetry isRetry: Bool = false) {
        lower(resource)
        if isRetry { lower(.retries) }
    }

    /// A release too many must neither end the process nor let more in.
    private mutating func lower(_ resource: Resource) {
        used[resource] = max(0, used[resource] - 1)
    }

    private mutating func refuse(_ resource: Resource) -> Admission {
        refused[resource] &+= 1
        return .refused(resource, limit: limits.of(resource))
    }

    /// A number for each resource.
    private struct Counts: Sendable {
        private var connections = 0
        private var pendingRequests = 0
        private var requests = 0
        private var retries = 0

        subscript(resource: Resource) -> Int {
            get {
                switch resource {
                case .connections: connections
                case .pendingRequests: pendingRequests
                case .requests: requests
                case .retries: retries
                }
            }
            set {
                switch resource {
                case .connections: connections = newValue
                case .pendingRequests: pendingRequests = newValue
                case .requests: requests = newValue
                case .retries: retries = newValue
                }
            }
        }
    }
}
