import MartletConfiguration

/// A subject alternative name of a client's certificate that TLS has verified (RFC 5280, section
/// 4.2.1.6).
enum CertificateIdentity: Sendable, Hashable {
    case uri(String)
    case dns(String)
    case email(String)
}

extension Credentials {
    /// Whom clients' certificates are for.
    struct Certificate: Sendable, Equatable {
        /// Which certificates are meant: those with a subject alternative name of this form.
        enum Rule: Sendable, Equatable {
            case uri(GlobPattern)
            case dns(GlobPattern)
            case email(GlobPattern)
        }

        var name: String
        var rule: Rule
        var tenant: String
        var scope = AccessScope()
        var quotas = AccessQuotas()
        var isDisabled = false

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.name, isRequired: true,
                "The name of these clients, as metrics and logs have it.")
            static let uri = ConfigurationKey<GlobPattern?>(
                "uri", CredentialText.uri, "The URI that the certificate is for.")
            static let dns = ConfigurationKey<GlobPattern?>(
                "dns", CredentialText.dns,
                "The name in DNS that the certificate is for; upper and lower case are the same.")
            static let email = ConfigurationKey<GlobPattern?>(
                "email", CredentialText.email,
                "The e-mail address that the certificate is for; upper and lower case are the "
                    + "same behind the @.")
            static let tenant = ConfigurationKey(
                "tenant", PolicyText.name, isRequired: true, "Who the certificate speaks for.")
            static let scope = ConfigurationKey(
                "scope", .section(), default: AccessScope(), "What they may ask for.")
            static let quotas = ConfigurationKey(
                "quotas", .section(), default: AccessQuotas(),
                "How much all clients of this entry may ask for together.")
            static let disabled = ConfigurationKey(
                "disabled", .boolean, default: false, "Whether they are refused.")
        }

        /// Whether an identity is meant.
        func matches(_ identity: CertificateIdentity) -> Bool {
            switch (rule, identity) {
            case (.uri(let pattern), .uri(let name)): pattern.matches(name)
            case (.dns(let pattern), .dns(let name)): pattern.matches(name.lowercased())
            case (.email(let pattern), .email(let name)):
                pattern.matches(Certificate.canonical(email: name))
            default: false
            }
        }

        /// An address with what is behind the last `@` in lower case.
        fileprivate static func canonical(email: String) -> String {
            guard let at = email.lastIndex(of: "@") else { return email }
            return email[..<at] + email[at...].lowercased()
        }
    }
}

extension Credentials.Certificate: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "certificate", "Whom clients' certificates are for, by a subject alternative name.",
        keys: [
            Keys.name, Keys.uri, Keys.dns, Keys.email, Keys.tenant, Keys.scope, Keys.quotas,
            Keys.disabled,
        ],
        rules: [.exactlyOne(["uri", "dns", "email"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        let rule = Rule(
            uri: section.read(Keys.uri, &problems), dns: section.read(Keys.dns, &problems),
            email: section.read(Keys.email, &problems))
        let tenant = section.read(Keys.tenant, &problems)
        scope = section.read(Keys.scope, &problems)
        quotas = section.read(Keys.quotas, &problems)
        isDisabled = section.read(Keys.disabled, &problems)
        guard let name, let rule, let tenant else { return nil }
        self.name = name
        self.rule = rule
        self.tenant = tenant
    }
}

extension Credentials.Certificate.Rule {
    /// The one rule that is given, in the form in which identities are compared; nil without any.
    fileprivate init?(uri: GlobPattern?, dns: GlobPattern?, email: GlobPattern?) {
        if let uri {
            self = .uri(uri)
        } else if let dns, let pattern = GlobPattern(dns.text.lowercased(), separator: 0x2E) {
            self = .dns(pattern)
        } else if let email,
            let pattern = GlobPattern(
                Credentials.Certificate.canonical(email: email.text), separator: 0x40)
        {
            self = .email(pattern)
        } else {
            return nil
        }
    }
}
