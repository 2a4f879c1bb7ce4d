import MartletTransport
import Synchronization

/// What is asked in place of a request for which no endpoint has room.
extension GatewayPolicy {
    func fallback(after unanswered: UnansweredForwarding) -> FallbackForwarding? {
        guard let state = unanswered.plan.state as? RequestState, let fallbacks = state.fallbacks,
            let reason = reason(unanswered, state),
            let request = CompletionRequest(unanswered.body), let last = request.model
        else { return nil }
        let asked = fallbacks.asked ?? last
        var left = fallbacks.targets
        while let target = left.popFirst() {
            let model = target.settings.model ?? asked
            let pool = target.pool ?? fallbacks.pool
            // That is what the request has asked first.
            if model == asked, pool === fallbacks.pool { continue }
            let other =
                model == last ? unanswered.body : request.body(unanswered.body, asking: model)
            let limited: [UInt8]?
            do {
                limited = try limitedBody(other, asking: model, state, fallbacks)
            } catch { continue }
            let body = limited ?? other
            var next = fallbacks
            next.targets = left
            next.asked = asked
            next.shed = nil
            let question = FallbackQuestion(
                model: model, last: last, pool: pool, body: body,
                replacesBody: model != last || limited != nil, fallbacks: next)
            guard let (upstream, begun) = begin(question, insteadOf: state) else { continue }
            journal.didFallBack(to: model, insteadOf: asked, reason)
            var plan = GatewayPolicy.plan(asking: question, insteadOf: unanswered.plan)
            plan.state = begun
            return FallbackForwarding(plan: plan, upstream: upstream)
        }
        return nil
    }

    /// Why something else is asked; nil where that would not help.
    private func reason(_ unanswered: UnansweredForwarding, _ state: RequestState)
        -> FallbackReason?
    {
        switch unanswered.failure {
        case nil: state.noUpstream.withLock { $0 }
        case .refused?: .refused
        case .full?, .unprocessed?: .full
        case .connectFailed?, .localFault?, .noHTTP2?, .upstreamLost?: .unreachable
        case .attemptTimedOut?: .timeout
        // A request that breaks what it meets is not to meet more.
        case .connectionClosed?, .serverError?, .timedOut?: nil
        }
    }

    /// Begins an attempt at what is asked instead; nil, and nothing changed, where that has no room
    /// either, or may not be asked.
    private func begin(
        _ question: FallbackQuestion, insteadOf state: RequestState
    ) -> (UpstreamAddress, RequestState)? {
        var granted: FallbackGrant?
        if let grant = state.grant, let control = access?.control {
            let rules = current
            granted = control.admit(
                fallback: GatewayPolicy.asked(question.model, rules),
                insteadOf: GatewayPolicy.asked(question.last, rules), of: grant, now: now)
            guard granted != nil else { return nil }
        }
        let pool = question.pool
        let staysAdmitted = pool === state.pool && state.isAdmitted
        guard staysAdmitted || pool.admit(question.fallbacks.priority, now: now) == nil else {
            conclude(granted, isAsked: false)
            return nil
        }
        let next = RequestState(state, asking: question, grant: granted?.grant ?? state.grant)
        guard
            case .endpoint(let upstream) = pool.directory.pickFirst(
                next.pick, model: question.model)
        else {
            if !staysAdmitted { pool.release(latency: nil, now: now) }
            conclude(granted, isAsked: false)
            return nil
        }
        pool.probeSignal?.didPick()
        if state.isAdmitted, !staysAdmitted { state.pool.release(latency: nil, now: now) }
        conclude(granted, isAsked: true)
        leaveFlight(of: state)
        return (upstream, next)
    }

    private func conclude(_ granted: FallbackGrant?, isAsked: Bool) {
        guard let granted else { return }
        access?.control.conclude(granted, isAsked: isAsked, now: now)
    }

    /// What another model answers is no answer for those who wait for the first one's.
    private func leaveFlight(of state: RequestState) {
        let flight = state.flight.withLock { flight in
            defer { flight = nil }
            return flight
        }
        if let flight { state.caching?.cache.failed(flight) }
    }

    private static func plan(
        asking question: FallbackQuestion, insteadOf before: ForwardingPlan
    ) -> ForwardingPlan {
        var plan = before
        var changes = before.changes ?? ForwardingChanges()
        changes.response.removed.insert(Fallbacks.responseField)
        changes.response.added.removeAll { $0.name == Fallbacks.responseField }
        changes.response.added.append(.init(Fallbacks.responseField, question.model))
        plan.changes = changes
        if question.replacesBody { plan.replaceBody(by: question.body) }
        plan.keptAnswerBytes = nil
        plan.mayFallBack = !question.fallbacks.targets.isEmpty
        return plan
    }
}

/// What is asked in place of a request.
struct FallbackQuestion: Sendable {
    let model: String
    /// The model that was asked last.
    let last: String
    let pool: PoolRuntime
    let body: [UInt8]
    /// Whether that is another body than the one that was sent last.
    let replacesBody: Bool
    /// What may be asked after it.
    let fallbacks: Fallbacks
}

extension RequestState {
    /// What is known of a request that asks for something else than before.
    convenience init(
        _ before: RequestState, asking question: FallbackQuestion, grant: AccessGrant?
    ) {
        self.init(
            route: before.route, pool: question.pool, affinityKey: before.affinityKey, grant: grant,
            isCounted: before.isCounted, model: question.model,
            isAdmitted: question.pool.isShedding, fallbacks: question.fallbacks)
        guard let prompts = question.pool.prompts else { return }
        let blocks = prompts.blocks(
            inBody: question.body, tenant: grant?.tenant,
            isAdapter: question.pool.directory.isAdapter)
        prompt.withLock { $0 = blocks }
    }
}
