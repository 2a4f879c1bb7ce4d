import Testing

@testable import MartletConfiguration

@Suite("YAML within limits")
struct ConfigurationDocumentTests {
    @Test func text_isReadWithThePlacesOfItsValues() throws {
        let value = try ConfigurationDocument.parse("a:\n  b: [x, y]\n", file: "f")
        let b = try #require(value.members?.first?.value.members?.first?.value)
        #expect(b.keyPath == "a.b")
        #expect(b.line == 2 && b.column == 6)
        #expect(b.items?.map(\.text) == ["x", "y"])
        #expect(b.items?.map(\.keyPath) == ["a.b[0]", "a.b[1]"])
        #expect(b.items?.map(\.column) == [7, 10])
    }

    @Test func textWithNothingInIt_isASectionWithoutKeys() throws {
        for text in ["", "# nothing\n", "---\n"] {
            let value = try ConfigurationDocument.parse(text, file: "f")
            #expect(value.keyCount == 0 || value.isEmpty, "\(text)")
        }
    }

    @Test(arguments: [
        ("a: [1", "2:1", "is not YAML: "), ("a: 1\n\tb: 2", "2:1", "is not YAML: "),
        ("a: 1\n---\nb: 2", "2:1", "is not YAML: "), ("a: 1\nb:\na:", "1:1", "'a' stands here"),
        ("a: *b", "1:4", "is not YAML: "), ("é: 1\na\u{7}b", "2:2", "is not YAML: "),
    ])
    func textThatIsNotOneDocument_isRefusedWithItsPlace(
        text: String, place: String, words: String
    ) throws {
        let error = try #require(throws: ConfigurationError.self) {
            try ConfigurationDocument.parse(text, file: "f", marksColumns: true)
        }
        #expect(error.description.hasPrefix("f:\(place): \(words)"), "\(error)")
        let withoutColumns = try #require(throws: ConfigurationError.self) {
            try ConfigurationDocument.parse(text, file: "f")
        }
        #expect(withoutColumns.problems.map(\.column) == [nil])
        #expect(withoutColumns.problems.map(\.line) == error.problems.map(\.line))
    }

    // MARK: - Limits

    @Test func text_beyondTheBytes_isRefused() {
        refuse("a: " + String(repeating: "x", count: 30), "larger than 32 bytes") {
            $0.bytes = 32
        }
        #expect(throws: Never.self) {
            try ConfigurationDocument.parse("a: " + String(repeating: "x", count: 29), file: "f")
        }
    }

    @Test(arguments: [4, 900, 100_000])
    func nesting_beyondTheDepth_isRefused(depth: Int) {
        let brackets = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        let braces = String(repeating: "{a: ", count: depth) + String(repeating: "}", count: depth)
        let keys = String(repeating: "? ", count: depth) + "a"
        for text in [brackets, braces, keys] {
            let error = #expect(throws: ConfigurationError.self) {
                var limits = ConfigurationDocument.Limits()
                limits.depth = 3
                return try ConfigurationDocument.parse(text, file: "f", limits: limits)
            }
            let isTold =
                error?.description.contains("nested more than 3 levels") == true
                || error?.description.contains("nesting level") == true
                || error?.description.contains("in front of keys") == true
            #expect(isTold, "\(String(describing: error).prefix(200))")
        }
    }

    /// Each key is compared by all that is in it, so that keys in keys take long.
    @Test func keysThatHaveKeysInThem_areRefusedBeforeTheyAreCompared() {
        let items = String(repeating: "a,", count: 200_000)
        refuse(String(repeating: "? ", count: 900) + "[\(items)]", "'?' in front of keys")
        refuse(String(repeating: "{?", count: 900) + "[\(items)]", "'?' in front of keys")
        #expect(throws: Never.self) {
            try ConfigurationDocument.parse(
                "# really? " + String(repeating: "why?", count: 99) + "\na: b?", file: "f")
        }
    }

    @Test func values_beyondTheirNumber_areRefused() {
        refuse("[1, 2, 3, 4]", "more than 4 values") { $0.values = 4 }
        #expect(throws: Never.self) {
            var limits = ConfigurationDocument.Limits()
            limits.values = 5
            return try ConfigurationDocument.parse("[1, 2, 3, 4]", file: "f", limits: limits)
        }
    }

    // MARK: - Aliases

    @Test func alias_standsForWhatItsAnchorNames() throws {
        let value = try ConfigurationDocument.parse(
            "a: &x {b: '*y', c: \"*z\"}  # *w\nd: *x\n", file: "f")
        let members = try #require(value.members)
        #expect(members[1].value.members?.map { $0.value.text } == ["*y", "*z"])
        #expect(members[1].value.keyPath == "d")
    }

    @Test func aliases_beyondTheirNumber_areRefused() {
        refuse("a: &x 1\nb: [*x, *x, *x]", "more than 2 aliases") { $0.aliases = 2 }
        refuse("a: &x 1\nb: [*x, *x, *x]", "more than 7 values") { $0.values = 7 }
    }

    @Test func bomb_isRefusedThoughItsTextIsShort() {
        var text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let items = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "a\(level): &a\(level) [\(items)]\n"
        }
        refuse(text, "values, with aliases")
    }

    /// As keys, aliases are compared when the document is composed, before anybody counts.
    @Test(arguments: [
        "*a9 : 1", "? *a9\n: 1", "{*a9 : 1}", "{*a9: 1}", "[*a9 : 1]", "? [*a9]", "{[*a9]: 1}",
    ])
    func bomb_asAKey_isRefusedBeforeItGoesOff(key: String) {
        var text = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...9 {
            let items = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            text += "- &a\(level) [\(items)]\n"
        }
        let error = #expect(throws: ConfigurationError.self) {
            try ConfigurationDocument.parse(
                text + "- " + key.replacing("\n", with: "\n  ") + "\n", file: "f")
        }
        let words = ["an alias stands here", "cannot be a key"]
        #expect(
            words.contains { error?.description.contains($0) == true },
            "\(key): \(String(describing: error))")
    }

    @Test(arguments: [
        "a: *b.example.com", "a: [*b c]", "a: &x 1\nb: *x:y",
    ])
    func textThatOnlyLooksLikeAnAlias_isRefusedWithTheRemedy(text: String) {
        refuse(text, "put the other in quotes")
    }

    @Test func textWithEveryPrivateCharacter_isRefusedOnlyIfItHasAnAlias() {
        let all = String(
            String.UnicodeScalarView((UInt32(0xE000)...0xF8FF).compactMap { Unicode.Scalar($0) }))
        refuse("a: &x 1\nb: *x\nc: '\(all)'", "characters for private use")
        #expect(throws: Never.self) {
            try ConfigurationDocument.parse("c: '\(all)'", file: "f")
        }
    }

    // MARK: - Helpers

    private func refuse(
        _ text: String, _ words: String, sourceLocation: SourceLocation = #_sourceLocation,
        _ change: (inout ConfigurationDocument.Limits) -> Void = { _ in }
    ) {
        var limits = ConfigurationDocument.Limits()
        change(&limits)
        let error = #expect(throws: ConfigurationError.self, sourceLocation: sourceLocation) {
            try ConfigurationDocument.parse(text, file: "f", limits: limits)
        }
        #expect(
            error?.description.contains(words) == true, "\(String(describing: error))",
            sourceLocation: sourceLocation)
    }
}
