import MartletConfiguration

extension TrafficPolicy {
    /// Which paths are meant.
    enum PathRule: Sendable, Equatable {
        /// This path alone.
        case exact(String)
        /// This path and all below it.
        case prefix(String)
        /// All paths of this form.
        case template(String)
    }

    /// What a header field must be.
    struct HeaderRule: Sendable, Equatable {
        /// The condition.
        enum Condition: Sendable, Equatable {
            case exact(String)
            case prefix(String)
            /// Whether it is there.
            case present(Bool)
        }

        var name: String
        var condition = Condition.present(true)

        enum Keys {
            static let name = ConfigurationKey(
                "name", PolicyText.headerName, isRequired: true,
                "The field's name; upper and lower case are the same.")
            static let exact = ConfigurationKey(
                "exact", PolicyText.headerValue, "The value that its first value must be.")
            static let prefix = ConfigurationKey(
                "prefix", PolicyText.headerValue, "How its first value must begin.")
            static let present = ConfigurationKey<Bool?>(
                "present", .boolean,
                "Whether it must be there or must not; it must unless anything is given.")
        }
    }

    /// Which requests are meant: those of which all is true that is given.
    struct Match: Sendable, Equatable {
        var hosts: [String] = []
        var path: PathRule?
        var methods: [String] = []
        var headers: [HeaderRule] = []
        var models: [String] = []

        enum Keys {
            static let hosts = ConfigurationKey(
                "hosts", .list(PolicyText.hostPattern, count: 1...256), default: [],
                "Requests to one of these hosts, any port; `*.example.com` stands for all below "
                    + "example.com, not for itself.")
            static let pathExact = ConfigurationKey(
                "path_exact", PolicyText.path, "Requests for this path.")
            static let pathPrefix = ConfigurationKey(
                "path_prefix", PolicyText.path,
                "Requests for this path and all below it: `/v1/models/a` stands for "
                    + "`/v1/models/a/versions/1` and `/v1/models/a:predict`, not for "
                    + "`/v1/models/ab`.")
            static let pathTemplate = ConfigurationKey(
                "path_template", PolicyText.template,
                "Requests for a path of this form; a variable stands for one or more characters "
                    + "other than `/` and `:`.")
            static let methods = ConfigurationKey(
                "methods", .list(PolicyText.method, count: 1...32), default: [],
                "Requests with one of these methods.")
            static let headers = ConfigurationKey<[HeaderRule]>(
                "headers", .list(.section(), count: 1...32), default: [],
                "Requests with all of these header fields.")
            static let models = ConfigurationKey(
                "models", .list(PolicyText.model, count: 1...1000), default: [],
                "Requests for one of these models, by OpenAI's API also for its versions, labels "
                    + "and adapters. Where the name is in the body (OpenAI, gRPC) the route is "
                    + "chosen once that has come.")
        }
    }
}

extension TrafficPolicy.HeaderRule: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "match_header", "What a header field of a request must be.",
        keys: [Keys.name, Keys.exact, Keys.prefix, Keys.present],
        rules: [.atMostOne(["exact", "prefix", "present"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let name = section.read(Keys.name, &problems)
        if let exact = section.read(Keys.exact, &problems) { condition = .exact(exact) }
        if let prefix = section.read(Keys.prefix, &problems) { condition = .prefix(prefix) }
        if let present = section.read(Keys.present, &problems) { condition = .present(present) }
        guard let name else { return nil }
        self.name = name
    }
}

extension TrafficPolicy.Match: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "match", "Which requests are meant: those of which all is true that is given.",
        keys: [
            Keys.hosts, Keys.pathExact, Keys.pathPrefix, Keys.pathTemplate, Keys.methods,
            Keys.headers, Keys.models,
        ],
        rules: [.atMostOne(["path_exact", "path_prefix", "path_template"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        hosts = section.read(Keys.hosts, &problems)
        if let path = section.read(Keys.pathExact, &problems) { self.path = .exact(path) }
        if let path = section.read(Keys.pathPrefix, &problems) { self.path = .prefix(path) }
        if let path = section.read(Keys.pathTemplate, &problems) { self.path = .template(path) }
        methods = section.read(Keys.methods, &problems)
        headers = section.read(Keys.headers, &problems)
        models = section.read(Keys.models, &problems)
    }
}
