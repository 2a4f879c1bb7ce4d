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
    var now: Duration { time(of: .now) }

    func time(of instant: ContinuousClock.Instant) -> Duration { instant - origin }

    // MARK: Requests

    func plan(for request: ForwardedRequest) -> ForwardingPlan {
        let rules = current
        if let only = rules.onlyPool {
            var plan = GatewayPolicy.basicPlan(for: request)
            plan.state = only
            if only.pool.directory.isUneven {
                let naming = ModelNaming(request)
                plan.state = RequestState(
                    route: only.route, pool: only.pool, model: naming.model,
                    namesModelInBody: naming == .body)
                if naming == .body { plan.awaitedBodyBytes = PromptReader.bodyBytesMax }
            }
            if plan.observer != nil { GatewayPolicy.askPlainly(&plan) }
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
            let isPost = request.method == "POST"
            let isPrediction =
                isPost
                && (request.path.hasPrefixIgnoringCase("/v1/models/")
                    || request.path.hasPrefix("/v2/models/") && request.path.hasSuffix("/infer"))
            let isRead = request.method == "GET" || request.method == "HEAD"
            var plan = ForwardingPlan(
                isIdempotent: isPrediction || isRead, holdsResponse: isPrediction || isRead)
            guard isPost, !isPrediction, let call = OpenAICall(path: request.path) else {
                return plan
            }
            plan.isIdempotent = call.mayRunTwice
            plan.holdsResponse = call.mayRunTwice
            if call.spendsTokens { plan.observer = UsageMeter() }
            return plan
        }
    }

    /// Has an answer come as it can be read: what it cost stands in it.
    private static func askPlainly(_ plan: inout ForwardingPlan) {
        var changes = plan.changes ?? ForwardingChanges()
        changes.request.removed.insert("accept-encoding")
        plan.changes = changes
    }

    private func decide(
        _ request: ForwardedRequest, _ rules: GatewayRules
    ) throws(ForwardingRefusal) -> ForwardingPlan {
        let path = try GatewayPolicy.path(of: request)
        let naming = ModelNaming(request)
        let grant = try admit(request)
        do throws(ForwardingRefusal) {
            let query = RouteQuery(
                authority: request.authority, method: request.method, path: path, naming: naming)
            let decision = rules.table.decide(query, fields: request.fields)
            let route: RouteRuntime? =
                if case .route(let index) = decision { rules.routes[index] } else { nil }
            let isCanaryCall =
                route?.hasCanary == true && naming == .message
                && ModelNaming.isPrediction(call: request.path)
            if decision == .needsModel || grant?.awaitsModel == true || isCanaryCall
                || GatewayPolicy.limitsLength(of: request, path, route, grant)
            {
                return GatewayPolicy.undecided(request, path, grant)
            }
            guard let route else { throw GatewayPolicy.noRoute(request) }
            return try plan(request, path, naming, route, rules, grant)
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

    static func noRoute(_ request: ForwardedRequest) -> ForwardingRefusal {
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

    func plan(
        _ request: ForwardedRequest, _ path: RequestPath, _ naming: ModelNaming,
        _ route: RouteRuntime, _ rules: GatewayRules, _ grant: AccessGrant?,
        asked: String? = nil, call: VersionedCall? = nil, lengthIsOurs: Bool = false
    ) throws(ForwardingRefusal) -> ForwardingPlan {
        let random = UInt64.random(in: .min ... .max)
        guard let pool = route.pool(random) else {
            throw ForwardingRefusal(ServingError(.unavailable, "The route has no pool"))
        }
        let priority = priority(of: request, route, grant)
        let shed = try admit(to: route, pool, priority)
        var fallbacks = route.fallbacks(of: request, in: pool, priority, shed: shed)
        fallbacks?.lengthIsOurs = lengthIsOurs
        if let shed, fallbacks == nil {
            route.release()
            throw shed
        }
        let arm = route.arm(
            of: request, call?.target ?? naming.target, random: StableHash.mixed(random))
        var plan = GatewayPolicy.basicPlan(for: request)
        plan.changes = route.changes(path, naming, arm: arm, priority: priority)
        if let grant, !grant.fields.isEmpty {
            var changes = plan.changes ?? ForwardingChanges()
            changes.response.added += grant.fields.map { .init($0.name, $0.value) }
            plan.changes = changes
        }
        if let grant { GatewayPolicy.tell(grant.tenant, by: &plan) }
        if plan.observer != nil { GatewayPolicy.askPlainly(&plan) }
        if let call, let arm { plan.newBody = route.frame(of: call, arm) }
        plan.timeout = route.settings.timeouts.total
        plan.attemptTimeout = route.settings.timeouts.perTry ?? attemptTimeout
        plan.bodyBytesMax = route.settings.limits.bodyBytes
        if plan.isIdempotent, plan.holdsResponse {
            plan.hedgingDelay = route.hedgingDelay(now: now)
        }
        let caching = rules.caching(
            of: request, route: route, pool: pool, plan.changes, tenant: grant?.tenant)
        if let caching {
            plan.awaitedBodyBytes = caching.policy.requestBytesMax
            plan.keptAnswerBytes = caching.policy.answerBytesMax
        }
        let namesModelInBody = asked == nil && naming == .body
        let awaited = [
            pool.awaitedPromptBytes(of: request),
            // Else it would go to a node that need not have the model.
            namesModelInBody && pool.directory.isUneven ? PromptReader.bodyBytesMax : nil,
        ].compactMap(\.self).max()
        if let awaited { plan.awaitedBodyBytes = max(plan.awaitedBodyBytes ?? 0, awaited) }
        let tokenTimes = route.tokenTimes(of: request, attempt: attemptTimeout)
        if fallbacks != nil || tokenTimes != nil {
            plan.awaitedBodyBytes = max(
                plan.awaitedBodyBytes ?? 0, PromptReader.bodyBytesMax)
            plan.mayFallBack = fallbacks != nil
        }
        let shadow = route.shadow(of: request, naming, random: StableHash.mixed(random &+ 1))
        if let shadow {
            plan.keepsRequest = true
            plan.keptAnswerBytes = max(plan.keptAnswerBytes ?? 0, shadow.comparedBytes ?? 0)
        }
        plan.state = RequestState(
            route: route, pool: pool, arm: arm, affinityKey: pool.affinityKey(of: request),
            grant: grant, isCounted: true, caching: caching,
            model: naming.model ?? asked, namesModelInBody: namesModelInBody,
            isAdmitted: pool.isShedding && shed == nil, shadow: shadow, fallbacks: fallbacks,
            tokenTimes: tokenTimes)
        return plan
    }

    /// How much a request matters: what it says itself, where its credential lets it; else what its
    /// route says, or its credential where that is less.
    private func priority(
        of request: ForwardedRequest, _ route: RouteRuntime, _ grant: AccessGrant?
    ) -> RequestPriority {
        let usual = route.settings.priority.priority
        guard let grant else { return usual }
        if request.fields.first(AccessRequest.priorityField) != nil { return grant.priority }
        return grant.priority > .normal ? max(grant.priority, usual) : usual
    }

    /// Counts a request in at its route and its pool.
    ///
    /// - Returns: why the pool does not take it, which leaves it counted at the route; nil where it
    ///   does.
    private func admit(
        to route: RouteRuntime, _ pool: PoolRuntime, _ priority: RequestPriority
    ) throws(ForwardingRefusal) -> ForwardingRefusal? {
        if let refusal = route.admit(now: now) {
            let access = AccessRefusal.quota(refusal)
            throw ForwardingRefusal(access.error, fields: HeaderFields(access.fields))
        }
        guard let retryAfter = pool.admit(priority, now: now) else { return nil }
        journal.didShed(priority)
        let seconds = Int(retryAfter.seconds.rounded(.up))
        return ForwardingRefusal(
            ServingError(
                .resourceExhausted,
                "Pool '\(pool.settings.name)' has as many requests of priority "
                    + "'\(priority.rawValue)' as it can bear; try again in \(seconds) s"),
            fields: ["retry-after": "\(seconds)"])
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

    func release(_ grant: AccessGrant?) {
        if let grant { access?.control.release(grant.lease) }
    }
}
