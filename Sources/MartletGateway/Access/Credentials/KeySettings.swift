import MartletConfiguration

extension Credentials {
    /// Who credentials speak for.
    struct Tenant: Sendable, Equatable {
        var name: String
        var isDisabled = false
        var quotas = AccessQuotas()

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.name, isRequired: true,
                "The name, as credentials, metrics and logs have it.")
            static let disabled = ConfigurationKey(
                "disabled", .boolean, default: false,
                "Whether all requests of the tenant are refused.")
            static let quotas = ConfigurationKey(
                "quotas", .section(), default: AccessQuotas(),
                "How much all credentials of the tenant may ask for together.")
        }
    }

    /// An API key.
    struct Key: Sendable, Equatable {
        var id: String
        var digest: SecretDigest
        var tenant: String
        var scope = AccessScope()
        var quotas = AccessQuotas()
        var expires: Timestamp?
        var isDisabled = false

        enum Keys {
            static let id = ConfigurationKey(
                "id", PolicyText.name, isRequired: true,
                "The name of the key, as metrics and logs have it.")
            static let digest = ConfigurationKey(
                "sha256", CredentialText.digest, isRequired: true,
                "The SHA-256 digest of the key; the key itself never stands here.")
            static let tenant = ConfigurationKey(
                "tenant", PolicyText.name, isRequired: true, "Who the key speaks for.")
            static let scope = ConfigurationKey(
                "scope", .section(), default: AccessScope(), "What it may ask for.")
            static let quotas = ConfigurationKey(
                "quotas", .section(), default: AccessQuotas(), "How much it may ask for.")
            static let expires = ConfigurationKey<Timestamp?>(
                "expires", CredentialText.timestamp,
                "The moment from which on it is refused; a day means its beginning in UTC.")
            static let disabled = ConfigurationKey(
                "disabled", .boolean, default: false, "Whether it is refused.")
        }
    }
}

extension Credentials.Tenant: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "tenant", "Who credentials speak for.", keys: [Keys.name, Keys.disabled, Keys.quotas])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        isDisabled = section.read(Keys.disabled, &problems)
        quotas = section.read(Keys.quotas, &problems)
        guard let name else { return nil }
        self.name = name
    }
}

extension Credentials.Key: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "key", "An API key.",
        keys: [
            Keys.id, Keys.digest, Keys.tenant, Keys.scope, Keys.quotas, Keys.expires,
            Keys.disabled,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let id = section.read(Keys.id, &problems)
        let digest = section.read(Keys.digest, &problems)
        let tenant = section.read(Keys.tenant, &problems)
        scope = section.read(Keys.scope, &problems)
        quotas = section.read(Keys.quotas, &problems)
        expires = section.read(Keys.expires, &problems)
        isDisabled = section.read(Keys.disabled, &problems)
        guard let id, let digest, let tenant else { return nil }
        self.id = id
        self.digest = digest
        self.tenant = tenant
    }
}
