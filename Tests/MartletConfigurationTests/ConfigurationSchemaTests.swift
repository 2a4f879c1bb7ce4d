import Foundation
import Testing

@testable import MartletConfiguration

@Suite("JSON schema of a configuration")
struct ConfigurationSchemaTests {
    private enum Colour: String, CaseIterable {
        case red, green
    }

    private static let inner = ConfigurationSectionDescription(
        "inner", "Inside.",
        keys: [ConfigurationKey("size", .bytes(0...1024), default: 512, "Its \"size\".")],
        rules: [.exactlyOne(["size", "other"])])

    private static let root = ConfigurationSectionDescription(
        "root", "The whole.",
        keys: [
            ConfigurationKey("name", .text("a name"), isRequired: true, "Its name."),
            ConfigurationKey<Colour>(
                "colour", .word(), default: .red, needsRestart: true, "Its colour."),
            ConfigurationKey("share", .percent(), default: 0.07, "A share."),
            ConfigurationKey(
                "tags", .list(.text("a tag"), count: 0...4), default: ["a", "b"], "T."),
        ],
        rules: [
            .atMostOne(["name", "share"]), .atLeastOne(["tags"]),
            // No more than the reader of a file that flags complete.
            .atLeastOneOrGiven(["tags", "share"]),
        ])

    private func object(_ text: String) throws -> [String: Any] {
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8))
        return try #require(json as? [String: Any])
    }

    @Test func schema_saysWhatTheReaderTakes() throws {
        let text = ConfigurationSchema(Self.root, title: "t", identifier: "urn:x").text
        let schema = try object(text)
        #expect(schema["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
        #expect(schema["additionalProperties"] as? Bool == false)
        #expect(schema["required"] as? [String] == ["name"])
        let properties = try #require(schema["properties"] as? [String: [String: Any]])
        #expect(Set(properties.keys) == ["name", "colour", "share", "tags"])
        #expect(properties["colour"]?["enum"] as? [String] == ["red", "green"])
        #expect(properties["colour"]?["default"] as? String == "red")
        let note = properties["colour"]?["description"] as? String
        #expect(note?.hasSuffix("takes effect at the next start.") == true)
        #expect(properties["share"]?["default"] as? Double == 7)
        #expect(properties["share"]?["maximum"] as? Double == 100)
        #expect(properties["tags"]?["default"] as? [String] == ["a", "b"])
        #expect((schema["allOf"] as? [Any])?.count == 2)
    }

    @Test func sections_areDefinedOnceAndReferredTo() throws {
        let description = ConfigurationSectionDescription(
            "root", "The whole.",
            keys: [Described(Self.inner), Described(Self.inner, name: "again")])
        let schema = try object(
            ConfigurationSchema(description, title: "t", identifier: "urn:x").text)
        let definitions = try #require(schema["$defs"] as? [String: [String: Any]])
        #expect(Array(definitions.keys) == ["inner"])
        let properties = try #require(
            definitions["inner"]?["properties"] as? [String: [String: Any]])
        #expect(properties["size"]?["default"] as? String == "512")
        #expect(properties["size"]?["description"] as? String == "Its \"size\".")
        let reference = (schema["properties"] as? [String: [String: Any]])?["again"]?["$ref"]
        #expect(reference as? String == "#/$defs/inner")
    }

    @Test func reference_hasARowForEachKey() {
        let text = ConfigurationReference(Self.root).text
        #expect(text.contains("| `name` | a name | required | Its name. |"))
        #expect(text.contains("| `share` | 0 to 100 | `7` | A share. |"))
        #expect(text.contains("At most one of `name`, `share` is there."))
        #expect(
            text.contains(
                "| `colour` | `red`, `green` | `red` | Its colour. A change takes effect at the "
                    + "next start. |"))
    }
}

/// A key with a section behind it that nobody reads.
private struct Described: DescribedKey {
    let description: ConfigurationKeyDescription

    init(_ section: ConfigurationSectionDescription, name: String = "inner") {
        description = ConfigurationKeyDescription(
            name: name, kind: .section(section), summary: "S.", standard: nil, isRequired: false,
            needsRestart: false)
    }
}
