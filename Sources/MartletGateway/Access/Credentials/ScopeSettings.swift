import MartletConfiguration

extension AccessScope {
    enum Keys {
        static let models = ConfigurationKey<[GlobPattern]>(
            "models", .list(CredentialText.model, count: 1...1000), default: [],
            "The models that may be asked for; all unless given.")
        static let verbs = ConfigurationKey<[AccessVerb]>(
            "verbs", .list(.word(), count: 1...9), default: [],
            "What may be asked; all but `admin` unless given. `any` is all of them.")
        static let highest = ConfigurationKey<RequestPriority>(
            "priority_highest", .word(), default: standardPriorities.lowerBound,
            "The priority that matters most which requests may have.")
        static let lowest = ConfigurationKey<RequestPriority>(
            "priority_lowest", .word(), default: standardPriorities.upperBound,
            "The priority that matters least which requests may have.")
    }
}

extension AccessScope: ConfigurationReadable {
    static let description = ConfigurationSectionDescription(
        "scope", "What may be asked for.",
        keys: [Keys.models, Keys.verbs, Keys.highest, Keys.lowest])

    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
        let patterns = section.read(Keys.models, &problems)
        let verbs = section.read(Keys.verbs, &problems)
        let highest = section.read(Keys.highest, &problems)
        let lowest = section.read(Keys.lowest, &problems)
        guard highest <= lowest else {
            problems.add(
                at: "\(section.keyPath).priority_lowest",
                "'\(lowest.rawValue)' matters more than priority_highest, which is "
                    + "'\(highest.rawValue)'; exchange them")
            return nil
        }
        self.init(
            models: patterns.isEmpty ? [] : [patterns],
            verbs: verbs.isEmpty ? .standard : AccessVerbs(verbs), priorities: highest...lowest)
    }
}
