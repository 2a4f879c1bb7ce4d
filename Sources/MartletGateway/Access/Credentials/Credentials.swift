import MartletConfiguration

/// Who may ask the gateway for what: the content of the file of credentials, checked.
///
/// These are plain values. What a value means stands with its key, and in the reference. Secrets
/// are not among them, only their digests.
struct Credentials: Sendable, Equatable {
    /// All tenants that there are; empty if the file does not list them.
    var tenants: [Tenant] = []
    var keys: [Key] = []
    var certificates: [Certificate] = []
    var issuers: [Issuer] = []

    enum Keys {
        static let tenants = ConfigurationKey<[Tenant]>(
            "tenants", .list(.section(), count: 0...10_000), default: [],
            "Who credentials speak for. If there is a list, there are no others.")
        static let keys = ConfigurationKey<[Key]>(
            "keys", .list(.section(), count: 0...10_000), default: [],
            "API keys, of which only digests stand here.")
        static let certificates = ConfigurationKey<[Certificate]>(
            "certificates", .list(.section(), count: 0...1000), default: [],
            "Whom clients' certificates are for; the first that matches is taken.")
        static let issuers = ConfigurationKey<[Issuer]>(
            "issuers", .list(.section(), count: 0...32), default: [],
            "Whose JSON web tokens are taken.")
    }
}

extension Credentials: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "credentials", "Who may ask a gateway for what.",
        keys: [Keys.tenants, Keys.keys, Keys.certificates, Keys.issuers],
        rules: [.atLeastOne(["keys", "certificates", "issuers"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        tenants = section.read(Keys.tenants, &problems)
        keys = section.read(Keys.keys, &problems)
        certificates = section.read(Keys.certificates, &problems)
        issuers = section.read(Keys.issuers, &problems)
    }
}

extension Credentials {
    /// The bounds of the file.
    static var limits: ConfigurationDocument.Limits {
        var limits = ConfigurationDocument.Limits()
        // Room for as many keys as are taken, each with a scope and quotas.
        limits.bytes = 16 << 20
        limits.values = 1_000_000
        return limits
    }

    /// Reads a file.
    ///
    /// - Parameter file: its path, as the user gave it.
    /// - Returns: the credentials, checked, with absolute paths.
    /// - Throws: `ConfigurationError`.
    static func load(file: String) throws -> Credentials {
        let text = try ConfigurationFile.text(of: file, bytesMax: limits.bytes)
        return try parse(text, file: file)
    }

    /// Reads the text of a file.
    ///
    /// - Parameters:
    ///   - text: the YAML.
    ///   - file: where it came from; paths in it are relative to its folder.
    ///   - isReadable: whether there is a file at a path that can be read.
    /// - Returns: the credentials, checked, with absolute paths.
    /// - Throws: `ConfigurationError`, with everything that is wrong.
    static func parse(
        _ text: String, file: String,
        isReadable: @escaping (String) -> Bool = ConfigurationFile.isReadable
    ) throws -> Credentials {
        let value = try ConfigurationDocument.parse(
            text, file: file, limits: limits, marksColumns: true)
        var problems = ConfigurationProblems(marksColumns: true)
        let form = ConfigurationForm<Credentials>.section()
        guard var credentials = form.read(value, &problems) else {
            try problems.check(file: file)
            throw ConfigurationError(
                file: file, problems: [.init(line: 1, text: "is not a section of keys")])
        }
        for index in credentials.issuers.indices {
            credentials.issuers[index].resolveFiles(relativeTo: file)
        }
        CredentialsCheck(credentials, isReadable: isReadable).run(&problems)
        try problems.check(file: file)
        return credentials
    }

    /// The JSON schema of the file, for editors.
    static var schema: String {
        ConfigurationSchema(
            description, title: "credentials.yaml",
            identifier: "urn:martlet:schema:credentials"
        ).text
    }

    /// All keys of the file as tables in Markdown.
    static var reference: String { ConfigurationReference(description).text }
}
