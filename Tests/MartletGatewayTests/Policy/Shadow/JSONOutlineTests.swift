import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Outline of a JSON text")
struct JSONOutlineTests {
    private func outline(_ text: String) -> JSONOutline? { JSONOutline(Array(text.utf8)) }

    @Test func values_areFoundWhereTheyStand() throws {
        let json = try #require(outline(#" {"a": [1, -2.5e3], "b\u0041\n": null, "c": {}} "#))
        #expect(json.entries[0].kind == .object && json.entries[0].count == 3)
        let keys = json.keys(of: 0)
        #expect(keys.map(json.text) == ["a", "bA\n", "c"])
        #expect(json.items(of: keys[0] + 1).map(json.number) == [1, -2500])
        #expect(json.entries[keys[1] + 1].kind == .null)
        #expect(json.entries[keys[2] + 1].count == 0)
        #expect(json.entries[0].next == json.entries.count)
    }

    @Test func numbersOfTensorFlowServing_areTaken() throws {
        let json = try #require(outline("[NaN, Infinity, -Infinity, 1e999]"))
        let numbers = json.items(of: 0).map(json.number)
        #expect(numbers[0].isNaN)
        #expect(Array(numbers[1...]) == [.infinity, -.infinity, .infinity])
    }

    @Test(arguments: [
        #""\ud83d\ude00""#, #""\"\\\/\b\f\n\r\t""#, #""é\u00e9""#, #""""#,
    ])
    func texts_areAsFoundationReadsThem(text: String) throws {
        let json = try #require(outline(text))
        let expected = try JSONSerialization.jsonObject(
            with: Data(text.utf8), options: .fragmentsAllowed)
        #expect(json.text(0) == expected as? String)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "01", "1.",
        ".5", "+1", "-", "1e", "nul", "truex", "\"", "\"\\x\"", "\"\\u12\"", "\"\u{1}\"", "[1] 2",
        "[1 2]", "{1:2}", "'a'", "nan", "-NaN",
    ])
    func textThatIsNotJSON_isNone(text: String) {
        #expect(outline(text) == nil)
    }

    @Test func bounds_areKept() {
        var limits = JSONOutline.Limits()
        limits.depth = 3
        #expect(JSONOutline(Array("[[1]]".utf8), limits: limits) != nil)
        #expect(JSONOutline(Array("[[[1]]]".utf8), limits: limits) == nil)
        limits.values = 4
        #expect(JSONOutline(Array("[1,2,3]".utf8), limits: limits) != nil)
        #expect(JSONOutline(Array("[1,2,3,4]".utf8), limits: limits) == nil)
        #expect(JSONOutline(Array("{\"a\":1,\"b\":2}".utf8), limits: limits) == nil)
        let deep = [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)
        #expect(JSONOutline(deep) == nil)
    }

    @Test func damagedTexts_areTakenIfFoundationTakesThem() {
        let text = Array(#"{"a": [1, -2.5e3, true, {"b": "c\n"}], "d": null, "e": "\u00e9"}"#.utf8)
        let bytes = Array("{}[],:\"\\0123.eE+-tfn ua".utf8)
        for seed in SimulationSeeds.first(3000) {
            var generator = SeededGenerator(seed: seed)
            var damaged = text
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                damaged[Int.random(in: 0..<damaged.count, using: &generator)] =
                    bytes[Int.random(in: 0..<bytes.count, using: &generator)]
            }
            let isTaken = JSONOutline(damaged) != nil
            let isJSON =
                (try? JSONSerialization.jsonObject(
                    with: Data(damaged), options: .fragmentsAllowed)) != nil
            // Foundation refuses halves of surrogates, which RFC 8259 leaves open.
            if isTaken != isJSON, !damaged.contains(UInt8(ascii: "\\")) {
                Issue.record(
                    "\(SimulationSeeds.replay(seed)): \(String(decoding: damaged, as: UTF8.self))")
            }
        }
    }
}
