import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Canonical form of JSON")
struct CanonicalJSONTests {
    @Test(arguments: [
        (#" { "b" : 1 , "a" : [ 1.0 , -2e+3 , true ] } "#, #"{"a":[1.0,-2e+3,true],"b":1}"#),
        ("\n[ null\t,false]", "[null,false]"),
        ("\t[\r\n]\n", "[]"),
        ("{ }", "{}"),
        (#"{"b":{"d":1,"c":2},"a":{}}"#, #"{"a":{},"b":{"c":2,"d":1}}"#),
        (#"{"ab":1,"a":2,"":3}"#, #"{"":3,"a":2,"ab":1}"#),
        (#""a b\u00e9\n" "#, #""a b\u00e9\n""#),
        ("0", "0"),
    ])
    func text_isWrittenWithoutSpaceAndInOrder(text: String, canonical: String) {
        #expect(form(text) == canonical)
    }

    @Test(arguments: [
        ("1", "1.0"), ("1", "1e0"), ("[1,2]", "[2,1]"), (#""a""#, #""\u0061""#),
        (#"{"a":1}"#, #"{"a":2}"#), ("[[]]", "[{}]"), (#"{"a":{"b":1}}"#, #"{"b":{"a":1}}"#),
        (#"[" "]"#, #"[""]"#),
    ])
    func textsThatMayMeanDifferentThings_stayDifferent(one: String, other: String) throws {
        #expect(try #require(form(one)) != #require(form(other)))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "{\"a\"}", "{\"a\":}",
        "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "[1}", "{\"a\":1]", "01", "1.", ".5", "-",
        "1e", "1e+", "+1", "NaN", "Infinity", "tru", "truely", "nul", "\"a", "\"\\\"", "\"\\x\"",
        "\"\\u12g4\"", "\"\\u12", "\"a\nb\"", "1 1", "{}{}", "[]]", "'a'", "\u{FEFF}1", "/**/1",
        "\"\\", "[\"a\":1]", "{\"a\":1 \"b\":2}", "{,}",
    ])
    func malformedText_hasNoCanonicalForm(text: String) {
        #expect(form(text) == nil)
    }

    @Test(arguments: [
        #"{"a":1,"a":1}"#, #"{"b":0,"a":1,"b":2}"#, #"[{"x":{"a":1,"b":2,"a":3}}]"#,
    ])
    func nameThatComesTwice_hasNoCanonicalForm(text: String) {
        #expect(form(text) == nil)
    }

    @Test func namesThatMayBeSpellingsOfOne_keepTheirOrder() {
        let escaped = #"{"a":1,"\u0061":2}"#
        #expect(form(escaped) == escaped)
        #expect(form(#"{"\u0061":2, "a":1}"#) == #"{"\u0061":2,"a":1}"#)
        let accented = "{\"e\u{301}\":1,\"\u{E9}\":2,\"a\":3}"
        #expect(form(accented) == accented)
        // What is within is put in order all the same.
        #expect(form(#"{"\n":{"b":1,"a":2},"a":1}"#) == #"{"\n":{"a":2,"b":1},"a":1}"#)
    }

    @Test func depth_isBounded() {
        let limits = CanonicalJSON.Limits(depthMax: 3)
        #expect(form("[[[]]]", limits) == "[[[]]]")
        #expect(form("[[[[]]]]", limits) == nil)
        #expect(form(#"{"a":[{"b":[]}]}"#, limits) == nil)
        #expect(form(String(repeating: "[", count: 1_000_000)) == nil)
    }

    @Test func membersOfAnObject_areBounded() {
        let limits = CanonicalJSON.Limits(membersMax: 2)
        let list = #"[{"b":1,"a":2},{"c":1,"b":2}]"#
        #expect(form(list, limits) == #"[{"a":2,"b":1},{"b":2,"c":1}]"#)
        #expect(form(#"{"a":1,"b":2,"c":3}"#, limits) == nil)
    }

    @Test func randomTexts_thatDifferInSpaceAndOrderOnly_haveOneForm() {
        for seed in SimulationSeeds.first(1000) {
            var generator = SeededGenerator(seed: seed)
            let value = RandomJSON(depth: 4, using: &generator)
            let one = form(value.text(using: &generator))
            let other = form(value.text(using: &generator))
            #expect(one != nil && one == other, "\(SimulationSeeds.replay(seed))")
            #expect(one.flatMap { form($0) } == one, "\(SimulationSeeds.replay(seed))")
            #expect(one.map(parsed) == parsed(value.text(using: &generator)))
        }
    }

    /// Whatever the bytes, there is an answer, and it means what the text means.
    @Test func damagedTexts_areRefusedOrMeanTheSame() {
        var refused = 0
        for seed in SimulationSeeds.first(3000) {
            var generator = SeededGenerator(seed: seed)
            let value = RandomJSON(depth: 3, using: &generator)
            var bytes = Array(value.text(using: &generator).utf8)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[place] =
                    Array("{}[],:\"\\019eE+-. tfn\u{0}\u{80}".utf8)
                    .randomElement(using: &generator) ?? 0
            }
            guard let form = CanonicalJSON.form(of: bytes) else {
                refused += 1
                continue
            }
            #expect(CanonicalJSON.form(of: form) == form, "\(SimulationSeeds.replay(seed))")
            if let text = String(validating: bytes, as: UTF8.self), let before = parsed(text) {
                let after = String(validating: form, as: UTF8.self).flatMap(parsed)
                #expect(after == before, "\(SimulationSeeds.replay(seed))")
            }
        }
        #expect(refused > 0)
    }

    private func form(_ text: String, _ limits: CanonicalJSON.Limits = .init()) -> String? {
        CanonicalJSON.form(of: Array(text.utf8), limits: limits)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// What Foundation's reader makes of a text.
    private func parsed(_ text: String) -> NSObject? {
        let value = try? JSONSerialization.jsonObject(
            with: Data(text.utf8), options: .fragmentsAllowed)
        return value as? NSObject
    }
}

/// A random value, which can be written in many ways.
private enum RandomJSON {
    case scalar(String)
    case list([RandomJSON])
    case object([(String, RandomJSON)])

    init(depth: Int, using generator: inout SeededGenerator) {
        let count = Int.random(in: 0...4, using: &generator)
        switch Int.random(in: depth > 0 ? 0...3 : 2...3, using: &generator) {
        case 0:
            self = .list(
                (0..<count).map { _ in RandomJSON(depth: depth - 1, using: &generator) })
        case 1:
            let names = ["a", "b", "ab", "input_1", "x", " "].shuffled(using: &generator)
            self = .object(
                names.prefix(count).map { ($0, RandomJSON(depth: depth - 1, using: &generator)) })
        default:
            let scalars = ["0", "-1.50", "1E+2", "true", "null", #""a b""#, #""\"{,""#, #""""#]
            self = .scalar(scalars.randomElement(using: &generator) ?? "0")
        }
    }

    func text(using generator: inout SeededGenerator) -> String {
        let space = ["", "", " ", "\n\t"].randomElement(using: &generator) ?? ""
        switch self {
        case .scalar(let scalar): return space + scalar + space
        case .list(let values):
            let parts = values.map { $0.text(using: &generator) }
            return space + "[" + space + parts.joined(separator: ",") + "]" + space
        case .object(let members):
            let parts = members.shuffled(using: &generator).map { name, value in
                "\(space)\"\(name)\"\(space):\(value.text(using: &generator))"
            }
            return space + "{" + space + parts.joined(separator: ",") + "}" + space
        }
    }
}
