import MartletCore

/// Chooses the endpoint of each request: a balancing policy.
///
/// A value that takes events and answers with picks; it holds no clock, socket or lock. `now` is
/// the time since an origin of the caller's choice, the same in all calls; where it runs backwards
/// it is taken to stand still. Equal calls with an equal seed give equal picks.
///
/// Every balancer keeps these promises:
///
/// 1. An endpoint begins unhealthy, and is picked only once ``setHealthy(_:_:now:)`` has said so.
/// 2. A pick is healthy and not excluded. It is nil only if there is no such endpoint.
/// 3. Events about endpoints it does not know change no pick: an answer may arrive after the
///    removal.
/// 4. Figures from outside may be anything. None makes it trap, or makes a weight that is not
///    finite and above zero.
public protocol Balancer: Sendable {
    /// The weight of each endpoint, healthy or not: its share of requests relative to the others'
    /// where the algorithm goes by weights, else 1.
    var weights: [EndpointID: Double] { get }

    /// The endpoints that can be picked, in order of address.
    var healthyEndpoints: [EndpointID] { get }

    /// What was guessed of the prompts that were sent to endpoints; nil where they are not looked at.
    var prefixBlocks: PrefixBlocks? { get }

    /// Adds an endpoint, unhealthy until said otherwise.
    ///
    /// A known one stays as it is.
    mutating func add(_ id: EndpointID, now: Duration)

    /// Forgets an endpoint.
    mutating func remove(_ id: EndpointID)

    /// Takes what the operator says an endpoint can carry relative to the others, above zero; 1
    /// unless said.
    mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration)

    /// Says whether an endpoint can serve.
    mutating func setHealthy(_ id: EndpointID, _ isHealthy: Bool, now: Duration)

    /// Takes an endpoint that can serve out of use for how it answered, or back.
    mutating func setEjected(_ id: EndpointID, _ isEjected: Bool, now: Duration)

    /// Takes what an endpoint says about its own load.
    mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration)

    /// Takes how many tokens of prompts an endpoint can keep computed: its KV cells.
    mutating func setCacheTokens(_ id: EndpointID, _ tokens: Int, now: Duration)

    /// An endpoint began anew, with empty caches.
    mutating func didRestart(_ id: EndpointID, now: Duration)

    /// Picks the endpoint of one attempt; nil if every healthy endpoint is excluded or none is
    /// healthy.
    mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID>, now: Duration
    ) -> EndpointID?

    /// An attempt begins at an endpoint; each is ended once, by ``didEnd(_:_:now:)``.
    mutating func didBegin(_ id: EndpointID, now: Duration)

    /// An attempt ended at an endpoint, with this result.
    mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration)

    /// Computes all weights anew, whether or not that is due.
    mutating func updateWeights(now: Duration)

    /// The endpoints to ask now for their load, each to be answered by
    /// ``probe(_:inFlight:latency:now:)``; empty where the algorithm has no use for it.
    ///
    /// Call it after picks, and now and then while there are none. Whoever never asks loses only
    /// what endpoints know and this gateway does not: the requests of other gateways.
    mutating func endpointsToProbe(now: Duration) -> [EndpointID]

    /// Takes an endpoint's answer to a probe: the requests it runs, of all gateways, and how long
    /// it takes for one while it runs so many; nil where it did not say.
    mutating func probe(_ id: EndpointID, inFlight: Int, latency: Duration?, now: Duration)
}

extension Balancer {
    /// Nil: for algorithms that do not go by prompts.
    public var prefixBlocks: PrefixBlocks? { nil }

    /// The same as for health: for algorithms that do not go by load reports.
    public mutating func setEjected(_ id: EndpointID, _ isEjected: Bool, now: Duration) {
        setHealthy(id, !isEjected, now: now)
    }

    /// Does nothing: for algorithms that find out by themselves.
    public mutating func setStatedWeight(_ id: EndpointID, _ weight: Double, now: Duration) {}

    /// Does nothing: for algorithms that do not go by load reports.
    public mutating func report(_ id: EndpointID, _ sample: LoadSample, now: Duration) {}

    /// Does nothing: for algorithms that do not go by what endpoints keep.
    public mutating func setCacheTokens(_ id: EndpointID, _ tokens: Int, now: Duration) {}

    /// Does nothing: for algorithms that do not go by what endpoints keep.
    public mutating func didRestart(_ id: EndpointID, now: Duration) {}

    /// Does nothing: for algorithms that do not go by requests in flight.
    public mutating func didBegin(_ id: EndpointID, now: Duration) {}

    /// Does nothing: for algorithms that do not go by requests in flight, latency or failures.
    public mutating func didEnd(_ id: EndpointID, _ result: BalancedAttempt, now: Duration) {}

    /// Does nothing: for algorithms without weights.
    public mutating func updateWeights(now: Duration) {}

    /// None: for algorithms without probes.
    public mutating func endpointsToProbe(now: Duration) -> [EndpointID] { [] }

    /// Does nothing: for algorithms without probes.
    public mutating func probe(
        _ id: EndpointID, inFlight: Int, latency: Duration?, now: Duration
    ) {}

    /// Picks for a request without an affinity.
    public mutating func pick(
        excluding excluded: Set<EndpointID> = [], now: Duration
    ) -> EndpointID? {
        pick(for: PickRequest(), excluding: excluded, now: now)
    }
}

/// What a balancer may know of the request that it picks an endpoint for.
public struct PickRequest: Sendable, Equatable {
    /// A number that is the same for requests which should meet at one endpoint, such as a hash of
    /// a session or of a prompt's beginning; nil for a request that may go anywhere.
    public var affinityKey: UInt64?
    /// The prompt of a request to a language model; nil where there is none, or nobody goes by it.
    public var prompt: PromptBlocks?

    /// A request with this affinity and prompt, or with none.
    public init(affinityKey: UInt64? = nil, prompt: PromptBlocks? = nil) {
        self.affinityKey = affinityKey
        self.prompt = prompt
    }
}

/// How an attempt at an endpoint ended.
public struct BalancedAttempt: Sendable, Equatable {
    /// The time from the attempt's begin to its end.
    public var latency: Duration
    /// Whether it failed by a fault of the endpoint: no connection, no answer, or an answer that
    /// says the endpoint is broken or full.
    ///
    /// A request that was itself wrong, and told so, has not failed in this sense.
    public var hasFailed: Bool
    /// Whether the attempt was given up for reasons of the client's, so that nobody knows how it
    /// would have ended (default false).
    public var wasAbandoned: Bool
    /// Whether the endpoint, which is well, said no for a reason of the request's or of the
    /// connection's: how fast it did tells nothing of how long an answer takes (default false).
    public var wasDeclined: Bool

    /// An attempt that ended so.
    public init(
        latency: Duration, hasFailed: Bool, wasAbandoned: Bool = false, wasDeclined: Bool = false
    ) {
        self.latency = latency
        self.hasFailed = hasFailed
        self.wasAbandoned = wasAbandoned
        self.wasDeclined = wasDeclined
    }

    /// Whether it came to an end without an answer, so that what is known stays as it is.
    var isWithoutAnswer: Bool { hasFailed || wasDeclined }

    /// The latency in seconds; 0 where it is negative.
    var seconds: Double { max(latency.seconds, 0) }
}
