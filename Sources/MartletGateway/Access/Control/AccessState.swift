/// What ``AccessControl`` knows: credentials, keys, tokens that were verified, quotas.
struct AccessState: Sendable {
    /// The credentials; nil if none are needed.
    private(set) var index: CredentialIndex?
    /// The keys of issuers, by their names in the file.
    private(set) var keys: [String: TokenKeys] = [:]
    /// How often credentials or keys have changed: a token verified with older ones is not
    /// remembered.
    private(set) var generation = 0
    /// How many signatures may be verified, for each issuer.
    var verifications: [String: TokenBucket] = [:]
    var quotas: QuotaPools
    var refreshes = KeyRefreshSchedule()
    /// Verified tokens, by the digest of each.
    private var tokens = RecencyMap<SecretDigest, AccessIdentity>()

    init(index: CredentialIndex?, quotas: QuotaPools) {
        self.index = index
        self.quotas = quotas
    }

    /// Whom a token is from that was verified and has not expired.
    mutating func remembered(_ digest: SecretDigest, _ unixTime: Duration) -> AccessIdentity? {
        guard let identity = tokens[digest] else { return nil }
        guard let expires = identity.expires, unixTime < expires else {
            tokens.remove(digest)
            return nil
        }
        tokens.use(digest, identity)
        return identity
    }

    /// Remembers a token that was verified, unless credentials or keys have changed since.
    mutating func remember(
        _ identity: AccessIdentity, _ digest: SecretDigest, generation: Int, max: Int
    ) {
        guard generation == self.generation, max > 0 else { return }
        if tokens.count >= max, tokens[digest] == nil, let oldest = tokens.leastRecent {
            tokens.remove(oldest.key)
        }
        tokens.use(digest, identity)
    }

    /// Takes other credentials.
    mutating func replace(_ index: CredentialIndex?) {
        let issuers = index?.issuers ?? []
        let known = (self.index?.issuers ?? []).map { ($0.name, $0) }
        let before = Dictionary(known) { first, _ in first }
        for issuer in issuers {
            let old = before[issuer.name]
            if old?.keySource != issuer.keySource {
                keys[issuer.name] = nil
                refreshes.want(issuer.name)
            } else if old?.keysCAFile != issuer.keysCAFile {
                // Fetched as the new authorities allow; those of before serve until then.
                refreshes.want(issuer.name)
            }
        }
        let names = Set(issuers.map(\.name))
        keys = keys.filter { names.contains($0.key) }
        verifications = verifications.filter { names.contains($0.key) }
        self.index = index
        forgetTokens()
        quotas.keep(index?.pools ?? [])
    }

    /// Takes other keys of an issuer, if they are still read from there.
    mutating func replaceKeys(_ keys: TokenKeys, of issuer: Credentials.Issuer) {
        let current = index?.issuers.first { $0.name == issuer.name }
        guard current?.keySource == issuer.keySource,
            self.keys[issuer.name]?.fingerprint != keys.fingerprint
        else { return }
        self.keys[issuer.name] = keys
        forgetTokens()
    }

    private mutating func forgetTokens() {
        tokens = RecencyMap()
        generation += 1
    }
}

extension Credentials.Issuer {
    /// Where the keys are.
    var keySource: String { keysFile.map { "file:\($0)" } ?? "url:\(keysURL ?? "")" }
}
