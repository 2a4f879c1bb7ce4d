/// Who a request is from, and what that allows: what a credential comes to.
///
/// One is made for each credential, not for each request; requests share it.
final class AccessIdentity: Sendable {
    /// Who the credential speaks for.
    let tenant: String
    /// The credential, for logs: `key:ID`, `certificate:NAME`, `token:ISSUER:SUBJECT`, or nothing.
    let credential: String
    /// What it may ask for.
    let scope: AccessScope
    /// What limits the tenant, and what limits the credential.
    let quotas: [Quota]
    /// The quotas that a request to any model uses.
    let totalClaims: [QuotaClaim]
    /// The quotas that a request uses besides whose answer costs tokens.
    let totalTokenClaims: [QuotaClaim]
    /// Where its quotas are kept: those of a tenant apart from those of others.
    let pool: String
    /// The moment from which on it is refused, in time since 1970; nil for never.
    let expires: Duration?

    /// What limits somebody.
    struct Quota: Sendable {
        let owner: String
        let limits: AccessQuotas
    }

    /// Everybody, where no credential is needed.
    static let anonymous = AccessIdentity(
        tenant: "anonymous", credential: "", scope: .everything, quotas: [], pool: "",
        expires: nil)

    init(
        tenant: String, credential: String, scope: AccessScope, quotas: [Quota], pool: String,
        expires: Duration?
    ) {
        self.tenant = tenant
        self.credential = credential
        self.scope = scope
        self.quotas = quotas.filter { !$0.limits.isEmpty }
        totalClaims = quotas.compactMap { $0.limits.total.requestClaim(of: $0.owner) }
        totalTokenClaims = quotas.flatMap { $0.limits.total.tokens.claims(of: $0.owner) }
        self.pool = pool
        self.expires = expires
    }

    /// Whether it matters which model a request is for.
    var asksForModel: Bool {
        scope.limitsModels || quotas.contains { !$0.limits.models.isEmpty }
    }

    /// The quotas that a request to a model uses besides.
    ///
    /// - Parameters:
    ///   - model: the model.
    ///   - spendsTokens: whether the answer costs tokens.
    /// - Returns: the quotas.
    func claims(of model: AskedModel, withTokens spendsTokens: Bool = false) -> [QuotaClaim] {
        quotas.flatMap { quota in
            quota.limits.limits(of: model).flatMap { name, limits -> [QuotaClaim] in
                let request = limits.requestClaim(of: quota.owner, model: name).map { [$0] } ?? []
                guard spendsTokens else { return request }
                return request + limits.tokens.claims(of: quota.owner, model: name)
            }
        }
    }
}

/// A quota that a request uses.
struct QuotaClaim: Sendable, Hashable {
    let key: QuotaKey
    let limits: QuotaLimits
}

extension QuotaLimits {
    /// What a request uses of the limits on requests; nil if there are none.
    fileprivate func requestClaim(of owner: String, model: String = "") -> QuotaClaim? {
        guard rate != nil || concurrent != nil else { return nil }
        return QuotaClaim(
            key: QuotaKey(key: owner, model: model),
            limits: QuotaLimits(rate: rate, concurrent: concurrent))
    }
}
