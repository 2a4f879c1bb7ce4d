/// Decides whether tokens are taken (RFC 7519, section 7.2, with the advice of RFC 8725).
///
/// What costs little comes first, the signature last; a token that is refused before has not been
/// believed in anything.
struct TokenVerifier: Sendable {
    /// A token of which all is as it should be but the signature, which is still to be verified.
    struct Pending: Sendable {
        fileprivate let token: CompactToken
        fileprivate let key: TokenKeys.Key
        /// Who it is from.
        let issuer: Credentials.Issuer
        /// Who it speaks for.
        let tenant: String
        /// Whom it was issued to.
        let subject: String
        /// The moment from which on it is refused, in time since 1970.
        let expires: Duration
        /// The words of its scope that are for Martlet, without what they begin with; nil if the
        /// issuer's scope is for all tokens.
        let words: [String]?

        /// Whether the issuer has signed it.
        func isSigned() -> Bool { key.verifies(token.signature, of: token.signed) }
    }

    /// Bytes of the names that a token may give.
    static let nameBytesMax = 256

    private let issuers: [String: Credentials.Issuer]

    /// Takes tokens of these issuers.
    init(_ issuers: [Credentials.Issuer]) {
        self.issuers = Dictionary(issuers.map { ($0.issuer, $0) }) { first, _ in first }
    }

    /// Whether tokens are taken at all.
    var isEmpty: Bool { issuers.isEmpty }

    /// Checks all but the signature.
    ///
    /// - Parameters:
    ///   - text: the token.
    ///   - unixTime: the time since 1970.
    ///   - keys: the keys of an issuer, by its name in the file.
    /// - Returns: the token, to be verified.
    /// - Throws: `TokenFault`.
    func check(
        _ text: String, unixTime: Duration, keys: (String) -> TokenKeys?
    ) throws(TokenFault) -> Pending {
        let token = try CompactToken(text)
        guard token.isAccessToken else { throw .kind }
        guard let issuer = token.claims.text("iss").flatMap({ issuers[$0] }) else {
            throw .issuer
        }
        guard let algorithm = TokenAlgorithm(rawValue: token.header.algorithm),
            issuer.algorithms.contains(algorithm)
        else { throw .algorithm }
        guard !Set(token.claims.texts("aud")).isDisjoint(with: issuer.audiences) else {
            throw .audience
        }
        let expires = try TokenVerifier.expiry(
            of: token.claims, skew: issuer.clockSkew, unixTime: unixTime)
        guard let tenant = TokenVerifier.name(issuer.tenantClaim, of: token.claims) else {
            throw .tenant
        }
        guard let keys = keys(issuer.name) else { throw .keysNotRead(issuer: issuer.name) }
        guard let key = keys.key(id: token.header.keyID, algorithm: algorithm) else {
            throw .unknownKey(issuer: issuer.name)
        }
        return Pending(
            token: token, key: key, issuer: issuer, tenant: tenant,
            subject: TokenVerifier.name("sub", of: token.claims) ?? tenant, expires: expires,
            words: issuer.scopeClaim.map { claim in
                token.claims.words(claim).filter { $0.hasPrefix(issuer.scopePrefix) }
                    .map { String($0.dropFirst(issuer.scopePrefix.count)) }
            })
    }

    /// When a token expires, if it has begun to be valid and has not expired.
    private static func expiry(
        of claims: TokenClaims, skew: Duration, unixTime: Duration
    ) throws(TokenFault) -> Duration {
        guard let expires = claims.moment("exp") else { throw .noExpiry }
        guard unixTime < expires + skew else { throw .expired }
        guard claims.has("nbf") else { return expires + skew }
        guard let start = claims.moment("nbf") else { throw .malformed }
        guard unixTime >= start - skew else { throw .notYetValid }
        return expires + skew
    }

    /// A claim that is a name for metrics and logs; nil if it is missing, too long, or has control
    /// characters.
    private static func name(_ claim: String, of claims: TokenClaims) -> String? {
        guard let text = claims.text(claim), !text.isEmpty, text.utf8.count <= nameBytesMax,
            !text.unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
        else { return nil }
        return text
    }
}

extension AccessScope {
    /// What the words of a token's scope allow.
    ///
    /// There are verbs such as `predict`, `model:` with a pattern, and `priority:` with the
    /// priority that matters most. Without a verb nothing is allowed; other words mean nothing.
    init(words: [String]) {
        var verbs: AccessVerbs = []
        var patterns: [GlobPattern] = []
        var highest: RequestPriority?
        for word in words {
            if let verb = AccessVerb(rawValue: word) {
                verbs.formUnion(AccessVerbs(verb))
            } else if word.hasPrefix("model:") {
                if let pattern = GlobPattern(String(word.dropFirst("model:".count))) {
                    patterns.append(pattern)
                }
            } else if word.hasPrefix("priority:"),
                let priority = RequestPriority(rawValue: String(word.dropFirst("priority:".count)))
            {
                highest = min(highest ?? priority, priority)
            }
        }
        let namesModels = words.contains { $0.hasPrefix("model:") }
        self.init(
            models: namesModels ? [patterns] : [], verbs: verbs,
            priorities: (highest ?? AccessScope.everything.priorities.lowerBound) ... .low)
    }
}
