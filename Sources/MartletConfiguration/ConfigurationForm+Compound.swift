/// A value that is read out of a section.
public protocol ConfigurationReadable: Sendable {
    /// The section's keys.
    static var description: ConfigurationSectionDescription { get }

    /// Reads the section; nil, and a problem noted, if it lacks what it cannot be without.
    init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems)
}

extension ConfigurationForm where Value: ConfigurationReadable {
    /// A section.
    public static func section() -> Self {
        ConfigurationForm(kind: .section(Value.description)) { value, problems in
            ConfigurationSection(value, Value.description, &problems)
                .flatMap { Value($0, &problems) }
        }
    }

    /// A text for what is usual, a section for more.
    public static func textOrSection(
        _ text: ConfigurationText, parse: @escaping @Sendable (String) -> ConfigurationParsed<Value>
    ) -> Self {
        let short = ConfigurationForm.text(text, parse: parse)
        let long = ConfigurationForm.section()
        return ConfigurationForm(kind: .textOrSection(text, Value.description)) { value, problems in
            value.keyCount == nil ? short.read(value, &problems) : long.read(value, &problems)
        }
    }
}

extension ConfigurationForm {
    /// A list of so many items.
    public static func list<Item: Sendable>(
        _ item: ConfigurationForm<Item>, count: ClosedRange<Int>
    ) -> ConfigurationForm<[Item]> where Value == [Item] {
        ConfigurationForm(
            kind: .list(of: item.kind, count: count),
            written: { items in
                let texts = items.compactMap { item.written($0) }
                return texts.count == items.count ? "[\(texts.joined(separator: ", "))]" : nil
            },
            read: { value, problems in
                guard let items = value.items else {
                    let found = value.isEmpty ? "no value" : "\(value.shown) is not a list"
                    problems.add(value, "\(found); expected a list")
                    return nil
                }
                problems.note(value)
                guard count.contains(items.count) else {
                    problems.add(
                        value,
                        "a list of \(items.count) items; expected "
                            + "\(count.lowerBound) to \(count.upperBound)")
                    return nil
                }
                return items.compactMap { itemValue in
                    problems.note(itemValue)
                    let found = item.read(itemValue, &problems)
                    if found == nil { problems.noteDropped(itemValue, from: value) }
                    return found
                }
            })
    }

    /// Keys that the user chooses, in their order, each with a value.
    ///
    /// - Parameters:
    ///   - item: how a value is written.
    ///   - countMax: how many keys there may be.
    ///   - fault: what is wrong with a key, as the end of a sentence that begins with the key.
    /// - Returns: the form.
    public static func map<Item: Sendable>(
        to item: ConfigurationForm<Item>, countMax: Int,
        fault: @escaping @Sendable (String) -> String?
    ) -> ConfigurationForm<[ConfigurationEntry<Item>]> where Value == [ConfigurationEntry<Item>] {
        ConfigurationForm(
            kind: .map(to: item.kind, countMax: countMax), written: { $0.isEmpty ? "{}" : nil },
            read: { value, problems in
                guard let members = value.members, members.count <= countMax else {
                    let found =
                        value.keyCount.map { "a section of \($0) keys" }
                        ?? (value.isEmpty ? "no value" : "\(value.shown) is not a section")
                    problems.add(value, "\(found); expected at most \(countMax) keys with values")
                    return nil
                }
                return members.compactMap { $0.entry(item, fault: fault, problems: &problems) }
            })
    }
}

/// A key that the user chose, and its value.
public struct ConfigurationEntry<Value: Sendable>: Sendable {
    /// The key.
    public let key: String
    /// The value.
    public let value: Value

    /// Creates an entry.
    public init(_ key: String, _ value: Value) {
        self.key = key
        self.value = value
    }
}

extension ConfigurationEntry: Equatable where Value: Equatable {}
