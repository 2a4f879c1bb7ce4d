/// What may stand somewhere in a configuration file, as the schema and the reference tell it.
public indirect enum ConfigurationKind: Sendable {
    /// `true` or `false`.
    case boolean
    /// A whole number.
    case integer(ClosedRange<Int>)
    /// A number with or without a fraction.
    case number(ClosedRange<Double>)
    /// A number of bytes, with or without a unit.
    case bytes(ClosedRange<Int>)
    /// A text.
    case text(ConfigurationText)
    /// One of a few words.
    case word([String])
    /// A list.
    case list(of: ConfigurationKind, count: ClosedRange<Int>)
    /// Keys that the user chooses, each with a value of one kind.
    case map(to: ConfigurationKind, countMax: Int)
    /// Keys that are known.
    case section(ConfigurationSectionDescription)
    /// A text for what is usual, a section for more.
    case textOrSection(ConfigurationText, ConfigurationSectionDescription)
}

/// What a text means, and which texts are taken.
public struct ConfigurationText: Sendable {
    /// What it is, such as `the name of a pool`.
    public let meaning: String
    /// A regular expression (ECMA-262) that each text which is taken matches as a whole; for
    /// editors, which may take more than the reader does.
    public let pattern: String?

    /// Describes a text.
    public init(_ meaning: String, pattern: String? = nil) {
        self.meaning = meaning
        self.pattern = pattern
    }
}

/// Which keys of a section may or must stand together.
public enum ConfigurationRule: Sendable, Equatable {
    /// One of these, and no other of them.
    case exactlyOne([String])
    /// One of these or none.
    case atMostOne([String])
    /// One of these or more.
    case atLeastOne([String])
    /// One of these or more, unless what they say is given with the file:
    /// ``ConfigurationProblems/isCompletedElsewhere``.
    case atLeastOneOrGiven([String])
}

/// One key of a section, without the type of its value.
public struct ConfigurationKeyDescription: Sendable {
    /// The key.
    public let name: String
    /// What may stand behind it.
    public let kind: ConfigurationKind
    /// What it does, in sentences.
    public let summary: String
    /// The value without it, as the file would say it; nil if there is none.
    public let standard: String?
    /// Whether it has to be there.
    public let isRequired: Bool
    /// Whether a change takes effect only at the next start.
    public let needsRestart: Bool
}

/// A section: its keys and which of them go together.
public struct ConfigurationSectionDescription: Sendable {
    /// The name of its definition in the schema.
    public let name: String
    /// What it is for, in sentences.
    public let summary: String
    /// Its keys, in the order in which they are listed.
    public let keys: [ConfigurationKeyDescription]
    /// Which keys go together.
    public let rules: [ConfigurationRule]

    /// Describes a section.
    public init(
        _ name: String, _ summary: String, keys: [any DescribedKey],
        rules: [ConfigurationRule] = []
    ) {
        self.name = name
        self.summary = summary
        self.keys = keys.map(\.description)
        self.rules = rules
    }
}

/// A key that can say what it is.
public protocol DescribedKey: Sendable {
    /// The key without the type of its value.
    var description: ConfigurationKeyDescription { get }
}
