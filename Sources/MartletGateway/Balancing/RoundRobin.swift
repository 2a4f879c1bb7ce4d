/// The balancing policy that sends requests to each endpoint in turn.
///
/// It knows nothing of load, latency or failures. Exclusions do not disturb it: an endpoint that a
/// retry passes by is due all the sooner, and over time each has the same number.
public struct RoundRobin: Balancer {
    private let seed: UInt64
    private var members: Set<EndpointID> = []
    private var scheduler = DeadlineScheduler()

    /// A policy without endpoints.
    ///
    /// Gateways with different seeds begin at different endpoints.
    public init(seed: UInt64) {
        self.seed = seed
    }

    /// 1 for each endpoint.
    public var weights: [EndpointID: Double] {
        Dictionary(uniqueKeysWithValues: members.map { ($0, 1) })
    }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { scheduler.slots.map(\.id).sorted() }

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        members.insert(id)
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        members.remove(id)
        scheduler.leave(id)
    }

    /// Says whether an endpoint can serve.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        guard members.contains(id) else { return }
        if isHealthy {
            scheduler.join(id, weight: 1, rank: id.hash(seed: seed))
        } else {
            scheduler.leave(id)
        }
    }

    /// Picks the endpoint whose turn it is.
    ///
    /// Takes time linear in the endpoints.
    public mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? {
        scheduler.next(excluding: excluded)
    }
}
