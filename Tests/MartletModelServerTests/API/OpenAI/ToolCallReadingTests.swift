import MartletEngines
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("Calls of tools that a reader thinks better of")
struct ToolCallReadingTests {
    /// A chat whose answer is names of tools with commas between them, which may be missing.
    private struct NamesChat: RenderedChat {
        let prompt = "prompt"
        let stops: [String] = []
        let isPlain = false

        func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
            let names = text.split(separator: ",", omittingEmptySubsequences: false)
            return GeneratedMessage(
                content: "",
                calls: names.map { GeneratedToolCall(name: String($0), arguments: "{}") })
        }
    }

    /// A chat whose answer is a call's arguments, in which `-` makes the end doubtful for a while.
    private struct DoubtfulChat: RenderedChat {
        let prompt = "prompt"
        let stops: [String] = []
        let isPlain = false

        func read(_ text: String, isPartial: Bool) throws -> GeneratedMessage {
            let arguments =
                text.hasSuffix("-") ? String(text.dropLast(2)) : String(text.filter { $0 != "-" })
            return GeneratedMessage(
                content: "", calls: [GeneratedToolCall(name: "f", arguments: arguments)])
        }
    }

    private static let chat =
        #"{"model":"m","messages":[{"role":"user","content":"a"}]"#

    private func calls(in events: [JSONValue]) -> [JSONValue] {
        events.compactMap { $0.at("choices.0.delta.tool_calls.0") }
    }

    @Test func callWithoutAName_isLeftOut_andThoseBehindItAreTold() throws {
        var run = try GenerationSessionRun(Self.chat + #","stream":true}"#, chat: NamesChat())
        run.model.say(",f")
        run.model.say(",g")
        run.model.finish()
        let (events, _) = try run.events()
        let names = calls(in: events).map { $0.at("function.name") }
        #expect(names == [.text("f"), .text("g")])
        #expect(calls(in: events).map { $0.at("index") } == [.integer(0), .integer(1)])
        run = try GenerationSessionRun(Self.chat + "}", chat: NamesChat())
        run.model.say("f,,g")
        run.model.finish()
        let json = try run.json()
        #expect(json.at("choices.0.message.tool_calls.1.function.name") == .text("g"))
        #expect(json.at("choices.0.message.tool_calls.2") == nil)
    }

    @Test func argumentsThatBecomeShorterForAWhile_areToldOnce() throws {
        let run = try GenerationSessionRun(
            Self.chat + #","stream":true}"#, chat: DoubtfulChat())
        for piece in ["12", "-", "345"] { run.model.say(piece) }
        run.model.finish()
        let (events, _) = try run.events()
        let pieces = calls(in: events).compactMap { $0.at("function.arguments")?.string }
        #expect(pieces.joined() == "12345")
    }
}
