/// The balancing policy that sends each request to the one of two endpoints where it will cost
/// less: latency × (requests in flight + 1).
///
/// The latency is a moving average that rises at once to a longer latency, and falls slowly
/// (``PeakLatency``): an endpoint that turns slow is avoided from its first slow answer on, one
/// that hangs by the requests that pile up there. Two candidates are drawn at random, each as
/// likely as it is fast and its failures are few, so several gateways do not all run to the same
/// endpoint; where both cost the same, the first drawn is picked.
///
/// Source: `PeakEwma` of Twitter's Finagle, where it is used with two choices. Three things are
/// ours: failures count as requests in flight (``FailureDebt``); the draw is by speed, not even;
/// and an endpoint without any answer yet is taken to be as fast as the mean of the others, where
/// Finagle lets one request through at a time.
public struct PeakEWMA: Balancer {
    private var roster: EndpointRoster<PeakLatency>
    private let decayTime: Duration
    private var generator: SplitMix

    /// A policy without endpoints.
    public init(configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64) {
        roster = EndpointRoster(penalty: configuration.failurePenalty, blank: PeakLatency())
        decayTime = configuration.latencyDecayTime
        generator = SplitMix(seed: seed)
    }

    /// 1 for each endpoint.
    public var weights: [EndpointID: Double] {
        Dictionary(uniqueKeysWithValues: roster.members.map { ($0.id, 1) })
    }

    /// The endpoints that can be picked, in order of address.
    public var healthyEndpoints: [EndpointID] { roster.healthyEndpoints }

    /// Adds an endpoint, unhealthy until said otherwise.
    public mutating func add(_ id: EndpointID, now: Duration) {
        roster.add(id)
    }

    /// Forgets an endpoint.
    public mutating func remove(_ id: EndpointID) {
        roster.remove(id)
    }

    /// Says whether an endpoint can serve.
    public mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration) {
        roster.setHealthy(id, isHealthy)
    }

    /// An attempt begins at an endpoint.
    public mutating func didBegin(_ id: EndpointID, now: Duration) {
        roster.didBegin(id)
    }

    /// An attempt ended at an endpoint.
    public mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) {
        guard let place = roster.didEnd(id, result, now: now) else { return }
        if result.isWithoutAnswer {
            roster.notes[place].observeFailure(result.seconds, now: now)
        } else if result.wasAbandoned {
            roster.notes[place].observeAbandoned(result.seconds, now: now, decayTime: decayTime)
        } else {
            roster.notes[place].observe(result.seconds, now: now, decayTime: decayTime)
        }
    }

    /// Picks the one of two that costs less.
    ///
    /// Takes time linear in the endpoints.
    public mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID? {
        let candidates = roster.candidates(excluding: excluded)
        let mean = mean { roster.notes[$0].average }
        let choice = generator.betterOfTwo(candidates) { [roster] in
            1 / ((roster.notes[$0].average ?? mean) * (1 + roster.debt(at: $0, now: now)))
        } cost: { [self] in
            latency(at: $0, now: now) * (roster.load(at: $0, now: now) + 1)
        }
        return choice.map { roster.members[$0].id }
    }

    private func latency(at place: Int, now: Duration) -> Double {
        roster.notes[place].seconds(now: now, decayTime: decayTime)
            ?? mean { roster.notes[$0].seconds(now: now, decayTime: decayTime) }
    }

    /// The mean latency of the healthy endpoints that have answered; 1 if none has.
    private func mean(_ latency: (Int) -> Double?) -> Double {
        var sum = 0.0
        var count = 0.0
        for place in roster.healthy {
            guard let latency = latency(place) else { continue }
            sum += latency
            count += 1
        }
        return count > 0 ? sum / count : 1
    }
}
