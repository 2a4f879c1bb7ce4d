/// Writes the description of a configuration file as a JSON schema, for editors.
///
/// Source: JSON Schema, draft 2020-12. The schema takes at least what the reader takes, but for
/// sections with nothing in them; checks across the file are the reader's alone.
public struct ConfigurationSchema {
    private let root: ConfigurationSectionDescription
    private let title: String
    private let identifier: String

    /// Describes a file.
    ///
    /// - Parameters:
    ///   - root: the section that the whole file is.
    ///   - title: what people call the file.
    ///   - identifier: the schema's URL.
    public init(_ root: ConfigurationSectionDescription, title: String, identifier: String) {
        self.root = root
        self.title = title
        self.identifier = identifier
    }

    /// The schema.
    public var text: String {
        var members: [(String, JSONText)] = [
            ("$schema", .string("https://json-schema.org/draft/2020-12/schema")),
            ("$id", .string(identifier)),
            ("title", .string(title)),
        ]
        members += ConfigurationSchema.members(of: root)
        let sections = root.sections.filter { $0.name != root.name }
        members.append(
            (
                "$defs",
                .object(
                    sections.map { ($0.name, .object(ConfigurationSchema.members(of: $0))) })
            ))
        return JSONText.object(members).written() + "\n"
    }

    private static func members(
        of section: ConfigurationSectionDescription
    ) -> [(String, JSONText)] {
        var members: [(String, JSONText)] = [
            ("description", .string(section.summary)),
            ("type", .string("object")),
            ("additionalProperties", .raw("false")),
        ]
        let required = section.keys.filter(\.isRequired)
        if !required.isEmpty {
            members.append(("required", .array(required.map { .string($0.name) })))
        }
        let rules = section.rules.compactMap(rule)
        if !rules.isEmpty {
            members.append(("allOf", .array(rules)))
        }
        members.append(("properties", .object(section.keys.map { ($0.name, property($0)) })))
        return members
    }

    private static func property(_ key: ConfigurationKeyDescription) -> JSONText {
        let note = key.needsRestart ? " A change takes effect at the next start." : ""
        var members: [(String, JSONText)] = [("description", .string(key.summary + note))]
        members += kind(key.kind)
        if let standard = key.standard.flatMap({ literal($0, key.kind) }) {
            members.append(("default", standard))
        }
        return .object(members)
    }

    private static func kind(_ kind: ConfigurationKind) -> [(String, JSONText)] {
        switch kind {
        case .boolean: return [("type", .string("boolean"))]
        case .integer(let range): return integer(range)
        case .number(let range):
            return [
                ("type", .string("number")),
                ("minimum", .raw(ConfigurationValue.written(range.lowerBound))),
                ("maximum", .raw(ConfigurationValue.written(range.upperBound))),
            ]
        case .bytes(let range):
            let units = ByteCountText.units.map(\.suffix).joined(separator: "|")
            let text: JSONText = .object([
                ("type", .string("string")), ("pattern", .string("^[0-9]+(\(units))?$")),
            ])
            return [("anyOf", .array([.object(integer(range)), text]))]
        case .text(let text): return self.text(text)
        case .word(let words): return [("enum", .array(words.map { .string($0) }))]
        case .list(let item, let count):
            return [
                ("type", .string("array")), ("minItems", .integer(count.lowerBound)),
                ("maxItems", .integer(count.upperBound)), ("items", .object(self.kind(item))),
            ]
        case .map(let item, let countMax):
            return [
                ("type", .string("object")), ("maxProperties", .integer(countMax)),
                ("additionalProperties", .object(self.kind(item))),
            ]
        case .section(let section): return [("$ref", .string("#/$defs/\(section.name)"))]
        case .textOrSection(let text, let section):
            let choices = [self.text(text), self.kind(.section(section))]
            return [("anyOf", .array(choices.map { .object($0) }))]
        }
    }

    private static func integer(_ range: ClosedRange<Int>) -> [(String, JSONText)] {
        [
            ("type", .string("integer")), ("minimum", .integer(range.lowerBound)),
            ("maximum", .integer(range.upperBound)),
        ]
    }

    private static func text(_ text: ConfigurationText) -> [(String, JSONText)] {
        let meaning = text.meaning.prefix(1).uppercased() + text.meaning.dropFirst() + "."
        let pattern: [(String, JSONText)] = text.pattern.map { [("pattern", .string($0))] } ?? []
        return [
            ("type", .string("string")), ("minLength", .integer(1)), ("title", .string(meaning)),
        ] + pattern
    }

    /// A rule as JSON; nil for one that depends on more than the file.
    private static func rule(_ rule: ConfigurationRule) -> JSONText? {
        func require(_ keys: [String]) -> JSONText {
            .object([("required", .array(keys.map { .string($0) }))])
        }
        switch rule {
        case .exactlyOne(let keys): return .object([("oneOf", .array(keys.map { require([$0]) }))])
        case .atLeastOne(let keys): return .object([("anyOf", .array(keys.map { require([$0]) }))])
        case .atMostOne(let keys):
            let none: JSONText = .object([
                ("not", .object([("anyOf", .array(keys.map { require([$0]) }))]))
            ])
            return .object([("oneOf", .array([none] + keys.map { require([$0]) }))])
        case .atLeastOneOrGiven: return nil
        }
    }

    /// A default as JSON; nil for those that JSON writes otherwise than the file.
    private static func literal(_ text: String, _ kind: ConfigurationKind) -> JSONText? {
        switch kind {
        case .boolean, .integer, .number: .raw(text)
        case .bytes, .text, .word: .string(text)
        case .list(of: .word, _), .list(of: .text, _):
            .array(
                text.dropFirst().dropLast().split(separator: ",").map {
                    .string(String($0.drop { $0 == " " }))
                })
        case .list, .map, .section, .textOrSection: nil
        }
    }
}

extension ConfigurationSectionDescription {
    /// This section and all below it, each once, in the order in which they are named.
    var sections: [ConfigurationSectionDescription] {
        var known: Set<String> = []
        var found: [ConfigurationSectionDescription] = []
        var line = [self]
        while !line.isEmpty {
            let section = line.removeFirst()
            guard known.insert(section.name).inserted else { continue }
            found.append(section)
            line = section.keys.compactMap(\.kind.section) + line
        }
        return found
    }
}

extension ConfigurationKind {
    /// The section that stands there or in the items there.
    var section: ConfigurationSectionDescription? {
        switch self {
        case .section(let section), .textOrSection(_, let section): section
        case .list(let item, _), .map(let item, _): item.section
        case .boolean, .integer, .number, .bytes, .text, .word: nil
        }
    }
}
