public import MartletConfiguration

extension TrafficPolicy {
    /// A policy that was read, and what is probably not meant in it.
    public struct Reading: Sendable {
        /// The policy.
        public let policy: TrafficPolicy
        /// What can be done but is probably not meant, in the order of lines.
        public let warnings: [ConfigurationError.Problem]
    }

    /// The bounds of the file.
    public static let limits = ConfigurationDocument.Limits()

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - file: its path, as the user gave it.
    ///   - nodes: the nodes that it is about, where flags name them; `nil` if it names its own.
    /// - Returns: the policy, checked, with absolute paths.
    /// - Throws: `ConfigurationError`.
    public static func load(file: String, nodes: GivenNodes? = nil) throws -> Reading {
        let text = try ConfigurationFile.text(of: file, bytesMax: limits.bytes)
        return try parse(text, file: file, nodes: nodes)
    }

    /// Reads the text of a file.
    ///
    /// - Parameters:
    ///   - text: the YAML.
    ///   - file: where it came from; paths in it are relative to its folder.
    ///   - nodes: the nodes that it is about, where flags name them; `nil` if it names its own.
    ///   - isReadable: whether there is a file at a path that can be read.
    /// - Returns: the policy, checked, with absolute paths.
    /// - Throws: `ConfigurationError`, with everything that is wrong.
    public static func parse(
        _ text: String, file: String, nodes: GivenNodes? = nil,
        isReadable: @escaping (String) -> Bool = ConfigurationFile.isReadable
    ) throws -> Reading {
        let value = try ConfigurationDocument.parse(
            text, file: file, limits: limits, marksColumns: true)
        var problems = ConfigurationProblems(
            marksColumns: true, isCompletedElsewhere: nodes != nil)
        let form = ConfigurationForm<TrafficPolicy>.section()
        guard var policy = form.read(value, &problems) else {
            try problems.check(file: file)
            throw ConfigurationError(
                file: file, problems: [.init(line: 1, text: "is not a section of keys")])
        }
        let places = PolicyCheck(policy, problems, isReadable: isReadable)
        policy.changeFiles(poolPaths: places.poolPaths) { _, path in
            ConfigurationFile.path(path, relativeTo: file)
        }
        if let nodes { policy.take(nodes, &problems) }
        PolicyCheck(policy, problems, isReadable: isReadable).run(&problems)
        try problems.check(file: file)
        // The files of these are told by flags, and are not relative to the policy's.
        if let tls = nodes?.pool.tls, let first = policy.pools.indices.first {
            policy.pools[first].tls = tls
        }
        return Reading(policy: policy, warnings: problems.sortedWarnings)
    }

    /// The JSON schema of the file, for editors.
    public static var schema: String {
        ConfigurationSchema(
            description, title: "gateway.yaml",
            identifier: "urn:martlet:schema:gateway"
        ).text
    }

    /// All keys of the file as tables in Markdown.
    public static var reference: String { ConfigurationReference(description).text }

    /// Where clients reach the gateway.
    public var listenAddress: HostAndPort { HostAndPort(host: listen.host, port: listen.port) }

    /// Whether clients speak TLS with the gateway.
    public var isEncrypted: Bool { tls != nil }

    /// Where operators reach the gateway.
    public var adminAddress: HostAndPort { HostAndPort(host: admin.host, port: admin.port) }

    /// What differs from another policy and takes effect only at the next start, as keys.
    public func changesThatNeedRestart(from other: TrafficPolicy) -> [String] {
        [
            ("listen.host", listen.host != other.listen.host),
            ("listen.port", listen.port != other.listen.port),
            ("listen.reuse_port", listen.reusePort != other.listen.reusePort),
            ("admin.host", admin.host != other.admin.host),
            ("admin.port", admin.port != other.admin.port),
            ("admin.hosts", admin.hosts != other.admin.hosts),
            ("admin.token_file", admin.tokenFile != other.admin.tokenFile),
            ("admin.reads", admin.reads != other.admin.reads),
            ("tls", tls != other.tls),
            ("access.redis", access?.redis != other.access?.redis),
            ("cache.redis", cache.redis != other.cache.redis),
        ].filter(\.1).map(\.0)
    }
}
