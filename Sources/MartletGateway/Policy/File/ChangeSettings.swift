import MartletConfiguration

extension TrafficPolicy {
    /// Which header fields are changed: first some are removed, then some set, then some added.
    struct HeaderChanges: Sendable, Equatable {
        var remove: [String] = []
        var set: [ConfigurationEntry<String>] = []
        var add: [ConfigurationEntry<String>] = []

        enum Keys {
            private static let values = ConfigurationForm<[ConfigurationEntry<String>]>.map(
                to: PolicyText.headerValue, countMax: 64, fault: PolicyText.changedHeaderFault)

            static let remove = ConfigurationKey(
                "remove",
                .list(
                    .text(
                        ConfigurationText("the name of a header field"),
                        fault: PolicyText.changedHeaderFault),
                    count: 0...64),
                default: [], "Fields that are taken away.")
            static let set = ConfigurationKey(
                "set", values, default: [],
                "Fields that get this value in place of any they have.")
            static let add = ConfigurationKey(
                "add", values, default: [], "Fields that get this value besides those they have.")
        }
    }

    /// Which header fields are changed, on both ways.
    struct HeaderSettings: Sendable, Equatable {
        var request = HeaderChanges()
        var response = HeaderChanges()

        enum Keys {
            static let request = ConfigurationKey(
                "request", .section(), default: HeaderChanges(), "In requests, before they go on.")
            static let response = ConfigurationKey(
                "response", .section(), default: HeaderChanges(),
                "In answers, before clients get them.")
        }
    }

    /// A version of a model, by number or label.
    enum VersionName: Sendable, Equatable, Hashable, CustomStringConvertible {
        case number(Int)
        case label(String)

        /// The version as logs show it.
        var description: String {
            switch self {
            case .number(let number): "version \(number)"
            case .label(let label): "label \(label)"
            }
        }
    }

    /// What is changed in a request's path.
    struct Rewrite: Sendable, Equatable {
        var pathPrefix: String?
        var model: String?
        var version: VersionName?

        enum Keys {
            static let pathPrefix = ConfigurationKey(
                "path_prefix", PolicyText.path,
                "What stands in place of the `path_prefix` of `match`.")
            static let model = ConfigurationKey(
                "model", PolicyText.model,
                "The model that is asked instead; of requests that name one in their path.")
            static let version = VersionKeys.version(
                "The version that is asked instead; of requests that name a model in their path.")
            static let label = VersionKeys.label("The same, by label.")
        }
    }

    /// The two keys that name a version.
    enum VersionKeys {
        static func version(_ summary: String) -> ConfigurationKey<Int?> {
            ConfigurationKey("version", .integer(0...Int.max), summary)
        }

        static func label(_ summary: String) -> ConfigurationKey<String?> {
            ConfigurationKey("label", PolicyText.label, summary)
        }
    }
}

extension ConfigurationSection {
    /// The version that one of two keys names; nil if neither is there.
    func read(
        version: ConfigurationKey<Int?>, label: ConfigurationKey<String?>,
        _ problems: inout ConfigurationProblems
    ) -> TrafficPolicy.VersionName? {
        let number = read(version, &problems).map { TrafficPolicy.VersionName.number($0) }
        let name = read(label, &problems).map { TrafficPolicy.VersionName.label($0) }
        return number ?? name
    }
}

extension TrafficPolicy.HeaderChanges: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "header_changes",
        "Which header fields are changed: first some are removed, then some set, then some added.",
        keys: [Keys.remove, Keys.set, Keys.add])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        remove = section.read(Keys.remove, &problems)
        set = section.read(Keys.set, &problems)
        add = section.read(Keys.add, &problems)
    }
}

extension TrafficPolicy.HeaderSettings: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "headers", "Which header fields are changed.", keys: [Keys.request, Keys.response])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        request = section.read(Keys.request, &problems)
        response = section.read(Keys.response, &problems)
    }
}

extension TrafficPolicy.Rewrite: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "rewrite", "What is changed in a request's path.",
        keys: [Keys.pathPrefix, Keys.model, Keys.version, Keys.label],
        rules: [
            .atLeastOne(["path_prefix", "model", "version", "label"]),
            .atMostOne(["path_prefix", "version", "label"]), .atMostOne(["path_prefix", "model"]),
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        pathPrefix = section.read(Keys.pathPrefix, &problems)
        model = section.read(Keys.model, &problems)
        version = section.read(version: Keys.version, label: Keys.label, &problems)
    }
}
