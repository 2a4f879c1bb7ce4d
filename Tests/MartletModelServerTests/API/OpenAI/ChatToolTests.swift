import MartletCore
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("Tools and forms of answers")
struct ChatToolTests {
    private static let base = #""model": "m", "messages": [{"role": "user", "content": "Hi"}]"#
    private static let weather = """
        {"type": "function", "function": {"name": "weather", "description": "Of a place.",
        "strict": true, "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}}}
        """

    private func decode(_ members: String, bounds: OpenAILimits = OpenAILimits()) throws
        -> ChatRequest
    {
        try ChatRequest(
            decoding: OpenAISupport.body(Self.base, members), limits: Limits(), bounds: bounds)
    }

    private func param(_ members: String, bounds: OpenAILimits = OpenAILimits()) -> String? {
        OpenAISupport.param(OpenAISupport.failure { _ = try decode(members, bounds: bounds) })
    }

    @Test func tool_isReadWithItsDefinitionInOrder() throws {
        let request = try decode(#""tools": [\#(Self.weather)]"#)
        let tool = try #require(request.tools.first)
        #expect(tool.name == "weather")
        #expect(tool.description == "Of a place.")
        #expect(tool.isStrict)
        #expect(tool.parameters?.at("type") == .text("object"))
        #expect(request.toolChoice == .automatic)
        var written: [UInt8] = []
        written.appendJSON(tool.definition)
        #expect(
            String(decoding: written, as: UTF8.self)
                == #"{"type":"function","function":{"name":"weather","description":"Of a place.","#
                + #""strict":true,"parameters":{"type":"object","properties":{"b":{},"a":{}}}}}"#)
    }

    @Test(arguments: [
        (#""none""#, ChatTool.Choice.none), (#""auto""#, .automatic), (#""required""#, .required),
        (#"{"type": "function", "function": {"name": "weather"}}"#, .function("weather")),
    ])
    func choice_isRead(json: String, choice: ChatTool.Choice) throws {
        let request = try decode(#""tools": [\#(Self.weather)], "tool_choice": \#(json)"#)
        #expect(request.toolChoice == choice)
    }

    @Test func choiceThatNoToolAnswers_isRefused() throws {
        #expect(param(#""tool_choice": "required""#) == "tool_choice")
        #expect(try decode(#""tool_choice": "auto""#).toolChoice == .none)
        let other = #"{"type": "function", "function": {"name": "other"}}"#
        #expect(
            param(#""tools": [\#(Self.weather)], "tool_choice": \#(other)"#)
                == "tool_choice.function.name")
        #expect(param(#""tool_choice": "any", "tools": []"#) == "tool_choice")
    }

    @Test(arguments: [
        (#"[1]"#, "tools[0]"), (#"[{}]"#, "tools[0].function"),
        (#"[{"type": "web_search"}]"#, "tools[0].type"),
        (#"[{"function": {}}]"#, "tools[0].function.name"),
        (#"[{"function": {"name": "a b"}}]"#, "tools[0].function.name"),
        (#"[{"function": {"name": ""}}]"#, "tools[0].function.name"),
        (#"[{"function": {"name": "f", "parameters": 1}}]"#, "tools[0].function.parameters"),
        (#"[{"function": {"name": "f", "strict": 1}}]"#, "tools[0].function.strict"),
        (
            #"[{"function": {"name": "f"}}, {"function": {"name": "f"}}]"#,
            "tools[1].function.name"
        ),
    ])
    func toolThatIsWrong_isNamed(json: String, name: String) {
        #expect(param(#""tools": \#(json)"#) == name)
    }

    @Test func nameOfATool_hasAtMostSixtyFourBytes() throws {
        let name = String(repeating: "a", count: 64)
        #expect(
            try decode(#""tools": [{"function": {"name": "\#(name)"}}]"#).tools.first?.name == name)
        #expect(
            param(#""tools": [{"function": {"name": "\#(name)a"}}]"#)
                == "tools[0].function.name")
    }

    @Test func schemaBomb_isRefusedByItsValues() {
        let list = Array(repeating: "1", count: 5000).joined(separator: ",")
        #expect(
            param(#""tools": [{"function": {"name": "f", "parameters": {"enum": [\#(list)]}}}]"#)
                == "tools[0].function.parameters")
        #expect(
            param(#""tools": [{"function": {"name": "f"}, "x": [\#(list)]}]"#) == "tools[0]")
        #expect(
            param(
                #""response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": "#
                    + "[\(list)]}}}") == "response_format.json_schema.schema")
    }

    /// A longer one would end the process: the making of a grammar recurses along it.
    @Test func namesAndReferencesOfASchema_areBounded() {
        for (count, isTaken) in [(512, true), (513, false), (100_000, false)] {
            let name = String(repeating: "$", count: count)
            let parameters = #"{"type": "object", "properties": {"a": {"\#(name)": {}}}}"#
            #expect(
                param(#""tools": [{"function": {"name": "f", "parameters": \#(parameters)}}]"#)
                    == (isTaken ? nil : "tools[0].function.parameters"))
            let schema = #"{"anyOf": [{"$ref": "\#(name)"}]}"#
            #expect(
                param(
                    #""response_format": {"type": "json_schema", "json_schema": {"schema": "#
                        + "\(schema)}}") == (isTaken ? nil : "response_format.json_schema.schema"))
        }
    }

    @Test func formOfTheAnswer_isRead() throws {
        func format(_ json: String) throws -> ResponseFormat {
            try decode(#""response_format": \#(json)"#).responseFormat
        }
        let schema = try OpenAISupport.parse(Array(#"{"type": "object"}"#.utf8))
        #expect(try format(#"{"type": "text"}"#) == .text)
        #expect(try format(#"{"type": "json_object"}"#) == .jsonObject)
        #expect(
            try format(#"{"type": "json_object", "schema": {"type": "object"}}"#)
                == .jsonSchema(name: "schema", schema: schema))
        #expect(
            try format(
                #"{"type": "json_schema", "json_schema": {"name": "n", "strict": true, "#
                    + #""schema": {"type": "object"}}}"#)
                == .jsonSchema(name: "n", schema: schema))
    }

    @Test(arguments: [
        ("{}", "response_format.type"), (#"{"type": "xml"}"#, "response_format.type"),
        (#"{"type": "json_schema"}"#, "response_format.json_schema"),
        (
            #"{"type": "json_schema", "json_schema": {"name": "n"}}"#,
            "response_format.json_schema.schema"
        ),
        (
            #"{"type": "json_schema", "json_schema": {"schema": "x"}}"#,
            "response_format.json_schema.schema"
        ),
    ])
    func formThatIsWrong_isNamed(json: String, name: String) {
        #expect(param(#""response_format": \#(json)"#) == name)
    }
}
