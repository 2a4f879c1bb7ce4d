/// The balancing policy that sends requests to each endpoint in turn, to one that is said to carry
/// more accordingly often.
///
/// It knows nothing of load, latency or failures. Exclusions do not disturb it: an endpoint that a
/// retry passes by is due all the sooner, and over time each has its part.
public struct RoundRobin: Balancer {
    private let seed: UInt64
    private var members: [EndpointID: Double] = [:]
    private var scheduler = DeadlineScheduler()

    /// A policy without endpoints.
    ///
    /// Gateways with different seeds begin at different endpoints.
    public init(seed: UInt64) {
        self.seed = seed
    }

    /// What was said of each endpoint; 1 of the others.
    public var weights: [EndpointID: Double] { members }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { scheduler.slots.map(\.id).sorted() }

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        if members[id] == nil { members[id] = 1 }
    }

    /// Takes what an endpoint is said to carry.
    public mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration) {
        guard members[id] != nil, weight > 0, weight.isFinite else { return }
        members[id] = weight
        scheduler.setWeights { [members] id in members[id] ?? 1 }
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        members[id] = nil
        scheduler.leave(id)
    }

    /// Says whether an endpoint can serve.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        guard let weight = members[id] else { return }
        if isHealthy {
            scheduler.join(id, weight: weight, rank: id.hash(seed: seed))
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
