import MartletConfiguration

extension TrafficPolicy {
    /// Copies of requests that are sent elsewhere; nobody waits for their answers.
    struct Shadow: Sendable, Equatable {
        /// Where copies go.
        enum Target: Sendable, Equatable {
            /// To another pool.
            case pool(String)
            /// To another version of the same model, in the same pool.
            case version(VersionName)
        }

        var target: Target
        var share = Keys.share.standard
        var bodyBytesMax = Keys.bodyBytesMax.standard
        var concurrentRequestsMax = Keys.concurrentRequestsMax.standard
        var compare: Comparison?

        enum Keys {
            static let pool = ConfigurationKey(
                "pool", PolicyText.name, "The pool that copies go to.")
            static let version = VersionKeys.version(
                "The version of the same model, in the same pool, that copies go to.")
            static let label = VersionKeys.label("The same, by label.")
            static let share = ConfigurationKey(
                "percent", .percent(0.001...100), default: 1, "Share of the requests copied.")
            static let bodyBytesMax = ConfigurationKey(
                "body_bytes_max", .bytes(0...(1 << 30)), default: 1 << 20,
                "Largest request that is copied, and largest answer that is compared.")
            static let concurrentRequestsMax = ConfigurationKey(
                "concurrent_requests_max", .integer(1...100_000), default: 64,
                "Copies under way; beyond that requests are not copied.")
            static let compare = ConfigurationKey<Comparison?>(
                "compare", .section(), "Compares the answers; without it they are thrown away.")
        }
    }

    /// When two answers count as equal.
    struct Comparison: Sendable, Equatable {
        var absolute = Keys.absolute.standard
        var relative = Keys.relative.standard
        var ignoredKeys = Keys.ignoredKeys.standard

        enum Keys {
            static let absolute = ConfigurationKey(
                "absolute", .number(0...1e12), default: 1e-6,
                "Difference up to which two numbers are equal.")
            static let relative = ConfigurationKey(
                "relative", .number(0...1), default: 1e-4,
                "The same, as a part of the greater one; one of the two is enough.")
            static let ignoredKeys = ConfigurationKey(
                "ignore_keys", .list(.text("a key of answers"), count: 0...64),
                default: ["id", "model_version"],
                "Keys of answers that may differ, wherever they stand.")
        }
    }
}

extension TrafficPolicy.Comparison: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "compare", "When an answer and that to the copy count as equal.",
        keys: [Keys.absolute, Keys.relative, Keys.ignoredKeys])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        absolute = section.read(Keys.absolute, &problems)
        relative = section.read(Keys.relative, &problems)
        ignoredKeys = section.read(Keys.ignoredKeys, &problems)
    }
}

extension TrafficPolicy.Shadow: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "shadow", "Copies of requests that are sent elsewhere; nobody waits for their answers.",
        keys: [
            Keys.pool, Keys.version, Keys.label, Keys.share, Keys.bodyBytesMax,
            Keys.concurrentRequestsMax, Keys.compare,
        ],
        rules: [.exactlyOne(["pool", "version", "label"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let pool = section.read(Keys.pool, &problems).map { Target.pool($0) }
        let version = section.read(version: Keys.version, label: Keys.label, &problems)
            .map { Target.version($0) }
        share = section.read(Keys.share, &problems)
        bodyBytesMax = section.read(Keys.bodyBytesMax, &problems)
        concurrentRequestsMax = section.read(Keys.concurrentRequestsMax, &problems)
        compare = section.read(Keys.compare, &problems)
        guard let target = pool ?? version else { return nil }
        self.target = target
    }
}
