import MartletCore
import MartletEngines
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("Calls of tools by models whose templates know of none")
struct ToolCallFormTests {
    private static let tools = #"""
        "tools": [{"type": "function", "function": {"name": "weather", "parameters":
        {"type": "object", "properties": {"city": {"type": "string"}}}}},
        {"type": "function", "function": {"name": "time"}}]
        """#

    private func request(_ messages: String, _ choice: String) throws -> ChatRequest {
        let base = #""model": "m", "messages": [\#(messages)]"#
        return try ChatRequest(
            decoding: OpenAISupport.body(base, #"\#(Self.tools), "tool_choice": \#(choice)"#),
            limits: Limits())
    }

    private func form(_ choice: String) throws -> (ToolCallForm, ChatRequest) {
        let request = try request(#"{"role": "user", "content": "Hi"}"#, choice)
        return (try #require(ToolCallForm(request, templateTakesTools: false)), request)
    }

    private func parsed(_ text: String?) throws -> JSONValue {
        try OpenAISupport.parse(Array(try #require(text).utf8))
    }

    @Test func form_isForTemplatesWithoutToolsOnly() throws {
        let (_, request) = try form(#""required""#)
        #expect(ToolCallForm(request, templateTakesTools: true) == nil)
        let none = try self.request(#"{"role": "user", "content": "Hi"}"#, #""none""#)
        #expect(ToolCallForm(none, templateTakesTools: false) == nil)
    }

    @Test func prompt_tellsOfToolsAndHoldsToTheSchema() throws {
        let (form, request) = try form(#""required""#)
        let prompt = form.prompt(request)
        #expect(prompt.tools == nil)
        let messages = try parsed(prompt.messages)
        #expect(messages.at("0.role") == .text("system"))
        #expect(prompt.messages.contains("weather"))
        #expect(messages.at("1.content") == .text("Hi"))
        let schema = try parsed(prompt.schema)
        #expect(schema.at("anyOf.0.properties.name.const") == .text("weather"))
        #expect(
            schema.at("anyOf.0.properties.arguments.properties.city.type") == .text("string"))
        #expect(schema.at("anyOf.1.properties.name.const") == .text("time"))
    }

    @Test func referencesOfATool_areToItsOwnParts_inTheWholeSchema() throws {
        let tools = #"""
            "tools": [{"type": "function", "function": {"name": "time"}}, {"type": "function",
            "function": {"name": "send", "parameters": {"type": "object",
            "$defs": {"Place": {"type": "object", "properties": {"in": {"$ref": "#/$defs/Place"}}}},
            "properties": {"to": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]},
            "$ref": {"type": "string"}}}}}]
            """#
        let request = try ChatRequest(
            decoding: OpenAISupport.body(
                #""model": "m", "messages": [{"role": "user", "content": "Hi"}]"#,
                #"\#(tools), "tool_choice": "required""#),
            limits: Limits())
        let form = try #require(ToolCallForm(request, templateTakesTools: false))
        let schema = try parsed(form.prompt(request).schema)
        let place = "anyOf.1.properties.arguments"
        let target = JSONValue.text("#/anyOf/1/properties/arguments/$defs/Place")
        #expect(schema.at("\(place).properties.to.anyOf.0.$ref") == target)
        #expect(schema.at("\(place).$defs.Place.properties.in.$ref") == target)
        #expect(schema.at("\(place).$defs.Place.type") == .text("object"))
        #expect(schema.at("\(place).properties.$ref.type") == .text("string"))
    }

    @Test func prompt_ofANamedTool_holdsToThatOne() throws {
        let (form, request) = try form(#"{"type": "function", "function": {"name": "time"}}"#)
        let schema = try parsed(form.prompt(request).schema)
        #expect(schema.at("anyOf.0.properties.name.const") == .text("time"))
        #expect(schema.at("anyOf.1") == nil)
    }

    @Test func prompt_ofToolsThatMayBeCalled_hasNoSchema() throws {
        let (form, request) = try form(#""auto""#)
        #expect(form.prompt(request).schema == nil)
    }

    @Test func callsAndResults_areWrittenAsText() throws {
        let request = try request(
            #"""
            {"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function",
            "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"}
            """#, #""auto""#)
        let form = try #require(ToolCallForm(request, templateTakesTools: false))
        let messages = try parsed(form.prompt(request).messages)
        let call = #"{"name":"weather","arguments":{"city":"Rome"}}"#
        #expect(messages.at("2.content") == .text(call))
        #expect(messages.at("3.role") == .text("user"))
        #expect(messages.at("3.content") == .text("weather returned: sunny"))
        #expect(messages.at("4") == nil)
    }

    @Test func answer_isReadOnceItIsWhole() throws {
        let (form, _) = try form(#""required""#)
        let text = #" {"name": "weather", "arguments": {"city": "Rome"}}"#
        #expect(try form.read(text, isPartial: true) == GeneratedMessage(content: ""))
        let call = GeneratedToolCall(name: "weather", arguments: #"{"city":"Rome"}"#)
        #expect(
            try form.read(text, isPartial: false) == GeneratedMessage(content: "", calls: [call]))
        for wrong in [#"{"name": "weather""#, #"{"name": "bird", "arguments": {}}"#, "Hi"] {
            #expect(OpenAISupport.failure { _ = try form.read(wrong, isPartial: false) } != nil)
        }
    }

    @Test func answer_thatNeedNotCall_isToldAsItComes() throws {
        let (form, _) = try form(#""auto""#)
        #expect(try form.read("Hel", isPartial: true).content == "Hel")
        #expect(try form.read("Hello", isPartial: false).content == "Hello")
        #expect(try form.read(" {\"a", isPartial: true).content == "")
        #expect(try form.read("{} is empty", isPartial: false).content == "{} is empty")
        #expect(
            try form.read(#"{"name": "time", "arguments": {}}"#, isPartial: false).calls
                == [GeneratedToolCall(name: "time", arguments: "{}")])
    }

    @Test func answer_isPlainFromItsFirstLetterOn_unlessItMayCall() throws {
        let (form, _) = try form(#""auto""#)
        #expect(!form.staysPlain(after: ""))
        #expect(!form.staysPlain(after: " \n"))
        #expect(!form.staysPlain(after: " {"))
        #expect(form.staysPlain(after: " I"))
        let (required, _) = try self.form(#""required""#)
        #expect(!required.staysPlain(after: "I"))
    }

    // MARK: Models that think

    @Test(arguments: [#""auto""#, #""required""#])
    func thoughts_standBeforeTheCall(choice: String) throws {
        let chat = ToolCallChat(rendered: ThinkingChat(), form: try form(choice).0)
        let call = #"{"name": "weather", "arguments": {"city": "Oslo"}}"#
        let whole = try chat.read("{so}|" + call, isPartial: false)
        #expect(whole.thoughts == "{so}")
        #expect(whole.content.isEmpty)
        #expect(whole.calls.map(\.name) == ["weather"])
        let part = try chat.read("so", isPartial: true)
        #expect(part == GeneratedMessage(content: "", thoughts: "so"))
        let cutOff = try chat.read("so", isPartial: false)
        #expect(cutOff == GeneratedMessage(content: "", thoughts: "so"))
    }

    @Test func textThatMayBeThoughts_isNotPlain() throws {
        let form = try form(#""auto""#).0
        #expect(!ToolCallChat(rendered: ThinkingChat(), form: form).staysPlain(after: "I"))
        #expect(ToolCallChat(rendered: PlainChat(), form: form).staysPlain(after: "I"))
    }
}
