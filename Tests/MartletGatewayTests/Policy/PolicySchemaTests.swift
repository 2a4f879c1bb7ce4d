import Foundation
import MartletConfiguration
import Testing

@testable import MartletGateway

/// Reader, schema and reference say the same.
///
/// After a change of keys, `MARTLET_WRITE_REFERENCE=1 swift test --filter PolicySchemaTests` writes
/// the schema and the tables of the reference anew.
@Suite("Schema and reference of the traffic policy")
struct PolicySchemaTests {
    private static let schema = "docs/reference/gateway.schema.json"
    private static let reference = "docs/reference/gateway-policy.md"
    private static let begin = "<!-- The tables below are written by PolicySchemaTests. -->\n"
    private static let isWriting =
        ProcessInfo.processInfo.environment["MARTLET_WRITE_REFERENCE"] == "1"

    @Test func schema_isThatOfTheReader() throws {
        if Self.isWriting { try write(TrafficPolicy.schema, to: Self.schema) }
        #expect(try repositoryFile(Self.schema) == TrafficPolicy.schema)
    }

    @Test func reference_isThatOfTheReader() throws {
        let text = try repositoryFile(Self.reference)
        let start = try #require(text.firstRange(of: Self.begin)?.upperBound)
        if Self.isWriting {
            try write(text[..<start] + "\n" + TrafficPolicy.reference, to: Self.reference)
        }
        let tables = try repositoryFile(Self.reference)[start...]
        #expect(tables == "\n" + TrafficPolicy.reference)
    }

    /// A key that is described but not read would be taken with any value.
    @Test func everyKeyOfTheSchema_isRead() {
        let keys = Self.keys(of: TrafficPolicy.description, path: "") { "{\($0)}" }
        #expect(keys.count > 150)
        for (path, text) in keys {
            let found = faults(of: text)
            let isTold = found.contains { message in
                (message.contains(" \(path): ") || message.contains(" \(path)[0]: "))
                    && !message.contains("unknown key")
            }
            #expect(isTold, "\(path): \(text): \(found)")
        }
    }

    /// What is read but not described is an unknown key; the example has all that is shown.
    @Test func everyKeyOfTheExample_isInTheSchema() throws {
        let schema = try repositoryFile(Self.schema)
        let example = try repositoryFile("Examples/gateway/gateway.yaml")
        for line in example.split(separator: "\n") where !line.contains("#") {
            let key = line.drop { " -".contains($0) }.prefix { $0 != ":" }
            let isKey = key.allSatisfy { $0.isLowercase || $0 == "_" }
            #expect(!isKey || schema.contains("\"\(key)\": {"), "\(key)")
        }
    }

    /// Each key below a section with its path, and a file in which it alone stands, with a value
    /// that no key takes.
    private static func keys(
        of section: ConfigurationSectionDescription, path: String, file: (String) -> String
    ) -> [(path: String, text: String)] {
        section.keys.flatMap { key in
            let here = path.isEmpty ? key.name : "\(path).\(key.name)"
            let own = [(path: here, text: file("\(key.name): [[]]"))]
            switch key.kind {
            case .section(let inner):
                return own + keys(of: inner, path: here) { file("\(key.name): {\($0)}") }
            case .list(of: .section(let inner), _), .list(of: .textOrSection(_, let inner), _):
                return own
                    + keys(of: inner, path: "\(here)[0]") { file("\(key.name): [{\($0)}]") }
            default: return own
            }
        }
    }

    private func write(_ text: some StringProtocol, to path: String) throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        try String(text).write(
            to: root.appendingPathComponent(path), atomically: true, encoding: .utf8)
    }
}
