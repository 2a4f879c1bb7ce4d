import Synchronization

/// Decides who may ask the gateway for what.
///
/// A request is let in by what it shows: an API key, a token, or the client's certificate. Then by
/// what that allows: verbs, priority, model. Last by its quotas. Without credentials at all
/// everybody is let in, as the tenant `anonymous`.
///
/// Decisions return at once, on event loops too. The lock is held for look-ups and counts alone,
/// not while digests are computed or signatures verified. A token is verified once; then it is
/// found by its digest until it expires. That needs no waiting either, see ``TokenKeys``.
///
/// `now` is the time since an origin of the caller's choice, the same in all calls.
final class AccessControl: Sendable {
    /// Bounds, with their defaults.
    struct Limits: Sendable {
        /// Quotas remembered for each tenant, and how they are forgotten.
        var quotas = QuotaTable.Configuration()
        /// Verified tokens remembered (default 10,000).
        var tokensMax = 10_000
        /// Signatures verified in a second for each issuer, and at once (default 2000): each costs
        /// up to a tenth of a millisecond, and anybody can send tokens with a wrong one.
        var verifications = TokenRate(perSecond: 2000)
        /// How quotas are shared with other gateways; nil if they are not (default).
        var sharing: QuotaExchange.Configuration?
    }

    private let limits: Limits
    private let state: Mutex<AccessState>

    /// Lets in by credentials; everybody without any.
    init(_ credentials: Credentials?, limits: Limits = Limits()) {
        self.limits = limits
        state = Mutex(
            AccessState(
                index: credentials.map(CredentialIndex.init),
                quotas: QuotaPools(configuration: limits.quotas, sharing: limits.sharing)))
    }

    // MARK: Requests

    /// Decides on a request.
    ///
    /// - Parameters:
    ///   - request: the request, of which the model may not be known yet.
    ///   - now: the time.
    /// - Returns: the decision.
    func admit(_ request: AccessRequest, now: Duration) -> AccessDecision {
        let (index, generation) = state.withLock { ($0.index, $0.generation) }
        guard let index, !request.question.isOpen else {
            return decide(request, .anonymous, now: now)
        }
        switch authenticate(request, index, generation, now: now) {
        case .failure(let failure): return .refused(failure.refusal)
        case .success(let identity):
            if index.refuses(tenant: identity.tenant) {
                return .refused(.scope("The tenant '\(identity.tenant)' is not let in here"))
            }
            return decide(request, identity, now: now)
        }
    }

    /// Decides on the model of a request that was admitted without it, when the body has named it.
    ///
    /// - Parameters:
    ///   - model: the model.
    ///   - grant: what was decided before; after a refusal its lease is released already.
    ///   - now: the time.
    /// - Returns: the decision, whose lease takes the place of the one before.
    func admit(model: AskedModel, to grant: AccessGrant, now: Duration) -> AccessDecision {
        guard grant.awaitsModel else { return .admitted(grant) }
        let identity = grant.identity
        guard identity.scope.allows(model) else {
            state.withLock {
                $0.quotas.revoke(grant.lease.claims, to: identity.pool, now: now)
            }
            return .refused(.model(model.name))
        }
        let claims = identity.claims(of: model, withTokens: grant.spendsTokens)
        let taken = state.withLock { state in
            let taken = state.quotas.take(claims, from: identity.pool, now: now)
            if case .refused = taken {
                state.quotas.revoke(grant.lease.claims, to: identity.pool, now: now)
            }
            return taken
        }
        return grant.followed(by: taken, claims)
    }

    /// Decides on a model that may be asked in place of the one that a grant is for.
    ///
    /// - Parameters:
    ///   - model: the model.
    ///   - asked: the model that the grant is for.
    ///   - grant: what was decided before.
    ///   - now: the time.
    /// - Returns: what takes the grant's place once it is concluded; nil if the model may not be
    ///   asked.
    func admit(
        fallback model: AskedModel, insteadOf asked: AskedModel, of grant: AccessGrant,
        now: Duration
    ) -> FallbackGrant? {
        let identity = grant.identity
        guard model != asked, identity.asksForModel else { return FallbackGrant(grant) }
        guard identity.scope.allows(model) else { return nil }
        let claims = identity.claims(of: model, withTokens: grant.spendsTokens)
        let taken = state.withLock { $0.quotas.take(claims, from: identity.pool, now: now) }
        guard case .admitted = taken else { return nil }
        let before = Set(identity.claims(of: asked, withTokens: grant.spendsTokens))
        return FallbackGrant(
            grant, without: grant.lease.claims.filter { before.contains($0) }, with: claims)
    }

    /// Gives back what a request has taken of the quotas of the model that it is not for: of the
    /// one that was asked first where the other was asked, else of the other.
    func conclude(_ fallback: FallbackGrant, isAsked: Bool, now: Duration) {
        let claims = isAsked ? fallback.given : fallback.taken
        guard !claims.isEmpty else { return }
        let pool = fallback.grant.identity.pool
        state.withLock { $0.quotas.revoke(claims, to: pool, now: now) }
    }

    /// Charges the tokens that a request has cost, before it is released.
    func charge(_ spend: TokenSpend, to lease: AccessLease, now: Duration) {
        guard lease.claims.contains(where: { $0.key.unit.isChargedLater }) else { return }
        state.withLock { $0.quotas.charge(spend, to: lease.claims, in: lease.pool, now: now) }
    }

    /// A request that was admitted is over.
    func release(_ lease: AccessLease) {
        guard !lease.claims.isEmpty else { return }
        state.withLock { $0.quotas.release(lease.claims, to: lease.pool) }
    }

    /// Whether an identity may do what is asked, and as often.
    private func decide(
        _ request: AccessRequest, _ identity: AccessIdentity, now: Duration
    ) -> AccessDecision {
        let priority: RequestPriority
        switch identity.scope.check(request) {
        case .failure(let failure): return .refused(failure.refusal)
        case .success(let allowed): priority = allowed
        }
        let spendsTokens = request.question.spendsTokens
        var claims = identity.totalClaims
        if spendsTokens { claims += identity.totalTokenClaims }
        if case .named(let model) = request.question.model {
            claims += identity.claims(of: AskedModel(model), withTokens: spendsTokens)
        }
        let grant = AccessGrant(
            identity: identity, priority: priority, lease: AccessLease(pool: "", claims: []),
            awaitsModel: request.question.model == .notYetKnown && identity.asksForModel,
            balance: nil, spendsTokens: spendsTokens)
        guard !claims.isEmpty else { return .admitted(grant) }
        let taken = state.withLock { $0.quotas.take(claims, from: identity.pool, now: now) }
        return grant.followed(by: taken, claims, awaitsModel: grant.awaitsModel)
    }

    // MARK: Sharing

    /// How quotas are shared with other gateways; nil if they are not.
    var sharing: QuotaExchange.Configuration? { limits.sharing }

    /// What other gateways are to be told of quotas, a batch at most; each is to be settled.
    func quotaReports(now: Duration) -> [QuotaReport] {
        state.withLock { $0.quotas.reports(now: now) }
    }

    /// Takes in how a quota stands with all gateways; nil if that could not be learnt.
    func settle(_ report: QuotaReport, _ standing: QuotaStanding?, now: Duration) {
        state.withLock { $0.quotas.settle(report, standing, now: now) }
    }

    // MARK: Credentials

    /// Whom a request is from.
    private func authenticate(
        _ request: AccessRequest, _ index: CredentialIndex, _ generation: Int, now: Duration
    ) -> Result<AccessIdentity, AccessFailure> {
        guard let secret = request.secret else {
            guard let found = index.certificate(request.identities) else {
                return .failure(AccessFailure(.missing))
            }
            guard !found.isDisabled else {
                return .failure(.credential("The client's certificate is disabled here"))
            }
            return .success(found.identity)
        }
        guard secret.utf8.count <= CompactToken.Bounds.bytes else {
            return .failure(.credential("The key or token is too long"))
        }
        let digest = SecretDigest(of: secret)
        if let entry = index.key(digest: digest).entry {
            guard !entry.isDisabled else { return .failure(.credential("The key is disabled")) }
            let hasExpired = entry.identity.expires.map { $0 <= request.unixTime } ?? false
            return hasExpired
                ? .failure(.credential("The key has expired")) : .success(entry.identity)
        }
        let isToken = secret.utf8.count { $0 == UInt8(ascii: ".") } == 2
        guard isToken, !index.verifier.isEmpty else {
            return .failure(.credential("The key is not known here"))
        }
        if let known = state.withLock({ $0.remembered(digest, request.unixTime) }) {
            return .success(known)
        }
        do throws(TokenFault) {
            let identity = try verified(secret, request.unixTime, index, now: now)
            state.withLock {
                $0.remember(identity, digest, generation: generation, max: limits.tokensMax)
            }
            return .success(identity)
        } catch {
            if let issuer = error.asksForKeysOf {
                state.withLock { $0.refreshes.want(issuer) }
            }
            return .failure(AccessFailure(.token(error)))
        }
    }

    /// Whom a token is from, if it is good.
    private func verified(
        _ token: String, _ unixTime: Duration, _ index: CredentialIndex, now: Duration
    ) throws(TokenFault) -> AccessIdentity {
        let keys = state.withLock { $0.keys }
        let pending = try index.verifier.check(token, unixTime: unixTime) { keys[$0] }
        let spent = state.withLock {
            $0.verifications[pending.issuer.name, default: TokenBucket()]
                .spend(1, limits.verifications, now: now)
        }
        if case .refused(let wait) = spent { throw .tooMany(wait: wait) }
        guard pending.isSigned() else { throw .signature }
        return index.identity(of: pending)
    }

    // MARK: Reading again

    /// Lets in by other credentials from now on; everybody without any.
    ///
    /// Quotas keep what was spent of them, requests under way keep their leases, and issuers keep
    /// their keys; tokens are verified anew.
    func replace(_ credentials: Credentials?) {
        let index = credentials.map(CredentialIndex.init)
        state.withLock { $0.replace(index) }
    }

    /// Takes the keys of an issuer in place of those before; tokens are verified anew if they are
    /// others.
    ///
    /// - Parameters:
    ///   - keys: the keys.
    ///   - issuer: the issuer they were read for; ignored if credentials have since changed where
    ///     its keys are.
    func replaceKeys(_ keys: TokenKeys, of issuer: Credentials.Issuer) {
        state.withLock { $0.replaceKeys(keys, of: issuer) }
    }

    /// The issuers whose keys are to be read now, which counts as an attempt; see
    /// ``KeyRefreshSchedule``.
    func dueKeys(now: Duration) -> [Credentials.Issuer] {
        state.withLock { $0.refreshes.due($0.index?.issuers ?? [], now: now) }
    }

    /// The keys of an issuer could not be read: they are due again after a pause.
    func keysFailed(of issuer: String) {
        state.withLock { $0.refreshes.want(issuer) }
    }

    /// Requests under way that use a quota; for tests and status.
    func inFlight(_ key: QuotaKey, in pool: String) -> Int {
        state.withLock { $0.quotas.inFlight(key, in: pool) }
    }
}
