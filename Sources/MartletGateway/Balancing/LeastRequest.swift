/// The balancing policy that sends each request to the less loaded of two endpoints.
///
/// Two endpoints are drawn at random, each as likely as its weight is large and its failures are
/// few; the one with fewer requests in flight for its weight is picked, the first drawn where that
/// is equal. Requests in flight are those this gateway has begun and not ended, and those that
/// failures count as (``FailureDebt``). Weights follow load reports where there are any
/// (``ReportedWeights``), so an endpoint of twice the capacity gets twice the requests at equal
/// fill; without reports all are equal.
///
/// Two random choices are nearly as even as the choice among all, and several gateways do not all
/// run to the same endpoint. Sources: M. Mitzenmacher, "The power of two choices in randomized load
/// balancing", 2001; the least request balancer of Envoy.
public struct LeastRequest: Balancer {
    /// Each endpoint's note is its weight as of the last update.
    private var roster: EndpointRoster<Double>
    private var reported: ReportedWeights
    private var generator: SplitMix

    /// A policy without endpoints.
    public init(configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64) {
        roster = EndpointRoster(penalty: configuration.failurePenalty, blank: 1)
        reported = ReportedWeights(configuration: configuration)
        generator = SplitMix(seed: seed)
    }

    /// The weight of each endpoint, healthy or not, as of the last update.
    public var weights: [EndpointID: Double] { reported.weights }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { roster.healthyEndpoints }

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        guard roster.add(id) else { return }
        reported.add(id)
        updateWeights(now: now)
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        roster.remove(id)
        reported.remove(id)
    }

    /// Says whether an endpoint can serve.
    ///
    /// One that becomes healthy starts slowly.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        roster.setHealthy(id, isHealthy)
        guard reported.setHealthy(id, isHealthy, now: now) else { return }
        updateWeights(now: now)
    }

    /// Takes an endpoint out of use, or back with the weight that it had.
    public mutating func setEjected(_ id: EndpointID, _ isEjected: Bool, now: Duration) {
        roster.setHealthy(id, !isEjected)
        guard reported.setHealthy(id, !isEjected, byEjection: true, now: now) else { return }
        updateWeights(now: now)
    }

    /// Takes what an endpoint is said to carry, for as long as it reports nothing.
    public mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration) {
        reported.setStatedWeight(id, weight)
        updateWeights(now: now)
    }

    /// Takes a load report, to be used from the next update on.
    public mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration) {
        reported.report(id, sample, now: now)
    }

    /// An attempt begins at an endpoint.
    public mutating func didBegin(_ id: EndpointID, now: Duration) {
        roster.didBegin(id)
    }

    /// An attempt ended at an endpoint.
    public mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) {
        roster.didEnd(id, result, now: now)
    }

    /// Picks the less loaded of two.
    ///
    /// Updates the weights first where that is due. Takes time linear in the endpoints.
    public mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? {
        if reported.isDue(now: now) { updateWeights(now: now) }
        let candidates = roster.candidates(excluding: excluded)
        let choice = roster.lessLoadedOfTwo(candidates, now: now, using: &generator) { $0 }
        return choice.map { roster.members[$0].id }
    }

    /// Computes all weights anew, whether or not that is due.
    public mutating func updateWeights(now: Duration) {
        reported.update(now: now)
        for place in roster.members.indices {
            roster.notes[place] = reported.weight(of: roster.members[place].id)
        }
    }
}
