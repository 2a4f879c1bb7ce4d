/// Writes the description of a configuration file as tables in Markdown, for the reference.
public struct ConfigurationReference {
    private let root: ConfigurationSectionDescription

    /// Describes a file by the section that the whole of it is.
    public init(_ root: ConfigurationSectionDescription) {
        self.root = root
    }

    /// A heading and a table for each section.
    public var text: String {
        root.sections.map { section in
            let heading = section.name == root.name ? "The file" : "`\(section.name)`"
            let rows = section.keys.map(ConfigurationReference.row)
            let sentences =
                [section.summary] + section.rules.map(ConfigurationReference.sentence)
            return """
                ### \(heading)

                \(sentences.joined(separator: " "))

                | key | takes | default | |
                |---|---|---|---|
                \(rows.joined(separator: "\n"))

                """
        }
        .joined(separator: "\n")
    }

    private static func row(_ key: ConfigurationKeyDescription) -> String {
        let standard = key.isRequired ? "required" : key.standard.map { "`\($0)`" } ?? ""
        let note = key.needsRestart ? " A change takes effect at the next start." : ""
        return "| `\(key.name)` | \(takes(key.kind)) | \(standard) | \(key.summary)\(note) |"
    }

    private static func takes(_ kind: ConfigurationKind) -> String {
        switch kind {
        case .boolean: "`true`, `false`"
        case .integer(let range): "\(range.lowerBound) to \(range.upperBound)"
        case .number(let range):
            "\(ConfigurationValue.written(range.lowerBound)) to "
                + ConfigurationValue.written(range.upperBound)
        case .bytes(let range):
            "\(ByteCountText.written(range.lowerBound)) to "
                + ByteCountText.written(range.upperBound)
        case .text(let text): text.meaning
        case .word(let words): words.map { "`\($0)`" }.joined(separator: ", ")
        case .list(let item, let count): "a list, up to \(count.upperBound), of: \(takes(item))"
        case .map(let item, let countMax): "up to \(countMax) keys, each with: \(takes(item))"
        case .section(let section): "[`\(section.name)`](#\(section.name))"
        case .textOrSection(let text, let section):
            "\(text.meaning), or [`\(section.name)`](#\(section.name))"
        }
    }

    private static func sentence(_ rule: ConfigurationRule) -> String {
        func list(_ keys: [String]) -> String { keys.map { "`\($0)`" }.joined(separator: ", ") }
        return switch rule {
        case .exactlyOne(let keys): "Exactly one of \(list(keys)) is there."
        case .atMostOne(let keys): "At most one of \(list(keys)) is there."
        case .atLeastOne(let keys): "At least one of \(list(keys)) is there."
        case .atLeastOneOrGiven(let keys):
            "At least one of \(list(keys)) is there, unless flags say what it would."
        }
    }
}
