import MartletCore
import MartletTransport
import Synchronization

/// What the gateway knows of its endpoints: health, weight, load and models.
///
/// The one place where the functional cores of balancing and health meet; every method is short
/// and holds one lock.
final class EndpointDirectory: Sendable {
    fileprivate struct Endpoint {
        let address: UpstreamAddress
        var health: HealthTracker
        /// Whether it has answered before, and only its checks fail: perhaps it is just slow.
        var isSuspect = false
        var wasHealthy = false
        /// Lives and serves some of its models, not all.
        var isDegraded = false
        /// Passive failures seen, to tell checks apart that began before the last one.
        var passiveFailures = 0
        var inFlight = 0
        var requests = 0
        var failures = 0
        var models: [ModelStatus] = []
    }

    fileprivate struct State {
        var balancer: any Balancer
        /// `nil` where endpoints are not ejected for how they answer.
        var outliers: OutlierDetection?
        var silence = SilenceWatch()
        var budget = RetryBudget()
        var endpoints: [EndpointID: Endpoint] = [:]
        var degradedTurn = 0
        /// Endpoints that had no room for a request lately.
        var refusedUntil: [EndpointID: Duration] = [:]
        /// Ejections and returns that nobody was told of yet.
        var news: [EjectionChange] = []
    }

    /// A change of an endpoint's health, for the log.
    struct HealthChange: Sendable {
        let address: UpstreamAddress
        let transition: HealthTracker.Transition
    }

    private let state: Mutex<State>
    private let attemptsMax: Int
    private let origin = ContinuousClock.now

    /// All endpoints, in the order given.
    let addresses: [UpstreamAddress]

    init(
        addresses: [UpstreamAddress], attemptsMax: Int,
        balancing: BalancingAlgorithm = .dynamicWeightedRoundRobin,
        outliers: OutlierDetectionConfiguration? = OutlierDetectionConfiguration(),
        health: HealthTracker.Configuration = HealthTracker.Configuration(), seed: UInt64
    ) {
        self.addresses = addresses
        self.attemptsMax = attemptsMax
        var initial = State(
            balancer: balancing.makeBalancer(seed: seed),
            outliers: outliers.map { OutlierDetection(configuration: $0) })
        for address in addresses {
            initial.balancer.add(address.id, now: .zero)
            initial.outliers?.add(address.id)
            initial.endpoints[address.id] = Endpoint(
                address: address, health: HealthTracker(configuration: health))
        }
        state = Mutex(initial)
    }

    private var now: Duration { ContinuousClock.now - origin }

    // MARK: Picking

    /// The endpoint of a request's first attempt.
    ///
    /// - Parameter affinityKey: the same for requests that should meet at one endpoint.
    /// - Returns: the endpoint; `nil` when there is none.
    func pickFirst(affinityKey: UInt64? = nil) -> UpstreamAddress? {
        let now = now
        return state.withLock { state in
            state.budget.deposit(now: now)
            return state.pick(for: PickRequest(affinityKey: affinityKey), now: now).flatMap {
                state.endpoints[$0]?.address
            }
                ?? state.nextDegraded()
        }
    }

    /// The endpoint of another attempt, and what failed in the budget's words.
    func pickNext(
        after failed: FailedForwarding, attemptsMax: Int? = nil,
        failures: Set<AttemptFailure>? = nil, affinityKey: UInt64? = nil
    ) -> UpstreamAddress? {
        let failure = failed.failure.asAttemptFailure
        guard failures?.contains(failure) ?? true else { return nil }
        let now = now
        let attempt = FailedAttempt(
            tried: Set(failed.tried.map(\.id)), attempt: failed.tried.count,
            attemptsMax: attemptsMax ?? self.attemptsMax, responseStarted: failed.responseStarted,
            bodyReplayable: failed.isReplayable,
            idempotency: failed.plan.isIdempotent ? .idempotent : .notIdempotent,
            failure: failed.failure.asAttemptFailure)
        return state.withLock { state in
            let decision = RetryDecision.decide(after: attempt, budget: &state.budget, now: now)
            guard case .retry(let excluded) = decision else { return nil }
            if failed.failure == .refused, let last = failed.tried.last {
                state.noteRefusal(by: last.id, now: now)
            }
            let request = PickRequest(affinityKey: affinityKey)
            // With every healthy endpoint tried, one that closed a connection may still answer on
            // another; one that could not be connected to, or has answered, would not.
            let mayRepeat = [.connectionClosed, .unprocessed].contains(failed.failure)
            let id =
                state.pick(for: request, excluding: excluded, now: now)
                ?? (mayRepeat ? state.pick(for: request, now: now) : nil)
            if let id { return state.endpoints[id]?.address }
            let isAnswered = failed.failure == .refused || failed.failure == .serverError
            return isAnswered || failed.failure == .upstreamLost ? nil : state.nextDegraded()
        }
    }

    // MARK: Health

    /// Remember this when a check begins and give it back with the outcome.
    func checkBegins(_ address: UpstreamAddress) -> Int {
        state.withLock { $0.endpoints[address.id]?.passiveFailures ?? 0 }
    }

    /// Takes the outcome of an active check in.
    func checkEnded(
        _ address: UpstreamAddress, _ outcome: HealthCheckOutcome, begunAt token: Int
    ) -> HealthChange? {
        let now = now
        return state.withLock { state in
            // A success from before the connection failed says nothing of now.
            guard token == state.endpoints[address.id]?.passiveFailures else { return nil }
            state.endpoints[address.id]?.isDegraded = outcome.isDegraded
            if let models = outcome.models { state.endpoints[address.id]?.models = models }
            if !outcome.hasAnswered { state.endpoints[address.id]?.models = [] }
            if let sample = outcome.load { state.balancer.report(address.id, sample, now: now) }
            // Weights follow the reports also while no request comes to make them.
            state.balancer.updateWeights(now: now)
            return state.handle(
                outcome.isReady ? .checkSucceeded : .checkFailed, at: address, now: now)
        }
    }

    /// A request could not be connected to the endpoint.
    func connectionFailed(_ address: UpstreamAddress) -> HealthChange? {
        let now = now
        return state.withLock { state in
            state.endpoints[address.id]?.passiveFailures += 1
            state.endpoints[address.id]?.isDegraded = false
            return state.handle(.connectionFailed, at: address, now: now)
        }
    }

    /// Whether a request could be forwarded now.
    var isReady: Bool {
        state.withLock { state in
            !state.balancer.healthyEndpoints.isEmpty
                || state.endpoints.values.contains(where: \.isDegraded)
        }
    }

    /// Uses the endpoints that another directory has found to be healthy, before they are checked.
    func inherit(from other: EndpointDirectory) {
        let healthy = other.state.withLock { state in
            state.endpoints.values.filter { $0.health.state == .healthy }
                .map { (address: $0.address, models: $0.models) }
        }
        let now = now
        state.withLock { state in
            for endpoint in healthy where state.endpoints[endpoint.address.id] != nil {
                state.endpoints[endpoint.address.id]?.models = endpoint.models
                _ = state.handle(.checkSucceeded, at: endpoint.address, now: now)
            }
        }
    }

    // MARK: Counting

    func didBegin(at address: UpstreamAddress) {
        let now = now
        state.withLock {
            $0.endpoints[address.id]?.inFlight += 1
            $0.endpoints[address.id]?.requests += 1
            $0.balancer.didBegin(address.id, now: now)
            $0.silence.didBegin(address.id, now: now)
        }
    }

    /// Counts the end of an attempt, and ejects its endpoint if that was one failure too many.
    ///
    /// - Returns: endpoints that were ejected or returned meanwhile, for the log.
    func didEnd(_ attempt: EndedAttempt) -> [EjectionChange] {
        let now = now
        let id = attempt.upstream.id
        return state.withLock { state in
            state.endpoints[id]?.inFlight -= 1
            let attempt = state.judged(attempt, now: now)
            state.balancer.didEnd(id, BalancedAttempt(attempt), now: now)
            if let outcome = EndpointOutcome(attempt) {
                state.apply(state.outliers?.record(outcome, at: id, now: now), now: now)
            }
            return state.takeNews()
        }
    }

    /// Compares endpoints with each other where that is due, and lets those return whose time is
    /// over, or that answered a check.
    ///
    /// - Returns: endpoints that were ejected or returned meanwhile, for the log.
    func sweep(checked address: UpstreamAddress, isReady: Bool) -> [EjectionChange] {
        let now = now
        return state.withLock { state in
            if isReady { state.apply(state.outliers?.checkSucceeded(address.id), now: now) }
            for change in state.outliers?.sweep(now: now) ?? [] { state.apply(change, now: now) }
            if let (requests, time) = state.silence.silence(of: address.id, now: now) {
                let change = state.outliers?.recordSilence(
                    at: address.id, requests: requests, for: time, now: now)
                state.apply(change, now: now)
            }
            return state.takeNews()
        }
    }

    func didFail(at address: UpstreamAddress) {
        state.withLock { $0.endpoints[address.id]?.failures += 1 }
    }

    /// All endpoints as the admin API shows them.
    var status: EndpointsStatus {
        state.withLock { state in
            let weights = state.balancer.weights
            return EndpointsStatus(
                endpoints: addresses.compactMap { address in
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

extension EndpointDirectory.State {
    /// How long an endpoint that had no room gets only what no other takes.
    private static let refusalPause = Duration.milliseconds(500)

    /// Notes that an endpoint had no room for a request.
    fileprivate mutating func noteRefusal(by id: EndpointID, now: Duration) {
        refusedUntil[id] = now + Self.refusalPause
    }

    /// Picks an endpoint: one that has just had no room only where there is no other.
    fileprivate mutating func pick(
        for request: PickRequest, excluding excluded: Set<EndpointID> = [], now: Duration
    ) -> EndpointID? {
        if !refusedUntil.isEmpty {
            refusedUntil = refusedUntil.filter { $0.value > now }
            let full = excluded.union(refusedUntil.keys)
            if full.count > excluded.count,
                let id = balancer.pick(for: request, excluding: full, now: now)
            {
                return id
            }
        }
        return balancer.pick(for: request, excluding: excluded, now: now)
    }

    /// With no endpoint fully ready, one that serves some of its models is better than none.
    fileprivate mutating func nextDegraded() -> UpstreamAddress? {
        let degraded = endpoints.filter(\.value.isDegraded).sorted { $0.key < $1.key }
        guard !degraded.isEmpty else { return nextSuspect() }
        degradedTurn = (degradedTurn + 1) % degraded.count
        return degraded[degradedTurn].value.address
    }

    /// With no endpoint at all, one that answered before, or was never asked, is tried.
    ///
    /// Checks are then perhaps misjudged, or still to come.
    /// Source: Envoy's panic threshold, at no healthy endpoint.
    private mutating func nextSuspect() -> UpstreamAddress? {
        let suspects = endpoints.filter { _, endpoint in
            endpoint.isSuspect || endpoint.health.state == .unknown
        }.sorted { $0.key < $1.key }
        guard !suspects.isEmpty else { return nil }
        degradedTurn = (degradedTurn + 1) % suspects.count
        return suspects[degradedTurn].value.address
    }

    /// Takes an endpoint out of use, or back.
    fileprivate mutating func apply(_ change: EjectionChange?, now: Duration) {
        guard let change else { return }
        news.append(change)
        switch change {
        case .ejected(let id, _, _), .returned(let id, _): updateUse(of: id, now: now)
        }
    }

    /// An endpoint is used while its checks succeed and it is not ejected.
    private mutating func updateUse(of id: EndpointID, now: Duration) {
        let isEjected = outliers?.isEjected(id) ?? false
        let isHealthy = endpoints[id]?.health.state == .healthy
        balancer.setHealthy(id, isHealthy && !isEjected, now: now)
    }

    /// How long a client must have waited for its going to tell of the endpoint.
    private static let patience = Duration.seconds(1)

    /// An attempt that the client gave up counts as one that took too long where its endpoint has
    /// answered nothing at all meanwhile, and others have: checks are answered by another part of a
    /// node than the one that hangs.
    fileprivate mutating func judged(_ attempt: EndedAttempt, now: Duration) -> EndedAttempt {
        let id = attempt.upstream.id
        let isAnswered = if case .answered = attempt.result { true } else { false }
        let isSilent = silence.isSilent(id, since: now - attempt.duration)
        silence.didEnd(id, answeredIn: isAnswered ? attempt.duration : nil, now: now)
        guard attempt.result == .abandoned, attempt.duration >= Self.patience, isSilent else {
            return attempt
        }
        return EndedAttempt(
            upstream: attempt.upstream, result: .failed(.timedOut), duration: attempt.duration)
    }

    fileprivate mutating func takeNews() -> [EjectionChange] {
        guard !news.isEmpty else { return [] }
        defer { news = [] }
        return news
    }

    fileprivate mutating func handle(
        _ event: HealthTracker.Event, at address: UpstreamAddress, now: Duration
    ) -> EndpointDirectory.HealthChange? {
        guard let transition = endpoints[address.id]?.health.handle(event) else { return nil }
        let isHealthy = transition == .becameHealthy
        if case .becameUnhealthy(.checksFailed) = transition {
            let wasHealthy = endpoints[address.id]?.wasHealthy ?? false
            endpoints[address.id]?.isSuspect = wasHealthy
        } else {
            endpoints[address.id]?.isSuspect = false
            if isHealthy { endpoints[address.id]?.wasHealthy = true }
        }
        apply(outliers?.setHealthy(address.id, isHealthy), now: now)
        updateUse(of: address.id, now: now)
        return EndpointDirectory.HealthChange(address: address, transition: transition)
    }
}

extension UpstreamAddress {
    var id: EndpointID { EndpointID(description) }
}

extension BalancedAttempt {
    /// The end of an attempt as balancers judge it: one that is full has failed, too, though it is
    /// not ejected for it.
    init(_ attempt: EndedAttempt) {
        let isFull =
            switch attempt.result {
            case .answered(_, .resourceExhausted?), .answered(429, nil): true
            default: false
            }
        let outcome = EndpointOutcome(attempt)
        let isBroken = if case .failed = outcome { true } else { false }
        self.init(
            latency: attempt.duration, hasFailed: isFull || isBroken,
            wasAbandoned: outcome == nil)
    }
}

extension ForwardingFailure {
    var asAttemptFailure: AttemptFailure {
        switch self {
        case .connectFailed: .connectFailed
        case .connectionClosed: .connectionClosedBeforeResponse
        case .unprocessed: .streamUnprocessed
        case .timedOut: .timeout
        case .attemptTimedOut: .attemptTimeout
        case .upstreamLost: .endpointLost
        case .refused: .refused
        case .serverError: .serverError
        }
    }
}
