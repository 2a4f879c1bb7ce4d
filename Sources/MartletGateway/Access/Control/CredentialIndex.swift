/// Credentials, ready to be looked up; made once for each time that they are read.
final class CredentialIndex: Sendable {
    /// What a key comes to, and when it is refused.
    struct KeyEntry: Sendable {
        let digest: SecretDigest
        let identity: AccessIdentity
        let isDisabled: Bool
    }

    private struct CertificateEntry: Sendable {
        let certificate: Credentials.Certificate
        let identity: AccessIdentity
    }

    /// Verifies tokens.
    let verifier: TokenVerifier
    /// The names of all pools of quotas.
    let pools: Set<String>
    let issuers: [Credentials.Issuer]

    private let tenants: [String: Credentials.Tenant]
    private let listsTenants: Bool
    private let keys: [KeyEntry]
    private let keysByID: [String: Int]
    private let keysByPrefix: [UInt64: [Int]]
    private let certificates: [CertificateEntry]

    init(_ credentials: Credentials) {
        let tenants = Dictionary(credentials.tenants.map { ($0.name, $0) }) { first, _ in first }
        keys = credentials.keys.map { key in
            KeyEntry(
                digest: key.digest,
                identity: AccessIdentity(
                    tenant: tenants[key.tenant] ?? Credentials.Tenant(name: key.tenant),
                    credential: "key:\(key.id)", key.scope, key.quotas,
                    expires: key.expires?.sinceEpoch),
                isDisabled: key.isDisabled)
        }
        certificates = credentials.certificates.map { entry in
            CertificateEntry(
                certificate: entry,
                identity: AccessIdentity(
                    tenant: tenants[entry.tenant] ?? Credentials.Tenant(name: entry.tenant),
                    credential: "certificate:\(entry.name)", entry.scope, entry.quotas))
        }
        keysByID = Dictionary(
            zip(credentials.keys.map(\.id), keys.indices)
        ) { first, _ in first }
        keysByPrefix = Dictionary(grouping: keys.indices) { [keys] in keys[$0].digest.prefix }
        verifier = TokenVerifier(credentials.issuers)
        issuers = credentials.issuers
        listsTenants = !credentials.tenants.isEmpty
        pools = Set(
            (keys.map(\.identity) + certificates.map(\.identity)).map(\.pool)
                + credentials.tenants.map { AccessIdentity.pool(ofTenant: $0.name) }
                + credentials.issuers.map { AccessIdentity.pool(ofIssuer: $0.name) })
        self.tenants = tenants
    }

    /// The key with an ID; its secret is not looked at.
    func key(id: String) -> KeyEntry? { keysByID[id].map { keys[$0] } }

    /// The key with a digest, and how many digests were compared to find it.
    ///
    /// Whoever measures how long that takes learns nothing that helps to make a key. Digests are
    /// found by their first bytes in a hash table whose order is another in each process, and these
    /// say nothing of a random key; then whole digests are compared in constant time: all that
    /// begin so, and one where there are none.
    func key(digest: SecretDigest) -> (entry: KeyEntry?, comparisons: Int) {
        var found: KeyEntry?
        var comparisons = 0
        for place in keysByPrefix[digest.prefix] ?? [] {
            let entry = keys[place]
            comparisons += 1
            if entry.digest.isSame(as: digest) { found = entry }
        }
        if comparisons == 0 {
            comparisons = 1
            _ = SecretDigest.ofNothing.isSame(as: digest)
        }
        return (found, comparisons)
    }

    /// Who a client's certificate is for: by the first entry that is for one of its names; nil if
    /// none is.
    func certificate(
        _ identities: [CertificateIdentity]
    ) -> (identity: AccessIdentity, isDisabled: Bool)? {
        let entry = certificates.first { entry in
            identities.contains { entry.certificate.matches($0) }
        }
        return entry.map { ($0.identity, $0.certificate.isDisabled) }
    }

    /// Whether requests of a tenant are refused: it is disabled, or not among those listed.
    func refuses(tenant: String) -> Bool {
        guard let entry = tenants[tenant] else { return listsTenants }
        return entry.isDisabled
    }

    /// Who a verified token speaks for.
    func identity(of token: TokenVerifier.Pending) -> AccessIdentity {
        let issuer = token.issuer
        let none = AccessScope(verbs: [])
        let scope = token.words.map { issuer.scope.intersection(AccessScope(words: $0)) ?? none }
        let pool = AccessIdentity.pool(ofTenant: token.tenant)
        // Names that tokens make up share a pool: there may be any number of them.
        return AccessIdentity(
            tenant: tenants[token.tenant] ?? Credentials.Tenant(name: token.tenant),
            credential: "token:\(issuer.name):\(token.subject)", scope ?? issuer.scope,
            issuer.quotas,
            pool: pools.contains(pool) ? pool : AccessIdentity.pool(ofIssuer: issuer.name),
            expires: token.expires)
    }
}

extension AccessIdentity {
    fileprivate static func pool(ofTenant name: String) -> String { "tenant:\(name)" }

    fileprivate static func pool(ofIssuer name: String) -> String { "issuer:\(name)" }

    /// A credential of a tenant.
    fileprivate convenience init(
        tenant: Credentials.Tenant, credential: String, _ scope: AccessScope,
        _ quotas: AccessQuotas, pool: String? = nil, expires: Duration? = nil
    ) {
        self.init(
            tenant: tenant.name, credential: credential, scope: scope,
            quotas: [
                Quota(owner: "tenant:\(tenant.name)", limits: tenant.quotas),
                Quota(owner: credential, limits: quotas),
            ],
            pool: pool ?? AccessIdentity.pool(ofTenant: tenant.name), expires: expires)
    }
}
