import Testing

@testable import MartletConfiguration

@Suite("Forms of values in configuration files")
struct ConfigurationFormTests {
    private enum Colour: String, CaseIterable {
        case red, green
    }

    private struct Bird: ConfigurationReadable, Equatable {
        var name: String
        var wings = 2
        var song: String?

        static let nameKey = ConfigurationKey("name", .text("a name"), isRequired: true, "N.")
        static let wingsKey = ConfigurationKey("wings", .integer(0...4), default: 2, "W.")
        static let songKey = ConfigurationKey("song", .text("a song"), "S.")
        static let silentKey = ConfigurationKey<Bool?>("silent", .boolean, "Q.")
        static let description = ConfigurationSectionDescription(
            "bird", "A bird.", keys: [nameKey, wingsKey, songKey, silentKey],
            rules: [.atMostOne(["song", "silent"])])

        init?(_ section: ConfigurationSection, _ problems: inout ConfigurationProblems) {
            let name = section.read(Self.nameKey, &problems)
            wings = section.read(Self.wingsKey, &problems)
            song = section.read(Self.songKey, &problems)
            guard let name else { return nil }
            self.name = name
        }

        init(name: String, wings: Int = 2) {
            self.name = name
            self.wings = wings
        }
    }

    private func read<Value>(
        _ form: ConfigurationForm<Value>, _ text: String
    ) throws -> (value: Value?, messages: [String]) {
        let root = try ConfigurationDocument.parse("k: \(text)", file: "f")
        var problems = ConfigurationProblems(marksColumns: true)
        let value = try #require(root.members?.first?.value)
        let result = form.read(value, &problems)
        return (result, problems.problems.map { $0.message(file: "f") })
    }

    private func fault<Value>(_ form: ConfigurationForm<Value>, _ text: String) throws -> [String] {
        let (value, messages) = try read(form, text)
        #expect(value == nil)
        return messages
    }

    @Test func booleans_areTrueAndFalseAlone() throws {
        #expect(try read(.boolean, "true").value == true)
        #expect(try read(.boolean, "false").value == false)
        for text in ["yes", "on", "True", "1", "'true'"] {
            #expect(try fault(.boolean, text).count == 1, "\(text)")
        }
        #expect(
            try fault(.boolean, "yes")
                == ["f:1:4: k: 'yes' is neither of the two; expected true or false"])
    }

    @Test func numbers_areDecimalAndWithinTheirRange() throws {
        #expect(try read(.number(0...10), "2.5").value == 2.5)
        #expect(try read(.number(0...10), "1e1").value == 10)
        #expect(try read(.percent(), "5").value == 0.05)
        #expect(try read(.seconds(0...10), "0.25").value == .milliseconds(250))
        #expect(try read(.milliseconds(0...10), "1.5").value == .microseconds(1500))
        for text in ["nan", "inf", "0x10", "1_000", "'1'", "", "[1]", "1e999"] {
            #expect(try fault(.number(0...10), text).count == 1, "\(text)")
        }
        #expect(
            try fault(.seconds(0.5...10), "-3")
                == ["f:1:4: k: -3 is out of range; expected a number from 0.5 to 10 seconds"])
    }

    @Test func bytes_haveUnits() throws {
        #expect(try read(.bytes(0...(1 << 40)), "64MiB").value == 64 << 20)
        #expect(try read(.bytes(0...(1 << 40)), "0").value == 0)
        #expect(
            try fault(.bytes(1...1024), "2KiB")
                == [
                    "f:1:4: k: '2KiB' is out of range; expected a number of bytes from 1 to 1KiB, "
                        + "such as 512KiB"
                ])
        #expect(try fault(.bytes(1...1024), "1.5KiB").count == 1)
        #expect(try fault(.bytes(1...1024), "-1").count == 1)
    }

    @Test func words_areSuggested() throws {
        #expect(try read(ConfigurationForm<Colour>.word(), "green").value == .green)
        #expect(
            try fault(ConfigurationForm<Colour>.word(), "grene")
                == ["f:1:4: k: 'grene' is not one of red, green; did you mean 'green'?"])
    }

    @Test func texts_haveNoControlCharacters() throws {
        #expect(try read(.text("a name"), "'a b'").value == "a b")
        #expect(
            try fault(.text("a name"), "\"a\\u0007\"").first?.contains("a control character")
                == true)
        #expect(try fault(.text("a name"), "").first == "f:1:3: k: no value; expected a name")
    }

    @Test func lists_tellOfEachItem() throws {
        let form = ConfigurationForm<[Int]>.list(.integer(0...9), count: 1...3)
        #expect(try read(form, "[1, 2]").value == [1, 2])
        let (value, messages) = try read(form, "[1, 12, x]")
        #expect(value == [1])
        #expect(messages.map { String($0.prefix(12)) } == ["f:1:8: k[1]:", "f:1:12: k[2]"])
        #expect(
            try fault(form, "[]") == ["f:1:4: k: a list of 0 items; expected 1 to 3"])
        #expect(try fault(form, "7") == ["f:1:4: k: '7' is not a list; expected a list"])
    }

    @Test func maps_keepTheirOrderAndCheckTheirKeys() throws {
        let form = ConfigurationForm<[ConfigurationEntry<Int>]>.map(
            to: .integer(0...9), countMax: 2
        ) { $0 == "bad" ? "is bad" : nil }
        #expect(try read(form, "{b: 1, a: 2}").value == [.init("b", 1), .init("a", 2)])
        let (value, messages) = try read(form, "{bad: 1, a: 12}")
        #expect(value == [])
        #expect(
            messages.map { String($0.prefix(18)) } == ["f:1:5: k.bad: 'bad", "f:1:16: k.a: 12 is"])
        #expect(try fault(form, "{a: 1, b: 1, c: 1}").count == 1)
        #expect(try read(form, "{[x]: 1}").messages == ["f:1:5: k.?: a list is not a text"])
    }

    @Test func sections_tellWhatIsStrangeMissingAndContradictory() throws {
        let form = ConfigurationForm<Bird>.section()
        #expect(try read(form, "{name: a, wings: 4}").value == Bird(name: "a", wings: 4))
        #expect(try fault(form, "{wings: 4}") == ["f:1:4: k: 'name' is missing; add it"])
        // A key that is strange is probably the one that is missing.
        #expect(
            try fault(form, "{nmae: a}")
                == ["f:1:5: k.nmae: unknown key; did you mean 'name'?"])
        #expect(
            try read(form, "{name: a, song: s, silent: true}").messages
                == ["f:1:4: k: 'song', 'silent' exclude each other; keep one of them"])
        #expect(try fault(form, "[a]").count == 1)
        #expect(try fault(form, "").first?.contains("'name' is missing") == true)
    }

    @Test func manyProblems_areCounted() throws {
        let keys = (0..<150).map { "x\($0): 1" }.joined(separator: ", ")
        let root = try ConfigurationDocument.parse("{\(keys)}", file: "f")
        var problems = ConfigurationProblems()
        _ = ConfigurationForm<Bird>.section().read(root, &problems)
        let error = #expect(throws: ConfigurationError.self) { try problems.check(file: "f") }
        #expect(error?.messages.count == ConfigurationProblems.countMax + 1)
        #expect(error?.messages.last == "f: and 50 more problems")
    }

    @Test func itemsThatAreDropped_doNotShiftThePlacesOfOthers() throws {
        let root = try ConfigurationDocument.parse("k: [{wings: 1}, {name: a}]", file: "f")
        var problems = ConfigurationProblems()
        let value = try #require(root.members?.first?.value)
        let birds = ConfigurationForm<[Bird]>.list(.section(), count: 0...9).read(value, &problems)
        #expect(birds?.map(\.name) == ["a"])
        #expect(problems.keyPaths(of: "k", count: 1) == ["k[1]"])
        #expect(problems.hasDropped(from: "k"))
    }
}
