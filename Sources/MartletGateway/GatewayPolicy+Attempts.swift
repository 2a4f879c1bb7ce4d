import MartletCore
import MartletTransport
import Synchronization

/// Where attempts go, and what is learnt from how they end.
extension GatewayPolicy {
    func firstUpstream(_ plan: ForwardingPlan) throws(ForwardingRefusal) -> UpstreamAddress {
        guard let state = plan.state as? RequestState else {
            throw ForwardingRefusal(ServingError(.unavailable, "No endpoint is for the request"))
        }
        if let shed = state.fallbacks?.shed {
            state.noUpstream.withLock { $0 = .shed }
            throw shed
        }
        let directory = state.pool.directory
        let pick: EndpointDirectory.Pick
        if state.original == nil {
            let instant = ContinuousClock.now
            state.route.deposit(now: time(of: instant))
            pick = directory.pickFirst(state.pick, model: state.model, at: instant)
        } else {
            pick = directory.pickForCopy(state.pick, model: state.model)
        }
        state.pool.probeSignal?.didPick()
        switch pick {
        case .endpoint(let address): return state.original == nil ? address : address.forCopies
        case .allFull:
            state.noUpstream.withLock { $0 = .full }
            throw ForwardingRefusal(
                ServingError(
                    .unavailable,
                    "Every endpoint of pool '\(state.pool.settings.name)' has as many requests as "
                        + "it may (breakers.requests_max)"),
                fields: ["retry-after": "1"])
        case .none:
            state.noUpstream.withLock { $0 = .noEndpoint }
            throw ForwardingRefusal(
                ServingError(.unavailable, "No healthy endpoint to forward the request to"))
        }
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        guard let state = failed.plan.state as? RequestState else { return nil }
        let directory = state.pool.directory
        guard state.original == nil else { return nil }
        if let last = failed.tried.last {
            if failed.failure.localFault == nil { directory.didFail(at: last) }
            if failed.failure == .connectFailed, let change = directory.connectionFailed(last) {
                logger.log(change)
                pools?.retire(last)
            }
        }
        guard state.route.allowsRetry(after: failed, now: now) else { return nil }
        let next = directory.pickNext(after: failed, state.pick, model: state.model)
        if next != nil {
            journal.didRetry(failed.failure.asAttemptFailure)
        } else {
            state.route.didNotRetry(after: failed.failure, now: now)
        }
        return next
    }

    func hedge(_ waiting: WaitingForwarding) -> HedgingDecision {
        guard let state = waiting.plan.state as? RequestState else { return .leave }
        let directory = state.pool.directory
        let now = now
        let decision = state.route.hedge(
            waiting,
            alternatives: directory.alternatives(to: waiting.tried, model: state.model), now: now)
        switch decision {
        case .leave(let reason):
            journal.didNotHedge(reason)
            return .leave
        case .wait(let time): return .wait(time)
        case .hedge:
            let next = directory.pickBeside(waiting.tried, state.pick, model: state.model)
            guard let next else {
                // Those that there are have no room.
                state.route.didNotHedge(now: now)
                journal.didNotHedge(.noOtherEndpoint)
                return .leave
            }
            journal.didHedge()
            return .ask(next)
        }
    }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {
        guard let state = plan.state as? RequestState else { return }
        noteFault(of: attempt, state)
        guard state.original == nil else {
            if attempt.result == .failed(.full) { state.noUpstream.withLock { $0 = .full } }
            return
        }
        if state.route.hedging != nil, GatewayPolicy.tellsLatency(attempt, plan) {
            state.route.didAnswer(latency: attempt.duration, now: time(of: attempt.end))
        }
        for change in state.pool.directory.didEnd(attempt) { journal.note(change, logger) }
    }

    private func noteFault(of attempt: EndedAttempt, _ state: RequestState) {
        let fault: LocalFault? =
            if case .failed(let failure) = attempt.result { failure.localFault } else { nil }
        if let fault { journal.localFaults.note(fault, logger) }
        if state.arm != nil { state.failedHere.store(fault != nil, ordering: .relaxed) }
    }

    /// Whether how long an attempt took tells how long answers take.
    ///
    /// One that was given up when it was late already, for its hedge or by its client, would have
    /// taken longer still: without those the slow ones would be missing, and what counts as late
    /// would creep down.
    private static func tellsLatency(_ attempt: EndedAttempt, _ plan: ForwardingPlan) -> Bool {
        switch attempt.result {
        case .answered: true
        case .abandoned: plan.hedgingDelay.map { attempt.duration >= $0 } ?? false
        case .failed: false
        }
    }

    // MARK: The end

    func didEnd(_ flood: HTTP2Flood) { journal.didEnd(flood) }

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        let state = plan.state as? RequestState
        if let state, let original = state.original {
            end(original, state, outcome)
            return
        }
        journal.didFinish(outcome)
        if let undecided = plan.state as? UndecidedRequest {
            // No whole body came: the client has gone, sent what is none, too much, or too late.
            release(undecided.takeGrant())
            return
        }
        guard let state else { return }
        if let observer = plan.observer { charge(observer, state, outcome) }
        release(state, outcome)
        if let arm = state.arm, !state.failedHere.load(ordering: .relaxed) {
            record(arm, outcome, state.route)
        }
        land(state, outcome, plan)
    }

    /// Ends a request's place in the cache's flights.
    private func land(_ state: RequestState, _ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        let flight = state.flight.withLock { flight in
            defer { flight = nil }
            return flight
        }
        guard let flight, let caching = state.caching else { return }
        guard outcome.responseBytes <= plan.keptAnswerBytes ?? .max else {
            caching.cache.parted(flight)
            return
        }
        guard let answer = outcome.answer,
            caching.isForAll(status: answer.status, grpcStatus: outcome.grpcStatus)
        else {
            caching.cache.failed(flight)
            return
        }
        caching.cache.answered(
            flight, answer, isKept: caching.keeps(answer),
            lifeMax: CacheControl(answer.headers.all("cache-control")).ageMax)
    }

    /// Charges whoever has asked with the tokens that the answer has cost.
    private func charge(
        _ observer: any AnswerObserver, _ state: RequestState, _ outcome: ForwardedOutcome
    ) {
        guard outcome.httpStatus == 200, let meter = observer as? UsageMeter,
            let reading = meter.reading
        else { return }
        let spend = reading.spend(requestBytes: outcome.requestBytes)
        if let grant = state.grant { access?.control.charge(spend, to: grant.lease, now: now) }
        journal.didSpend(
            spend, tenant: state.grant?.tenant ?? AccessIdentity.anonymous.tenant,
            model: reading.model ?? "")
    }

    /// Gives back what the request was counted in for.
    private func release(_ state: RequestState, _ outcome: ForwardedOutcome) {
        if state.isCounted { state.route.release() }
        if state.isAdmitted {
            state.pool.release(latency: outcome.latencyUnderLoad(at: .now), now: now)
        }
        release(state.grant)
    }

    private func record(
        _ arm: CanaryController.Arm, _ outcome: ForwardedOutcome, _ route: RouteRuntime
    ) {
        // What a client did not wait for, or no endpoint was asked, tells nothing.
        guard outcome.httpStatus != 0, !outcome.tried.isEmpty else { return }
        let latency = ContinuousClock.now - outcome.context.start
        let isError =
            outcome.isBroken || outcome.httpStatus >= 400 || (outcome.grpcStatus ?? .ok) != .ok
        journal.note(
            route.record(arm, isError: isError, latency: latency, now: now),
            of: route.settings.name, logger)
    }

    // MARK: Copies

    private func end(
        _ original: ShadowOriginal, _ state: RequestState, _ outcome: ForwardedOutcome
    ) {
        if state.noUpstream.withLock({ $0 }) == .full {
            original.runtime.drop()
        } else {
            original.runtime.end(original, outcome.answer)
        }
    }

    func copy(of outcome: ForwardedOutcome, _ plan: ForwardingPlan) -> ForwardingPlan? {
        guard let state = plan.state as? RequestState, let shadow = state.shadow,
            outcome.requestBytes <= shadow.settings.bodyBytesMax, shadow.begin()
        else { return nil }
        var copy = ForwardingPlan(isIdempotent: true, holdsResponse: true)
        copy.changes = state.route.copyChanges(of: outcome, plan, shadow)
        copy.timeout = plan.timeout
        copy.keptAnswerBytes = shadow.comparedBytes
        copy.state = RequestState(
            route: state.route, pool: shadow.pool ?? state.pool, affinityKey: state.affinityKey,
            original: ShadowOriginal(
                runtime: shadow, name: "\(outcome.method) \(outcome.path)", answer: outcome.answer))
        return copy
    }
}

extension ForwardedOutcome {
    /// How long endpoints took with it; nil where that tells nothing of how much they have to do.
    ///
    /// Not the time in which its client sent it: one with a slow network would pass for overload.
    func latencyUnderLoad(at end: ContinuousClock.Instant) -> Duration? {
        guard tellsOfLoad, let sent else { return nil }
        return end - sent
    }

    /// Whether how long it took tells how much endpoints have to do.
    ///
    /// What no endpoint answered, or its client did not wait for, tells nothing of that; nor does a
    /// failure or a refusal, which may come at once: it would pass for light use, beside which good
    /// answers look like overload. What took too long by our own limits does.
    var tellsOfLoad: Bool {
        guard !tried.isEmpty, httpStatus != 0, !isBroken else { return false }
        let isLate = httpStatus == 504 || grpcStatus == .deadlineExceeded
        guard !isLate else { return !context.deadline.hasPassed() }
        return httpStatus < 400 && (grpcStatus ?? .ok) == .ok
    }
}
