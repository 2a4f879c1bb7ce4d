import MartletConfiguration

extension TrafficPolicy {
    /// Who may send requests.
    struct Access: Sendable, Equatable {
        var apiKeysFile: String?
        var jwt: JWT?
        var redis: Redis?

        enum Keys {
            static let apiKeysFile = ConfigurationKey(
                "api_keys_file", PolicyText.file,
                "File of API keys: their hashes, tenants, scopes and quotas. Read again when it "
                    + "changes.")
            static let jwt = ConfigurationKey<JWT?>(
                "jwt", .section(), "Takes JSON web tokens of an issuer.")
            static let redis = ConfigurationKey<Redis?>(
                "redis", .section(),
                "Shares quotas among gateways: what one lets in counts at all, within a moment.")
        }
    }

    /// JSON web tokens that are taken (RFC 7519).
    struct JWT: Sendable, Equatable {
        var issuer: String
        var audience: String
        var keysFile: String?
        var keysURL: String?
        var keysCAFile: String?
        var refreshInterval = Keys.refreshInterval.standard
        var clockSkew = Keys.clockSkew.standard
        var tenantClaim = Keys.tenantClaim.standard

        enum Keys {
            static let issuer = ConfigurationKey(
                "issuer", .text("the issuer, as tokens name it"), isRequired: true,
                "The claim `iss` that tokens must have.")
            static let audience = ConfigurationKey(
                "audience", .text("the audience, as tokens name it"), isRequired: true,
                "What the claim `aud` of tokens must have in it.")
            static let keysFile = ConfigurationKey(
                "jwks_file", PolicyText.file, "File with the issuer's keys (RFC 7517).")
            static let keysURL = ConfigurationKey(
                "jwks_url", PolicyText.secureURL, "Where the issuer's keys are fetched.")
            static let keysCAFile = ConfigurationKey(
                "jwks_ca_file", PolicyText.file,
                "Authorities that sign the certificate of the URL's host; those that the system "
                    + "trusts unless named. Read again at each fetch.")
            static let refreshInterval = ConfigurationKey(
                "refresh_seconds", .seconds(10...86_400), default: .seconds(300),
                "Seconds after which the keys are read again.")
            static let clockSkew = ConfigurationKey(
                "clock_skew_seconds", .seconds(0...600), default: .seconds(60),
                "Seconds by which the issuer's clock may be off.")
            static let tenantClaim = ConfigurationKey(
                "tenant_claim", .text("the name of a claim"), default: "sub",
                "The claim that names the tenant.")
        }
    }
}

extension TrafficPolicy.Access: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "access", "Who may send requests.", keys: [Keys.apiKeysFile, Keys.jwt, Keys.redis],
        rules: [.atLeastOne(["api_keys_file", "jwt"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        apiKeysFile = section.read(Keys.apiKeysFile, &problems)
        jwt = section.read(Keys.jwt, &problems)
        redis = section.read(Keys.redis, &problems)
    }
}

extension TrafficPolicy.JWT: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "jwt", "JSON web tokens that are taken.",
        keys: [
            Keys.issuer, Keys.audience, Keys.keysFile, Keys.keysURL, Keys.keysCAFile,
            Keys.refreshInterval, Keys.clockSkew, Keys.tenantClaim,
        ],
        rules: [
            .exactlyOne(["jwks_file", "jwks_url"]), .atMostOne(["jwks_file", "jwks_ca_file"]),
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let issuer = section.read(Keys.issuer, &problems)
        let audience = section.read(Keys.audience, &problems)
        keysFile = section.read(Keys.keysFile, &problems)
        keysURL = section.read(Keys.keysURL, &problems)
        keysCAFile = section.read(Keys.keysCAFile, &problems)
        refreshInterval = section.read(Keys.refreshInterval, &problems)
        clockSkew = section.read(Keys.clockSkew, &problems)
        tenantClaim = section.read(Keys.tenantClaim, &problems)
        guard let issuer, let audience else { return nil }
        self.issuer = issuer
        self.audience = audience
    }
}
