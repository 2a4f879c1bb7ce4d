/// The keys of one mapping of a configuration file.
public struct ConfigurationSection {
    /// The keys that lead here, such as `nodes`; empty for the whole file.
    public let keyPath: String
    /// The line it begins at.
    public let line: Int

    private let values: [String: ConfigurationValue]

    /// A section in which every key has its default.
    public init(keyPath: String, line: Int) {
        self.keyPath = keyPath
        self.line = line
        values = [:]
    }

    /// Reads the keys of a mapping, and notes those that nobody knows.
    public init(
        _ value: ConfigurationValue, keys: [String], problems: inout ConfigurationProblems
    ) {
        keyPath = value.keyPath
        line = value.line
        problems.note(value)
        guard let members = value.members else {
            values = [:]
            if !value.isEmpty {
                problems.add(
                    value,
                    "\(value.shown) is not a section; expected the keys \(Self.list(keys))")
            }
            return
        }
        var values: [String: ConfigurationValue] = [:]
        for member in members {
            guard let name = member.name, keys.contains(name) else {
                // The search for what was meant is long, and an endless file may make it often.
                let text = problems.isFull ? "" : Self.unknown(member.name ?? "?", keys: keys)
                problems.add(member.key, text)
                continue
            }
            values[name] = member.value
            problems.note(member.value)
        }
        self.values = values
    }

    /// The value of a key, if it is there.
    public subscript(key: String) -> ConfigurationValue? { values[key] }

    /// How many keys it has that are known.
    public var count: Int { values.count }

    /// The section under a key; one of defaults if it is absent.
    public func section(
        _ key: String, keys: [String], problems: inout ConfigurationProblems
    ) -> ConfigurationSection {
        guard let value = values[key] else {
            return ConfigurationSection(
                keyPath: ConfigurationValue.join(keyPath, key), line: line)
        }
        return ConfigurationSection(value, keys: keys, problems: &problems)
    }

    /// The whole number under a key, or its default.
    public func number(
        _ key: String, default standard: Int, in range: ClosedRange<Int>, unit: String = "",
        problems: inout ConfigurationProblems
    ) -> Int {
        values[key]?.integer(in: range, unit: unit, problems: &problems) ?? standard
    }

    /// The text under a key, which must not be empty; nil if it is absent or wrong.
    public func text(
        _ key: String, _ meaning: String, problems: inout ConfigurationProblems
    ) -> String? {
        values[key]?.text(meaning, problems: &problems)
    }

    /// Names of keys, as messages list them.
    static func list(_ keys: [String]) -> String {
        keys.map { "'\($0)'" }.joined(separator: ", ")
    }

    private static func unknown(_ key: String, keys: [String]) -> String {
        guard let nearest = nearestMatch(to: key, among: keys) else {
            return "unknown key; expected one of \(list(keys))"
        }
        return "unknown key; did you mean '\(nearest)'?"
    }
}

extension ConfigurationValue {
    /// The text that stands here, which must not be empty; nil, and a problem noted, if there is
    /// none.
    func text(_ meaning: String, problems: inout ConfigurationProblems) -> String? {
        guard !isEmpty, let text, !text.isEmpty else {
            let found = isEmpty || text != nil ? "no value" : "\(shown) is not a text"
            problems.add(self, "\(found); expected \(meaning)")
            return nil
        }
        return text
    }
}
