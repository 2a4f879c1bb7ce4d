import MartletCore
import MartletTransport
import Synchronization

/// What checks and requests tell of endpoints' health.
extension EndpointDirectory {
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
            if let models = outcome.models {
                state.setModels(
                    models, listed: outcome.listed, parents: outcome.parents, of: address.id)
            }
            if let sample = outcome.load { state.balancer.report(address.id, sample, now: now) }
            state.take(outcome.memory, of: address.id, now: now)
            // Weights follow the reports also while no request comes to make them.
            state.balancer.updateWeights(now: now)
            let change = state.handle(
                outcome.isReady ? .checkSucceeded : .checkFailed, at: address, now: now)
            // One lost check is no news of what a healthy one serves.
            if !outcome.hasAnswered, state.endpoints[address.id]?.health.state != .healthy {
                state.setModels([], listed: [], of: address.id)
            }
            isUneven = !state.served.isEven
            return change
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

    /// When endpoints are taken to have become healthy that another directory found to be: so long
    /// ago that none starts slowly.
    private static let longAgo = Duration.seconds(-86_400)

    /// Uses the endpoints that another directory has found to be healthy, before they are checked.
    ///
    /// They are no newcomers. Would they start slowly, those that are would have as much as they.
    ///
    /// - Parameters:
    ///   - other: the other directory.
    ///   - keepsEjected: whether those that it has ejected stay so.
    func inherit(from other: EndpointDirectory, keepsEjected: Bool = false) {
        let (healthy, ejections) = other.state.withLock { state in
            (
                state.endpoints.values.filter { $0.health.state == .healthy }
                    .map { ($0.address, $0.models, $0.listed, $0.parents) },
                keepsEjected ? state.outliers?.ejections ?? [:] : [:]
            )
        }
        let now = now
        let later = now - other.now
        state.withLock { state in
            for (address, models, listed, parents) in healthy
            where state.endpoints[address.id] != nil {
                state.setModels(models, listed: listed, parents: parents, of: address.id)
                _ = state.handle(.checkSucceeded, at: address, now: Self.longAgo)
            }
            for (id, ejection) in ejections.sorted(by: { $0.key < $1.key })
            where state.outliers?.resume(ejection, of: id, later: later) == true {
                state.balancer.setEjected(id, true, now: now)
            }
            state.updateChoice()
            isUneven = !state.served.isEven
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
}

extension EndpointDirectoryState {
    /// Takes an endpoint out of use, or back.
    mutating func apply(_ change: EjectionChange?, now: Duration) {
        guard let change else { return }
        news.append(change)
        switch change {
        case .ejected(let id, _, _), .returned(let id, _):
            if endpoints[id]?.health.state == .healthy {
                balancer.setEjected(id, !isUsable(id), now: now)
            }
            updateChoice()
        }
    }

    mutating func takeNews() -> [EjectionChange] {
        guard !news.isEmpty else { return [] }
        defer { news = [] }
        return news
    }

    mutating func handle(
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
        balancer.setHealthy(address.id, isUsable(address.id), now: now)
        updateChoice()
        return EndpointDirectory.HealthChange(address: address, transition: transition)
    }

    /// How long a client must have waited for its going to tell of the endpoint.
    private static let patience = Duration.seconds(1)

    /// An attempt that the client gave up counts as one that took too long where its endpoint has
    /// answered nothing at all meanwhile, and others have: checks are answered by another part of a
    /// node than the one that hangs.
    mutating func judged(_ attempt: EndedAttempt, now: Duration) -> EndedAttempt {
        let id = attempt.upstream.id
        let isAnswered = if case .answered = attempt.result { true } else { false }
        let isSilent =
            attempt.result == .abandoned && attempt.duration >= Self.patience
            && silence.isSilent(id, since: now - attempt.duration)
        silence.didEnd(id, answeredIn: isAnswered ? attempt.duration : nil, now: now)
        guard isSilent else { return attempt }
        return EndedAttempt(
            upstream: attempt.upstream, result: .failed(.timedOut), duration: attempt.duration,
            isRetry: attempt.isRetry, end: attempt.end)
    }
}
