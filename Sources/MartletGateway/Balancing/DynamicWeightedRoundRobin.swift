/// The balancing policy that sends each endpoint what it can carry.
///
/// Weights follow load reports once per update period, by the rules of ``ReportedWeights``; the
/// order of picks is ``DeadlineScheduler``'s.
///
/// An endpoint begins unhealthy, and is picked only once ``setHealthy(_:_:now:)`` has said so.
/// Events about endpoints it does not know are ignored: a report may arrive after the removal.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls. Equal calls
/// with an equal seed give equal picks.
public struct DynamicWeightedRoundRobin: Balancer {
    private let seed: UInt64
    private var reported: ReportedWeights
    private var scheduler = DeadlineScheduler()

    /// A policy without endpoints.
    ///
    /// Gateways with different seeds begin at different endpoints, so that they do not march in
    /// step.
    public init(configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64) {
        self.reported = ReportedWeights(configuration: configuration)
        self.seed = seed
    }

    /// The knobs this policy was made with.
    public var configuration: BalancingConfiguration { reported.configuration }

    /// The weight of each endpoint, healthy or not, as of the last update.
    public var weights: [EndpointID: Double] { reported.weights }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { scheduler.slots.map(\.id).sorted() }

    /// Adds an endpoint, unhealthy until said otherwise.
    ///
    /// A known one stays as it is.
    public mutating func add(_ id: EndpointID, now: Duration) {
        guard reported.add(id) else { return }
        updateWeights(now: now)
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        guard reported.remove(id) else { return }
        scheduler.leave(id)
    }

    /// Says whether an endpoint can serve.
    ///
    /// One that becomes healthy starts slowly, and its reports are believed only after the blackout
    /// period.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        use(id, isHealthy, byEjection: false, now: now)
    }

    /// Takes an endpoint out of use, or back with the weight that it had.
    public mutating func setEjected(_ id: EndpointID, _ isEjected: Bool, now: Duration) {
        use(id, !isEjected, byEjection: true, now: now)
    }

    private mutating func use(
        _ id: EndpointID, _ isUsed: Bool, byEjection: Bool, now: Duration
    ) {
        guard reported.setHealthy(id, isUsed, byEjection: byEjection, now: now) else { return }
        if isUsed {
            scheduler.join(id, weight: reported.weight(of: id), rank: id.hash(seed: seed))
        } else {
            scheduler.leave(id)
        }
        updateWeights(now: now)
    }

    /// Takes what an endpoint is said to carry, for as long as it reports nothing.
    public mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration) {
        reported.setStatedWeight(id, weight)
        updateWeights(now: now)
    }

    /// Takes a load report, to be used from the next update on.
    ///
    /// A sample that says nothing is ignored, so that the report of a then idle endpoint expires
    /// and does not linger.
    public mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration) {
        reported.report(id, sample, now: now)
    }

    /// Picks the endpoint of one request; nil if every healthy endpoint is excluded or none is
    /// healthy.
    ///
    /// Updates the weights first where that is due. Takes time linear in the endpoints.
    public mutating func pick(
        for request: PickRequest,
        excluding excluded: Set<EndpointID>,
        now: Duration
    ) -> EndpointID? {
        if reported.isDue(now: now) { updateWeights(now: now) }
        return scheduler.next(excluding: excluded)
    }

    /// Computes all weights anew, whether or not that is due.
    public mutating func updateWeights(now: Duration) {
        reported.update(now: now)
        scheduler.setWeights { [reported] id in reported.weight(of: id) }
    }

    /// The picks earned and not yet given, by healthy endpoint; a test holds them to their bounds.
    var credits: [EndpointID: Double] {
        Dictionary(uniqueKeysWithValues: scheduler.slots.map { ($0.id, $0.credit) })
    }
}
