import Logging
import MartletCore
import MartletTelemetry
import MartletTransport
import Synchronization

/// The gateway's decisions on the data path: who may ask, where each request goes, and which
/// requests may be repeated.
final class GatewayPolicy: ForwardingPolicy {
    let journal: GatewayJournal
    let access: AccessService?
    let pools: UpstreamPools?
    let attemptTimeout: Duration?
    let logger: Logger

    private let rules: Mutex<GatewayRules>
    private let origin = ContinuousClock.now

    init(
        rules: GatewayRules, journal: GatewayJournal, access: AccessService? = nil,
        pools: UpstreamPools? = nil, attemptTimeout: Duration? = nil, logger: Logger
    ) {
        self.rules = Mutex(rules)
        self.journal = journal
        self.access = access
        self.pools = pools
        self.attemptTimeout = attemptTimeout
        self.logger = logger
    }

    /// The rules that new requests go by.
    var current: GatewayRules { rules.withLock { $0 } }

    /// Lets new requests go by other rules.
    func replace(_ new: GatewayRules) { rules.withLock { $0 = new } }

    /// The time since the gateway's origin.
    var now: Duration { ContinuousClock.now - origin }

    // MARK: Requests

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        let rules = current
        if let only = rules.onlyPool {
            var plan = GatewayPolicy.basicPlan(for: request)
            plan.state = only
            let total = only.route.settings.timeouts.total
            if total != TrafficPolicy.Timeouts().total { plan.timeout = total }
            plan.attemptTimeout = only.route.settings.timeouts.perTry ?? attemptTimeout
            return plan
        }
        do throws(ForwardingRefusal) {
            return try decide(request, rules)
        } catch {
            return ForwardingPlan(isIdempotent: true, holdsResponse: false, refusal: error)
        }
    }

    /// The gRPC services all of whose methods are unary and idempotent.
    private static let unaryServices = [
        "/tensorflow.serving.PredictionService/", "/tensorflow.serving.ModelService/",
        "/grpc.health.v1.Health/Check", "/inference.GRPCInferenceService/ModelInfer",
        "/inference.GRPCInferenceService/ModelReady",
        "/inference.GRPCInferenceService/ModelMetadata",
    ]

    /// What the protocol alone says of a request.
    static func basicPlan(for request: ForwardedRequest) -> ForwardingPlan {
        switch request.api {
        case .grpc:
            let isUnary = unaryServices.contains {
                request.path.utf8.starts(with: $0.utf8)
            }
            return ForwardingPlan(isIdempotent: isUnary, holdsResponse: isUnary)
        case .rest:
            // A node's own metrics are for operators, who reach the nodes themselves.
            guard !request.path.equalsIgnoringCase("/metrics") else {
                let error = ServingError.notFound("Not found: \(request.method) \(request.path)")
                return ForwardingPlan(
                    isIdempotent: true, holdsResponse: false, refusal: ForwardingRefusal(error))
            }
            // A prediction changes nothing, though it is a POST.
            let isPrediction =
                request.method == "POST"
                && (request.path.hasPrefixIgnoringCase("/v1/models/")
                    || request.path.hasPrefix("/v2/models/") && request.path.hasSuffix("/infer"))
            let isRead = request.method == "GET" || request.method == "HEAD"
            return ForwardingPlan(
                isIdempotent: isPrediction || isRead, holdsResponse: isPrediction || isRead)
        }
    }

    private func decide(
        _ request: ForwardedRequest, _ rules: GatewayRules
    ) throws(ForwardingRefusal) -> ForwardingPlan {
        let path = try GatewayPolicy.path(of: request)
        let naming = ModelNaming(
            isGRPC: request.api == .grpc, method: request.method, path: request.path)
        let grant = try admit(request)
        do throws(ForwardingRefusal) {
            let query = RouteQuery(
                authority: request.authority, method: request.method, path: path, naming: naming)
            let decision = rules.table.decide(query, fields: request.fields)
            if decision == .needsModel || grant?.awaitsModel == true {
                return GatewayPolicy.undecided(request, path, grant)
            }
            guard case .route(let index) = decision else { throw GatewayPolicy.noRoute(request) }
            return try plan(request, path, naming, rules.routes[index], rules, grant)
        } catch {
            release(grant)
            throw error
        }
    }

    private static func path(
        of request: ForwardedRequest
    ) throws(ForwardingRefusal) -> RequestPath {
        do throws(ServingError) {
            return try RequestPath(request.path)
        } catch {
            throw ForwardingRefusal(error)
        }
    }

    private static func noRoute(_ request: ForwardedRequest) -> ForwardingRefusal {
        ForwardingRefusal(.notFound("No route is for \(request.method) \(request.path)"))
    }

    /// A request whose route and rights depend on the model that its body names.
    private static func undecided(
        _ request: ForwardedRequest, _ path: RequestPath, _ grant: AccessGrant?
    ) -> ForwardingPlan {
        var plan = basicPlan(for: request)
        plan.state = UndecidedRequest(request, path, grant)
        plan.awaitedBodyBytes = .max
        plan.awaitsFirstMessage = request.api == .grpc
        return plan
    }

    private func plan(
        _ request: ForwardedRequest, _ path: RequestPath, _ naming: ModelNaming,
        _ route: RouteRuntime, _ rules: GatewayRules, _ grant: AccessGrant?
    ) throws(ForwardingRefusal) -> ForwardingPlan {
        let random = UInt64.random(in: .min ... .max)
        guard let pool = route.pool(random) else {
            throw ForwardingRefusal(ServingError(.unavailable, "The route has no pool"))
        }
        if let refusal = route.admit(now: now) {
            let access = AccessRefusal.quota(refusal)
            throw ForwardingRefusal(access.error, fields: HeaderFields(access.fields))
        }
        let arm = route.arm(of: request, naming, random: StableHash.mixed(random))
        var plan = GatewayPolicy.basicPlan(for: request)
        let priority = route.settings.priority.priority
        plan.changes = route.changes(
            path, naming, arm: arm, priority: min(grant?.priority ?? priority, priority))
        if let grant, !grant.fields.isEmpty {
            var changes = plan.changes ?? ForwardingChanges()
            changes.response.added += grant.fields.map { .init($0.name, $0.value) }
            plan.changes = changes
        }
        plan.timeout = route.settings.timeouts.total
        plan.attemptTimeout = route.settings.timeouts.perTry ?? attemptTimeout
        plan.bodyBytesMax = route.settings.limits.bodyBytes
        let caching = rules.caching(
            of: request, route: route, path: plan.changes?.path ?? request.path,
            tenant: grant?.tenant ?? AccessIdentity.anonymous.tenant)
        if let caching {
            plan.awaitedBodyBytes = caching.policy.requestBytesMax
            plan.keptAnswerBytes = caching.policy.answerBytesMax
        }
        plan.state = RequestState(
            route: route, pool: pool, arm: arm, affinityKey: pool.affinityKey(of: request),
            grant: grant, isCounted: true, caching: caching)
        return plan
    }

    // MARK: Access

    private func admit(_ request: ForwardedRequest) throws(ForwardingRefusal) -> AccessGrant? {
        guard let access, access.isInUse else { return nil }
        let question = AccessRequest(
            isGRPC: request.api == .grpc, method: request.method, path: request.path,
            fields: request.fields, identities: request.clientNames.map(CertificateIdentity.init),
            unixTime: .sinceUnixEpoch)
        switch access.control.admit(question, now: now) {
        case .admitted(let grant): return grant
        case .refused(let refusal):
            journal.didRefuse(refusal.reason)
            throw ForwardingRefusal(refusal.error, fields: HeaderFields(refusal.fields))
        }
    }

    private func release(_ grant: AccessGrant?) {
        if let grant { access?.control.release(grant.lease) }
    }

    // MARK: Bodies

    func decide(
        _ plan: ForwardingPlan, body: [UInt8]?,
        completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) {
        if let undecided = plan.state as? UndecidedRequest {
            do throws(ForwardingRefusal) {
                guard let body else {
                    release(undecided.grant)
                    throw ForwardingRefusal(
                        ServingError(
                            .resourceExhausted,
                            "This request goes by the model that its body names, which is longer "
                                + "than messages may be (--max-message-bytes)"))
                }
                let decided = try decide(undecided, body: body)
                // A body that is at hand already is not awaited again.
                guard decided.awaitedBodyBytes != nil else {
                    completion(.forward(decided))
                    return
                }
                decide(decided, body: body, completion: completion)
            } catch {
                completion(.refuse(error))
            }
            return
        }
        guard let state = plan.state as? RequestState, let caching = state.caching, let body,
            let key = caching.cache.key(caching, body: body)
        else {
            var uncached = plan
            uncached.keptAnswerBytes = nil
            completion(.forward(uncached))
            return
        }
        look(up: key, caching, state, plan, completion)
    }

    private func look(
        up key: CacheKey, _ caching: RequestState.Caching, _ state: RequestState,
        _ plan: ForwardingPlan, _ completion: @escaping @Sendable (ForwardingDecision) -> Void
    ) {
        let lookup = caching.cache.lookup(key, ageMax: caching.ageMax) { outcome in
            switch outcome {
            case .lead: completion(.forward(plan))
            case .answer(let answer):
                state.flight.withLock { $0 = nil }
                completion(.answer(answer.fromCache("shared", age: nil)))
            }
        }
        switch lookup {
        case .hit(let answer, let age): completion(.answer(answer.fromCache("hit", age: age)))
        case .wait(let ticket): state.flight.withLock { $0 = (ticket, key) }
        case .miss(nil): completion(.forward(plan))
        case .miss(let ticket?):
            state.flight.withLock { $0 = (ticket, key) }
            // Whoever wants a new answer does not want another gateway's.
            guard caching.ageMax == nil else {
                completion(.forward(plan))
                return
            }
            caching.cache.lookupShared(key) { found in
                guard let found else {
                    completion(.forward(plan))
                    return
                }
                state.flight.withLock { $0 = nil }
                caching.cache.answered(ticket, found.answer, isKept: true)
                completion(.answer(found.answer.fromCache("hit", age: found.age)))
            }
        }
    }

    private func decide(
        _ undecided: UndecidedRequest, body: [UInt8]
    ) throws(ForwardingRefusal) -> ForwardingPlan {
        let request = undecided.request
        var grant = undecided.grant
        do throws(ForwardingRefusal) {
            let rules = current
            let model = try GatewayPolicy.model(of: request, body: body)
            if let model, let before = grant, before.awaitsModel {
                switch access?.control.admit(model: model, to: before, now: now) {
                case .admitted(let admitted)?: grant = admitted
                case .refused(let refusal)?:
                    // Its lease was given back.
                    grant = nil
                    journal.didRefuse(refusal.reason)
                    throw ForwardingRefusal(
                        refusal.error, fields: HeaderFields(refusal.fields))
                case nil: break
                }
            }
            let query = RouteQuery(
                authority: request.authority, method: request.method, path: undecided.path,
                model: model.map { .named($0) } ?? .none)
            guard
                case .route(let index) = rules.table.decide(query, fields: request.fields)
            else { throw GatewayPolicy.noRoute(request) }
            return try plan(
                request, undecided.path, .nowhere, rules.routes[index], rules, grant)
        } catch {
            release(grant)
            throw error
        }
    }

    private static func model(
        of request: ForwardedRequest, body: [UInt8]
    ) throws(ForwardingRefusal) -> String? {
        guard request.api == .grpc else { return MessageModel.model(inJSON: body) }
        do throws(ServingError) {
            // What follows is of a stream whose first message decides.
            let length = body.dropFirst().prefix(4).reduce(0) { $0 << 8 | Int($1) }
            return try MessageModel.model(
                inCall: request.path, frame: Array(body.prefix(5 + length)))
        } catch {
            throw ForwardingRefusal(error)
        }
    }

    // MARK: Attempts

    func firstUpstream(_ plan: ForwardingPlan) -> UpstreamAddress? {
        guard let state = plan.state as? RequestState else { return nil }
        return state.pool.directory.pickFirst(affinityKey: state.affinityKey)
    }

    func nextUpstream(after failed: FailedForwarding) -> UpstreamAddress? {
        guard let state = failed.plan.state as? RequestState else { return nil }
        let directory = state.pool.directory
        if let last = failed.tried.last {
            directory.didFail(at: last)
            if failed.failure == .connectFailed, let change = directory.connectionFailed(last) {
                logger.log(change)
                pools?.retire(last)
            }
        }
        let next = directory.pickNext(
            after: failed, attemptsMax: state.route.settings.retries.attemptsMax,
            failures: state.route.retriedFailures,
            affinityKey: state.affinityKey)
        if next != nil { journal.didRetry(failed.failure.asAttemptFailure) }
        return next
    }

    func didBegin(at upstream: UpstreamAddress, _ plan: ForwardingPlan) {
        guard let state = plan.state as? RequestState else { return }
        state.pool.directory.didBegin(at: upstream)
    }

    func didEnd(_ attempt: EndedAttempt, _ plan: ForwardingPlan) {
        guard let state = plan.state as? RequestState else { return }
        for change in state.pool.directory.didEnd(attempt) { journal.note(change, logger) }
    }

    // MARK: The end

    func didFinish(_ outcome: ForwardedOutcome, _ plan: ForwardingPlan) {
        journal.didFinish(outcome)
        if let undecided = plan.state as? UndecidedRequest {
            // A client that has gone before its body came; a refusal has given the lease back.
            if outcome.httpStatus == 0 { release(undecided.grant) }
            return
        }
        guard let state = plan.state as? RequestState else { return }
        if state.isCounted { state.route.release() }
        release(state.grant)
        if let arm = state.arm { record(arm, outcome, state.route) }
        let flight = state.flight.withLock { flight in
            defer { flight = nil }
            return flight
        }
        guard let flight, let caching = state.caching else { return }
        guard let answer = outcome.answer, answer.status < 500, answer.status != 429 else {
            caching.cache.failed(flight.ticket)
            return
        }
        let isKept = caching.policy.keeps(.init(answer))
        caching.cache.answered(flight.ticket, answer, isKept: isKept)
        if isKept { caching.cache.share(answer, for: flight.key) }
    }

    private func record(
        _ arm: CanaryController.Arm, _ outcome: ForwardedOutcome, _ route: RouteRuntime
    ) {
        // What a client did not wait for, or no endpoint was asked, tells nothing.
        guard outcome.httpStatus != 0, !outcome.tried.isEmpty else { return }
        let latency = ContinuousClock.now - outcome.context.start
        let isError = outcome.httpStatus >= 400 || (outcome.grpcStatus ?? .ok) != .ok
        journal.note(
            route.record(arm, isError: isError, latency: latency, now: now),
            of: route.settings.name, logger)
    }
}
