import MartletConfiguration

/// A way to sign tokens (RFC 7518, section 3.1, and RFC 8037) that is taken; the raw values are the
/// registered names.
///
/// `none` is not among them, nor is any that signs with what verifies: then whoever knows an
/// issuer's public key could sign in its name.
enum TokenAlgorithm: String, Sendable, Hashable, CaseIterable {
    case es256 = "ES256"
    case es384 = "ES384"
    case rs256 = "RS256"
    case ps256 = "PS256"
    case edDSA = "EdDSA"
}

extension Credentials {
    /// Whose JSON web tokens are taken (RFC 7519).
    struct Issuer: Sendable, Equatable {
        var name: String
        var issuer: String
        var audiences: [String]
        var keysFile: String?
        var keysURL: String?
        var keysCAFile: String?
        var refreshInterval = Keys.refreshInterval.standard
        var refreshPause = Keys.refreshPause.standard
        var algorithms = Keys.algorithms.standard
        var clockSkew = Keys.clockSkew.standard
        var tenantClaim = Keys.tenantClaim.standard
        var scopeClaim: String?
        var scopePrefix = Keys.scopePrefix.standard
        var scope = AccessScope()
        var quotas = AccessQuotas()

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.name, isRequired: true,
                "The name of the issuer, as metrics and logs have it.")
            static let issuer = ConfigurationKey(
                "issuer", .text("the issuer, as tokens name it"), isRequired: true,
                "The claim `iss` that tokens must have.")
            static let audiences = ConfigurationKey<[String]?>(
                "audiences", .list(.text("an audience, as tokens name it"), count: 1...16),
                isRequired: true, "Of these the claim `aud` of tokens must have one.")
            static let keysFile = ConfigurationKey(
                "jwks_file", PolicyText.file,
                "File with the issuer's keys (RFC 7517). Read again when it changes.")
            static let keysURL = ConfigurationKey(
                "jwks_url", PolicyText.secureURL, "Where the issuer's keys are fetched.")
            static let keysCAFile = ConfigurationKey(
                "jwks_ca_file", PolicyText.file,
                "Authorities that sign the certificate of the URL's host; those that the system "
                    + "trusts unless named. Read again at each fetch.")
            static let refreshInterval = ConfigurationKey(
                "refresh_seconds", .seconds(10...86_400), default: .seconds(300),
                "Seconds after which the keys are fetched again.")
            static let refreshPause = ConfigurationKey(
                "refresh_pause_seconds", .seconds(1...3600), default: .seconds(10),
                "Seconds between two fetches at least, also when a token is signed by a key that "
                    + "is not known.")
            static let algorithms = ConfigurationKey<[TokenAlgorithm]>(
                "algorithms", .list(.word(), count: 1...5), default: TokenAlgorithm.allCases,
                "How tokens may be signed.")
            static let clockSkew = ConfigurationKey(
                "clock_skew_seconds", .seconds(0...600), default: .seconds(60),
                "Seconds by which the issuer's clock may be off.")
            static let tenantClaim = ConfigurationKey(
                "tenant_claim", .text("the name of a claim"), default: "sub",
                "The claim that names the tenant.")
            static let scopeClaim = ConfigurationKey(
                "scope_claim", .text("the name of a claim"),
                "The claim that names what the token may ask for, as words or a list, such as "
                    + "`scope` or `scp`; unless given, `scope` below is for all tokens.")
            static let scopePrefix = ConfigurationKey(
                "scope_prefix", .text("how words begin"), default: "martlet:",
                "How those words of the claim begin that are for Martlet.")
            static let scope = ConfigurationKey(
                "scope", .section(), default: AccessScope(),
                "What tokens may ask for at most.")
            static let quotas = ConfigurationKey(
                "quotas", .section(), default: AccessQuotas(),
                "How much each subject may ask for.")
        }
    }
}

extension Credentials.Issuer: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "issuer", "Whose JSON web tokens are taken.",
        keys: [
            Keys.name, Keys.issuer, Keys.audiences, Keys.keysFile, Keys.keysURL,
            Keys.keysCAFile, Keys.refreshInterval, Keys.refreshPause, Keys.algorithms,
            Keys.clockSkew, Keys.tenantClaim, Keys.scopeClaim, Keys.scopePrefix, Keys.scope,
            Keys.quotas,
        ],
        rules: [
            .exactlyOne(["jwks_file", "jwks_url"]), .atMostOne(["jwks_file", "jwks_ca_file"]),
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        let issuer = section.read(Keys.issuer, &problems)
        let audiences = section.read(Keys.audiences, &problems)
        keysFile = section.read(Keys.keysFile, &problems)
        keysURL = section.read(Keys.keysURL, &problems)
        keysCAFile = section.read(Keys.keysCAFile, &problems)
        refreshInterval = section.read(Keys.refreshInterval, &problems)
        refreshPause = section.read(Keys.refreshPause, &problems)
        algorithms = section.read(Keys.algorithms, &problems)
        clockSkew = section.read(Keys.clockSkew, &problems)
        tenantClaim = section.read(Keys.tenantClaim, &problems)
        scopeClaim = section.read(Keys.scopeClaim, &problems)
        scopePrefix = section.read(Keys.scopePrefix, &problems)
        scope = section.read(Keys.scope, &problems)
        quotas = section.read(Keys.quotas, &problems)
        guard let name, let issuer, let audiences else { return nil }
        self.name = name
        self.issuer = issuer
        self.audiences = audiences
    }

    /// Makes the paths of its files absolute.
    mutating func resolveFiles(relativeTo file: String) {
        keysFile = keysFile.map { ConfigurationFile.path($0, relativeTo: file) }
        keysCAFile = keysCAFile.map { ConfigurationFile.path($0, relativeTo: file) }
    }

    /// The issuer that a traffic policy names, with all else by default.
    init(_ jwt: TrafficPolicy.JWT) {
        name = "policy"
        issuer = jwt.issuer
        audiences = [jwt.audience]
        keysFile = jwt.keysFile
        keysURL = jwt.keysURL
        keysCAFile = jwt.keysCAFile
        refreshInterval = jwt.refreshInterval
        clockSkew = jwt.clockSkew
        tenantClaim = jwt.tenantClaim
    }
}

extension Credentials {
    /// Reads all that a traffic policy says of access.
    ///
    /// - Parameter access: the policy's section, with absolute paths.
    /// - Returns: the credentials of its file, and the issuer that it names.
    /// - Throws: `ConfigurationError`.
    static func load(_ access: TrafficPolicy.Access) throws -> Credentials {
        var credentials = try access.apiKeysFile.map(load(file:)) ?? Credentials()
        guard let jwt = access.jwt else { return credentials }
        let issuer = Issuer(jwt)
        let isKnown = credentials.issuers.contains {
            $0.issuer == issuer.issuer || $0.name == issuer.name
        }
        guard !isKnown else {
            throw ConfigurationError(
                file: access.apiKeysFile ?? "",
                problems: [
                    .init(
                        line: nil,
                        text: "the issuer '\(issuer.issuer)', or one named 'policy', is also in "
                            + "the traffic policy; keep one of them")
                ])
        }
        credentials.issuers.append(issuer)
        return credentials
    }
}
