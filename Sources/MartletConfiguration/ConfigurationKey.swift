/// A key of a section, with all that there is to know of it: the reader, the schema and the
/// reference take it from here.
public struct ConfigurationKey<Value: Sendable>: DescribedKey {
    /// The key.
    public let name: String
    /// The value where the key is absent.
    public let standard: Value

    /// The key without the type of its value.
    public let description: ConfigurationKeyDescription

    private let read: @Sendable (ConfigurationValue, inout ConfigurationProblems) -> Value?

    /// A key with a default.
    public init(
        _ name: String, _ form: ConfigurationForm<Value>, default standard: Value,
        needsRestart: Bool = false, _ summary: String
    ) {
        self.name = name
        self.standard = standard
        read = form.read
        description = ConfigurationKeyDescription(
            name: name, kind: form.kind, summary: summary, standard: form.written(standard),
            isRequired: false, needsRestart: needsRestart)
    }

    /// A key without a default.
    public init<Wrapped>(
        _ name: String, _ form: ConfigurationForm<Wrapped>, isRequired: Bool = false,
        needsRestart: Bool = false, _ summary: String
    ) where Value == Wrapped? {
        self.name = name
        standard = nil
        read = { value, problems in
            // Two levels of optional: what was read, and whether anything was.
            form.read(value, &problems).map { .some($0) }
        }
        description = ConfigurationKeyDescription(
            name: name, kind: form.kind, summary: summary, standard: nil, isRequired: isRequired,
            needsRestart: needsRestart)
    }

    fileprivate func value(
        in section: ConfigurationSection, _ problems: inout ConfigurationProblems
    ) -> Value {
        section[name].flatMap { read($0, &problems) } ?? standard
    }
}

extension ConfigurationSection {
    /// Reads the keys of a section that is described, and notes strange, missing and contradictory
    /// ones; nil if it is no section.
    init?(
        _ value: ConfigurationValue, _ description: ConfigurationSectionDescription,
        _ problems: inout ConfigurationProblems
    ) {
        self.init(value, keys: description.keys.map(\.name), problems: &problems)
        guard value.isEmpty || value.keyCount != nil else { return nil }
        let missing = description.keys.filter { $0.isRequired && self[$0.name] == nil }
        // A strange key is probably the missing one, misspelt.
        let isStrange = (value.keyCount ?? 0) > count
        if !isStrange {
            for key in missing { problems.add(value, "'\(key.name)' is missing; add it") }
        }
        for rule in description.rules {
            let isGiven = isStrange || problems.isCompletedElsewhere
            if let fault = fault(of: rule, isStrange: isStrange, isGiven: isGiven) {
                problems.add(value, fault)
            }
        }
    }

    /// The value of a key, or its default, if it is absent or wrong.
    public func read<Value>(
        _ key: ConfigurationKey<Value>, _ problems: inout ConfigurationProblems
    ) -> Value {
        key.value(in: self, &problems)
    }

    private func fault(
        of rule: ConfigurationRule, isStrange: Bool, isGiven: Bool
    ) -> String? {
        switch rule {
        case .exactlyOne(let keys):
            let present = keys.filter { self[$0] != nil }
            if present.isEmpty { return isStrange ? nil : Self.missing(keys) }
            return present.count > 1 ? Self.tooMany(present) : nil
        case .atMostOne(let keys):
            let present = keys.filter { self[$0] != nil }
            return present.count > 1 ? Self.tooMany(present) : nil
        case .atLeastOne(let keys):
            return isStrange || keys.contains { self[$0] != nil } ? nil : Self.missing(keys)
        case .atLeastOneOrGiven(let keys):
            return isGiven || keys.contains { self[$0] != nil } ? nil : Self.missing(keys)
        }
    }

    private static func missing(_ keys: [String]) -> String {
        "one of \(list(keys)) is missing; add it"
    }

    private static func tooMany(_ keys: [String]) -> String {
        "\(list(keys)) exclude each other; keep one of them"
    }
}

extension ConfigurationValue.Member {
    /// One of the keys that the user chose, with its value; nil, and a problem noted, if it is
    /// wrong.
    func entry<Item: Sendable>(
        _ item: ConfigurationForm<Item>, fault: (String) -> String?,
        problems: inout ConfigurationProblems
    ) -> ConfigurationEntry<Item>? {
        let isControlled =
            name?.unicodeScalars.contains { $0.properties.generalCategory == .control } ?? false
        guard let name else {
            problems.add(key, "\(key.shown) is not a text")
            return nil
        }
        if let fault = isControlled ? "contains a control character" : fault(name) {
            problems.add(key, "\(key.shown) \(fault)")
            return nil
        }
        problems.note(value)
        return item.read(value, &problems).map { ConfigurationEntry(name, $0) }
    }
}
