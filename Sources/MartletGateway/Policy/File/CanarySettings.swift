import MartletConfiguration

extension TrafficPolicy {
    /// How a new version of a model takes over.
    struct Canary: Sendable, Equatable {
        var model: String
        var baseline: VersionName
        var candidate: VersionName
        var weightStart = Keys.weightStart.standard
        var weightStep = Keys.weightStep.standard
        var weightMax = Keys.weightMax.standard
        var interval = Keys.interval.standard
        var requestsMin = Keys.requestsMin.standard
        var stickyHeader: String?
        var rollback = Rollback()

        enum Keys {
            static let model = ConfigurationKey(
                "model", PolicyText.model, isRequired: true,
                "The model; requests of the route for other models are left alone.")
            static let baseline = ConfigurationKey<VersionChoice?>(
                "baseline", .section(), isRequired: true, "The version that serves now.")
            static let candidate = ConfigurationKey<VersionChoice?>(
                "candidate", .section(), isRequired: true, "The version that is to take over.")
            static let weightStart = ConfigurationKey(
                "weight_percent_start", .percent(0.01...100), default: 0.05,
                "Share of the requests that the candidate gets first.")
            static let weightStep = ConfigurationKey(
                "weight_percent_step", .percent(0.01...100), default: 0.1,
                "By how much its share grows.")
            static let weightMax = ConfigurationKey(
                "weight_percent_max", .percent(0.01...100), default: 1,
                "The share at which it stays.")
            static let interval = ConfigurationKey(
                "interval_seconds", .seconds(1...604_800), default: .seconds(300),
                "Seconds that each share is watched before the next one.")
            static let requestsMin = ConfigurationKey(
                "requests_min", .integer(10...1_000_000), default: 100,
                "Requests that both versions must have answered before they are compared.")
            static let stickyHeader = ConfigurationKey(
                "sticky_header", PolicyText.headerName,
                "The header field by whose value clients stay with a version; each request is on "
                    + "its own unless given.")
            static let rollback = ConfigurationKey(
                "rollback", .section(), default: Rollback(),
                "When the candidate is taken back.")
        }
    }

    /// When a candidate is taken back.
    struct Rollback: Sendable, Equatable {
        var errorRateIncreaseMax = Keys.errorRateIncreaseMax.standard
        var errorRateMax: Double?
        var latencyRatioMax = Keys.latencyRatioMax.standard
        var latencyMax: Duration?

        enum Keys {
            static let errorRateIncreaseMax = ConfigurationKey(
                "error_percent_increase_max", .percent(), default: 0.01,
                "Percentage points by which its error rate may be above the baseline's.")
            static let errorRateMax = ConfigurationKey(
                "error_percent_max", .percent(), "The highest error rate it may have.")
            static let latencyRatioMax = ConfigurationKey(
                "latency_ratio_p99_max", .number(1...1000), default: 1.5,
                "Multiple of the baseline's 99th percentile of latency that its own may be.")
            static let latencyMax = ConfigurationKey(
                "latency_ms_p99_max", .milliseconds(0.1...3_600_000),
                "The highest 99th percentile of latency it may have.")
        }
    }

    /// A version in a section of its own.
    struct VersionChoice: Sendable, Equatable {
        var name: VersionName

        enum Keys {
            static let version = VersionKeys.version("Its number.")
            static let label = VersionKeys.label("Its label.")
        }
    }
}

extension TrafficPolicy.VersionChoice: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "version", "A version of a model.", keys: [Keys.version, Keys.label],
        rules: [.exactlyOne(["version", "label"])])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        guard let name = section.read(version: Keys.version, label: Keys.label, &problems) else {
            return nil
        }
        self.name = name
    }
}

extension TrafficPolicy.Rollback: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "rollback", "When a candidate is taken back, at once and for good.",
        keys: [
            Keys.errorRateIncreaseMax, Keys.errorRateMax, Keys.latencyRatioMax, Keys.latencyMax,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        errorRateIncreaseMax = section.read(Keys.errorRateIncreaseMax, &problems)
        errorRateMax = section.read(Keys.errorRateMax, &problems)
        latencyRatioMax = section.read(Keys.latencyRatioMax, &problems)
        latencyMax = section.read(Keys.latencyMax, &problems)
    }
}

extension TrafficPolicy.Canary: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "canary",
        "How a new version of a model takes over: its share grows step by step while it is no "
            + "worse than the version before.",
        keys: [
            Keys.model, Keys.baseline, Keys.candidate, Keys.weightStart, Keys.weightStep,
            Keys.weightMax, Keys.interval, Keys.requestsMin, Keys.stickyHeader, Keys.rollback,
        ])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let model = section.read(Keys.model, &problems)
        let baseline = section.read(Keys.baseline, &problems)
        let candidate = section.read(Keys.candidate, &problems)
        weightStart = section.read(Keys.weightStart, &problems)
        weightStep = section.read(Keys.weightStep, &problems)
        weightMax = section.read(Keys.weightMax, &problems)
        interval = section.read(Keys.interval, &problems)
        requestsMin = section.read(Keys.requestsMin, &problems)
        stickyHeader = section.read(Keys.stickyHeader, &problems)
        rollback = section.read(Keys.rollback, &problems)
        guard let model, let baseline, let candidate else { return nil }
        self.model = model
        self.baseline = baseline.name
        self.candidate = candidate.name
    }
}
