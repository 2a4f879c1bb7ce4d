import MartletCore
import MartletTransport
import Synchronization

/// What the gateway knows of the endpoints of a pool: health, weight, load and models.
///
/// The one place where the functional cores of balancing and health meet; every method is short
/// and holds one lock.
final class EndpointDirectory: Sendable {
    /// How endpoints are chosen, and judged.
    struct Configuration: Sendable {
        var balancing = BalancingAlgorithm.dynamicWeightedRoundRobin
        /// `nil` where endpoints are not ejected for how they answer.
        var outliers: OutlierDetectionConfiguration? = OutlierDetectionConfiguration()
        var health = HealthTracker.Configuration()
        var panic = PanicThreshold(healthyShareMin: 0)
        var limits = CircuitBreakerLimits.none
        /// Where the gateway stands; `nil` where that does not matter.
        var nearness: Nearness?

        /// Which endpoints come first by where they stand.
        struct Nearness: Sendable {
            var own: Locality
            var overprovisioning = 1.4
        }
    }

    /// What came of looking for an endpoint.
    enum Pick: Sendable, Equatable {
        /// An attempt at this one has begun.
        case endpoint(UpstreamAddress)
        /// All that could be used have as many requests as they may.
        case allFull
        /// There is none.
        case none

        var address: UpstreamAddress? {
            if case .endpoint(let address) = self { address } else { nil }
        }
    }

    /// A change of an endpoint's health, for the log.
    struct HealthChange: Sendable {
        let address: UpstreamAddress
        let transition: HealthTracker.Transition
    }

    let state: Mutex<EndpointDirectoryState>
    private let hasLacking = Atomic(false)
    private let origin = ContinuousClock.now

    /// Whether some endpoints lack models that others serve; asked for each request.
    var isUneven: Bool {
        get { hasLacking.load(ordering: .relaxed) }
        set { hasLacking.store(newValue, ordering: .relaxed) }
    }

    /// Whether a name that a request gives is that of a language model's adapter.
    func isAdapter(_ name: String) -> Bool {
        state.withLock { $0.served.adapters.contains(name) }
    }

    /// What a name of OpenAI's API is, as endpoints tell: a model, or an adapter of these.
    func meaning(of name: String) -> (isModel: Bool, parents: Set<String>) {
        state.withLock { ($0.served.models.contains(name), $0.served.parents[name] ?? []) }
    }

    /// The time since the directory's origin.
    var now: Duration { ContinuousClock.now - origin }

    init(
        _ endpoints: [DiscoveredEndpoint], configuration: Configuration = Configuration(),
        seed: UInt64
    ) {
        var initial = EndpointDirectoryState(configuration, seed: seed)
        for endpoint in endpoints { initial.add(endpoint, now: .zero) }
        state = Mutex(initial)
    }

    // MARK: Endpoints

    /// All endpoints, with what is told of them.
    var endpoints: EndpointSet { state.withLock { $0.known } }

    /// All endpoints, in the order in which they came.
    var addresses: [UpstreamAddress] { state.withLock { $0.order } }

    /// Uses these endpoints from now on; those that stay keep what is known of them.
    ///
    /// - Returns: what has changed.
    func update(to new: EndpointSet) -> EndpointSetDifference {
        let now = now
        return state.withLock { state in
            let difference = EndpointSetDifference(from: state.known, to: new)
            for endpoint in difference.removed { state.remove(endpoint.id, now: now) }
            for endpoint in difference.added { state.add(endpoint, now: now) }
            for change in difference.changed { state.change(change.after, now: now) }
            return difference
        }
    }

    // MARK: Picking

    /// Begins the first attempt at a request.
    ///
    /// - Parameters:
    ///   - request: what is known of it.
    ///   - model: the model that the endpoint is to serve, where that is known.
    ///   - instant: the time, where it is known already.
    /// - Returns: the endpoint, or why there is none.
    func pickFirst(
        _ request: PickRequest = PickRequest(), model: String? = nil,
        at instant: ContinuousClock.Instant = .now
    ) -> Pick {
        let now = instant - origin
        return state.withLock { state in
            if let only = state.nextServing(model) {
                return state.begin(only.id, as: .first, now: now)
            }
            let pick = state.pick(request, model: model, as: .first, now: now)
            guard pick.address == nil, !state.hasHealthy, let last = state.nextDegraded(model)
            else { return pick }
            return state.begin(last.id, as: .first, now: now)
        }
    }

    /// Begins another attempt at a request, at an endpoint that was not tried.
    ///
    /// Never at one that lacks the model: its 404 would pass for the answer.
    ///
    /// - Returns: the endpoint; `nil` when there is none.
    func pickNext(
        after failed: FailedForwarding, _ request: PickRequest = PickRequest(),
        model: String? = nil
    ) -> UpstreamAddress? {
        let now = now
        return state.withLock { state in
            if failed.failure == .refused, let last = failed.tried.last {
                state.noteRefusal(by: last.id, now: now)
            }
            // What an endpoint leaves that is lost is asked once more, however much it is.
            guard failed.failure == .upstreamLost || state.hasRoomForRetry() else { return nil }
            let without = state.lacking(model)
            let pick = state.pick(
                request, model: model, excluding: without.union(failed.tried.map(\.id)),
                as: .retry, now: now)
            if let address = pick.address { return address }
            // With every healthy endpoint tried, one that closed a connection may still answer on
            // another; one that could not be connected to, or has answered, would not.
            if [.connectionClosed, .unprocessed].contains(failed.failure),
                let address = state.pick(
                    request, model: model, excluding: without, as: .retry, now: now
                ).address
            {
                return address
            }
            let isAnswered = failed.failure == .refused || failed.failure == .serverError
            guard !isAnswered, failed.failure != .upstreamLost, let last = state.nextDegraded(model)
            else { return nil }
            return state.begin(last.id, as: .retry, now: now).address
        }
    }

    /// Begins another attempt at a request beside those that are under way; never at an endpoint
    /// that lacks the model.
    func pickBeside(
        _ tried: [UpstreamAddress], _ request: PickRequest = PickRequest(), model: String? = nil
    ) -> UpstreamAddress? {
        let now = now
        return state.withLock { state in
            guard state.hasRoomForRetry() else { return nil }
            return state.pick(
                request, model: model, excluding: state.lacking(model).union(tried.map(\.id)),
                as: .retry, now: now
            ).address
        }
    }

    /// An endpoint for a copy of a request, which takes nobody's place and tells nothing of it.
    func pickForCopy(_ request: PickRequest = PickRequest(), model: String? = nil) -> Pick {
        let now = now
        return state.withLock { state in
            state.pick(request, model: model, as: .copy, now: now)
        }
    }

    /// How many endpoints could be asked that were not.
    func alternatives(to tried: [UpstreamAddress], model: String? = nil) -> Int {
        state.withLock { state in
            let others = state.lacking(model).union(tried.map(\.id))
            return state.balancer.healthyEndpoints.count { !others.contains($0) }
        }
    }

    // MARK: Counting

    /// Counts the end of an attempt, and ejects its endpoint if that was one failure too many.
    ///
    /// - Returns: endpoints that were ejected or returned meanwhile, for the log.
    func didEnd(_ attempt: EndedAttempt) -> [EjectionChange] {
        let now = attempt.end - origin
        let id = attempt.upstream.id
        return state.withLock { state in
            state.end(id, isRetry: attempt.isRetry)
            let attempt = state.judged(attempt, now: now)
            state.balancer.didEnd(id, BalancedAttempt(attempt), now: now)
            if let outcome = EndpointOutcome(attempt) {
                state.apply(state.outliers?.record(outcome, at: id, now: now), now: now)
            }
            return state.takeNews()
        }
    }

    func didFail(at address: UpstreamAddress) {
        state.withLock { $0.endpoints[address.id]?.failures += 1 }
    }

    // MARK: Status

    /// How often each limit was the reason why an endpoint was passed by.
    var limitRefusals: [CircuitBreakerLimits.Resource: Int] { state.withLock { $0.limitRefusals } }

    /// Whether a request could be forwarded now.
    var isReady: Bool {
        state.withLock { state in
            !state.balancer.healthyEndpoints.isEmpty
                || state.endpoints.values.contains(where: \.isDegraded)
        }
    }

    /// All endpoints as the admin API shows them.
    var status: EndpointsStatus {
        state.withLock { state in
            let weights = state.balancer.weights
            return EndpointsStatus(
                endpoints: state.order.compactMap { address in
                    guard let endpoint = state.endpoints[address.id] else { return nil }
                    return EndpointStatus(
                        address: address.description,
                        healthy: endpoint.health.state == .healthy,
                        degraded: endpoint.isDegraded,
                        ejected: state.outliers?.isEjected(address.id) ?? false,
                        weight: weights[address.id] ?? 0, inFlight: endpoint.inFlight,
                        requests: endpoint.requests, failures: endpoint.failures,
                        models: endpoint.models)
                })
        }
    }
}

extension UpstreamAddress {
    var id: EndpointID { EndpointID(name) }
}

extension BalancedAttempt {
    /// The end of an attempt as balancers judge it: one that is full has failed, too, though it is
    /// not ejected for it; and how fast one is declined for other reasons tells nothing.
    init(_ attempt: EndedAttempt) {
        let isFull =
            switch attempt.result {
            case .answered(_, .resourceExhausted?), .answered(429, nil), .failed(.full): true
            default: false
            }
        let outcome = EndpointOutcome(attempt)
        let isBroken = if case .failed = outcome { true } else { false }
        self.init(
            latency: attempt.duration, hasFailed: isFull || isBroken, wasAbandoned: outcome == nil,
            wasDeclined: outcome == .declined && !isFull)
    }
}

extension ForwardingFailure {
    var asAttemptFailure: AttemptFailure {
        switch self {
        case .connectFailed, .localFault, .noHTTP2: .connectFailed
        case .connectionClosed: .connectionClosedBeforeResponse
        case .unprocessed, .full: .streamUnprocessed
        case .timedOut: .timeout
        case .attemptTimedOut: .attemptTimeout
        case .upstreamLost: .endpointLost
        case .refused: .refused
        case .serverError: .serverError
        }
    }
}
