import MartletCore
import Testing

@testable import MartletModelServer

@Suite("Properties that a schema lets an answer leave out")
struct OptionalPropertiesTests {
    /// So many properties of an object.
    private static func properties(_ count: Int) -> String {
        "{" + (0..<count).map { #""p\#($0)": {}"# }.joined(separator: ",") + "}"
    }

    private func most(_ json: String) throws -> Int {
        OptionalProperties(try OpenAISupport.parse(Array(json.utf8))).most
    }

    @Test func propertiesThatAreRequired_areNotCounted() throws {
        #expect(try most(#"{"type": "string"}"#) == 0)
        #expect(try most(#"{"properties": \#(Self.properties(5))}"#) == 5)
        let five = #""properties": \#(Self.properties(5))"#
        #expect(try most(#"{\#(five), "required": ["p1", "p4", "other"]}"#) == 3)
        // Nobody knows which of two lists counts.
        #expect(try most(#"{\#(five), "required": ["p1"], "required": []}"#) == 5)
    }

    @Test func mostOfOneObject_counts_howeverDeep() throws {
        let parts = [3, 7, 4].map { #"{"properties": \#(Self.properties($0))}"# }
        #expect(try most(#"{"anyOf": [\#(parts.joined(separator: ","))]}"#) == 7)
        #expect(try most(#"{"properties": {"a": {"items": \#(parts[1])}}}"#) == 7)
    }

    @Test func alternativesThatAreTakenTogether_areCountedTogether() throws {
        let part = #"{"properties": \#(Self.properties(10)), "required": ["p1"]}"#
        let parts = Array(repeating: part, count: 20).joined(separator: ",")
        #expect(try most(#"{"allOf": [{"anyOf": [\#(parts)]}]}"#) == 200)
        let references = Array(repeating: ##"{"$ref": "#/$defs/A"}"##, count: 30)
            .joined(separator: ",")
        #expect(
            try most(#"{"$defs": {"A": \#(part)}, "allOf": [{"oneOf": [\#(references)]}]}"#) == 300)
        // All of the parts themselves are required.
        #expect(try most(#"{"allOf": [\#(parts)]}"#) == 9)
    }

    @Test func schemaOfManyOptionalProperties_isRefused() throws {
        for (count, isTaken) in [(256, true), (257, false)] {
            let schema = #"{"type": "object", "properties": \#(Self.properties(count))}"#
            let tools = #""tools": [{"function": {"name": "f", "parameters": \#(schema)}}]"#
            let error = OpenAISupport.failure {
                _ = try ChatRequest(
                    decoding: OpenAISupport.body(
                        #""model": "m", "messages": [{"role": "user", "content": "Hi"}]"#, tools),
                    limits: Limits())
            }
            #expect((error == nil) == isTaken)
            #expect(OpenAISupport.param(error) == (isTaken ? nil : "tools[0].function.parameters"))
        }
    }
}
