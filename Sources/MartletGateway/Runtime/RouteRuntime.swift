import MartletConfiguration
import MartletCore
import MartletTelemetry
import MartletTransport

/// A route at work.
final class RouteRuntime: Sendable {
    /// What the policy says of it.
    let settings: TrafficPolicy.Route
    /// Its pools, by their parts of the requests.
    let pools: [PoolRuntime]

    /// Failures after which there is another attempt.
    let retriedFailures: Set<AttemptFailure>

    private let choice: WeightedChoice
    private let requestChanges: FieldChanges
    private let responseChanges: FieldChanges
    private let writtenChanges: [UInt8]
    private let limits: QuotaLimits
    private let quota: Shared<QuotaTable>
    private let canary: Shared<CanaryController>?
    let budget: Shared<RetryBudget>
    let hedging: Shared<Hedging>?
    /// Where copies go; `nil` for nowhere.
    let shadow: ShadowRuntime?
    /// What is asked when no endpoint has room, in order.
    let fallbacks: [FallbackTarget]

    /// A route to pools that are there.
    ///
    /// - Parameters:
    ///   - settings: what the policy says.
    ///   - pools: all pools by name.
    ///   - earlier: the same route to what its pools were before: where its canary stands is kept,
    ///     and what was used of its limits.
    ///   - now: the time, since the gateway's origin.
    init(
        _ settings: TrafficPolicy.Route, pools: [String: PoolRuntime],
        after earlier: RouteRuntime? = nil, now: Duration
    ) {
        self.settings = settings
        let targets =
            settings.split.isEmpty
            ? [TrafficPolicy.SplitTarget(pool: settings.pool ?? pools.keys.first ?? "", weight: 1)]
            : settings.split
        let known = targets.filter { pools[$0.pool] != nil }
        self.pools = known.compactMap { pools[$0.pool] }
        choice = WeightedChoice(weights: known.map(\.weight))
        retriedFailures = Set(settings.retries.failures)
        requestChanges = FieldChanges(settings.requestHeaders)
        responseChanges = FieldChanges(settings.responseHeaders)
        writtenChanges = AnswerSource.bytes(of: requestChanges)
        limits = QuotaLimits(
            rate: settings.limits.requestsPerSecond.map {
                TokenRate(perSecond: $0, burst: settings.limits.burst)
            },
            concurrent: settings.limits.concurrentRequests)
        quota = earlier?.quota ?? Shared(QuotaTable())
        canary =
            earlier?.canary
            ?? settings.canary.map {
                Shared(CanaryController($0, seed: StableHash.hash(settings.name), now: now))
            }
        budget =
            earlier?.budget
            ?? Shared(
                RetryBudget(
                    ratio: settings.retries.budgetShare, retriesMin: settings.retries.budgetMin))
        hedging =
            earlier?.hedging
            ?? settings.hedging.map { Shared(Hedging(configuration: $0.configuration)) }
        fallbacks = settings.fallbacks.map { fallback in
            FallbackTarget(settings: fallback, pool: fallback.pool.flatMap { pools[$0] })
        }
        shadow = settings.shadow.map {
            ShadowRuntime($0, pools: pools, seed: StableHash.hash(settings.name))
        }
    }

    /// The pool of a request.
    func pool(_ random: UInt64) -> PoolRuntime? {
        pools.count == 1 ? pools.first : choice.index(of: random).map { pools[$0] }
    }

    /// All pools that it may ask for something.
    var allPools: [PoolRuntime] {
        pools + fallbacks.compactMap(\.pool) + [shadow?.pool].compactMap(\.self)
    }

    // MARK: Limits

    private static let quotaKey = QuotaKey(key: "")

    /// Counts a request in; why it may not come, if so.
    func admit(now: Duration) -> QuotaRefusal? {
        guard limits != QuotaLimits() else { return nil }
        let decision = quota.withLock {
            $0.admit(RouteRuntime.quotaKey, limits, now: now)
        }
        if case .refused(let refusal) = decision { return refusal }
        return nil
    }

    /// A request that was counted in is over.
    func release() {
        guard limits != QuotaLimits() else { return }
        quota.withLock { $0.release(RouteRuntime.quotaKey) }
    }

    // MARK: Changes

    /// What is changed in a request, but for its canary; `nil` for nothing.
    func changes(
        _ path: RequestPath, _ naming: ModelNaming, arm: CanaryController.Arm?,
        priority: RequestPriority
    ) -> ForwardingChanges? {
        var changes = ForwardingChanges()
        changes.request = requestChanges
        changes.response = responseChanges
        if let rewrite = settings.rewrite {
            let new = rewrite.path(of: path, rule: settings.match.path, naming: naming)
            if new != path.raw { changes.path = new }
        }
        if let arm, case .path(let target) = naming, let canary {
            changes.path = target.path(version: canary.withLock { $0.version(of: arm) })
        }
        if priority != .normal {
            // Nodes know no priority above high.
            let value = (priority == .critical ? .high : priority).rawValue
            changes.request.removed.insert(AccessRequest.priorityField)
            changes.request.added.append(.init(AccessRequest.priorityField, value))
        }
        return changes.isEmpty ? nil : changes
    }

    /// Who answers requests of this route that go to a pool.
    func source(of pool: PoolRuntime) -> AnswerSource {
        AnswerSource(pool: pool.settings.name, changes: writtenChanges)
    }

    // MARK: Copies

    /// Where a copy of a request goes that is planned so; `nil` for nowhere.
    ///
    /// Only of predictions; and of gRPC calls only to other pools, for their version is in the
    /// message.
    func shadow(
        of request: ForwardedRequest, _ naming: ModelNaming, random: UInt64
    ) -> ShadowRuntime? {
        guard let shadow, shadow.takes(random) else { return nil }
        switch naming {
        case .path(let target): return target.verb.isPrediction ? shadow : nil
        case .message:
            return shadow.pool != nil && ModelNaming.isPrediction(call: request.path)
                ? shadow : nil
        case .body, .nowhere: return nil
        }
    }

    /// What is changed in a copy: as in the request, but for the version, and nothing is
    /// compressed.
    func copyChanges(
        of outcome: ForwardedOutcome, _ plan: ForwardingPlan, _ shadow: ShadowRuntime
    ) -> ForwardingChanges {
        var changes = plan.changes ?? ForwardingChanges()
        changes.request.removed.insert("accept-encoding")
        let naming = ModelNaming(
            isGRPC: outcome.api == .grpc, method: outcome.method,
            path: changes.path ?? outcome.path)
        if case .version(let version) = shadow.settings.target, case .path(let target) = naming {
            changes.path = target.path(version: version)
        }
        return changes
    }

    // MARK: Canary

    /// Whether a canary may be about gRPC calls of this route.
    var hasCanary: Bool { canary != nil }

    /// The version that answers a request; `nil` where the canary is not about it.
    ///
    /// `target` is what is asked, by the path or by the message.
    func arm(
        of request: ForwardedRequest, _ target: ModelTarget?, random: UInt64
    ) -> CanaryController.Arm? {
        guard let canary, let settings = settings.canary, let target,
            target.model == settings.model, target.verb.isPrediction,
            target.version == .latest
                || TrafficPolicy.VersionName(target.version) == settings.baseline
        else { return nil }
        return canary.withLock { canary in
            guard let key = settings.stickyHeader.flatMap({ request.fields.first($0) }) else {
                return canary.arm(of: random)
            }
            return canary.arm(ofKey: key)
        }
    }

    /// A gRPC call's frame as it asks the version that is to answer; `nil` where it stays as it is.
    func frame(of call: VersionedCall, _ arm: CanaryController.Arm) -> [UInt8]? {
        guard let canary, let settings = settings.canary else { return nil }
        let version = canary.withLock { $0.version(of: arm) }
        return call.frame(asking: version, insteadOf: settings.baseline)
    }

    /// Takes in how a request ended; what came of that, if anything.
    func record(
        _ arm: CanaryController.Arm, isError: Bool, latency: Duration, now: Duration
    ) -> CanaryController.Event? {
        canary?.withLock { $0.record(arm, isError: isError, latency: latency, now: now) }
    }

    /// Looks whether a step is over.
    func tick(now: Duration) -> CanaryController.Event? {
        canary?.withLock { $0.tick(now: now) }
    }

    /// Takes the candidate back; what came of that, if anything.
    func rollBack() -> CanaryController.Event? {
        canary?.withLock { $0.rollBackByOperator() }
    }

    /// How the canary stands; `nil` without one.
    var canaryState: (state: CanaryController.State, weight: Double, answers: Int)? {
        canary?.withLock { ($0.state, $0.weight, $0.candidateAnswers) }
    }
}

extension FieldChanges {
    /// Changes as the policy says them.
    init(_ changes: TrafficPolicy.HeaderChanges) {
        self.init()
        removed = Set((changes.remove + changes.set.map(\.key)).map { $0.lowercased() })
        added = (changes.set + changes.add).map { Field($0.key.lowercased(), $0.value) }
    }
}
