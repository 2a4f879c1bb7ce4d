import MartletCore
import MartletTensors
import Testing

@testable import MartletModelServer

@Suite("Chat answers")
struct ChatAnswerTests {
    private let zeros = String(repeating: "0", count: 32)
    private let usage = TokenUsage(promptTokens: 9, cachedTokens: 4, completionTokens: 2)

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func wholeAnswer_isWritten() {
        let answer = ChatAnswer.encode(
            OpenAISupport.identity(model: "m\"1"),
            choices: [ChatChoice(text: Array("Hé\n".utf8), finishReason: .length)], usage: usage)
        #expect(
            text(answer)
                == #"{"id":"chatcmpl-\#(zeros)","object":"chat.completion","created":7,"#
                + #""model":"m\"1","system_fingerprint":null,"choices":[{"index":0,"message":"#
                + #"{"role":"assistant","content":"Hé\n","refusal":null},"logprobs":null,"#
                + #""finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"#
                + #""total_tokens":11,"prompt_tokens_details":{"cached_tokens":4}}}"#)
    }

    @Test func callsOfTools_areWritten() throws {
        let call = ToolCall(id: "c", name: "f", arguments: #"{"a":"b"}"#)
        let answer = try OpenAISupport.parse(
            ChatAnswer.encode(
                OpenAISupport.identity(),
                choices: [
                    ChatChoice(toolCalls: [call, call], finishReason: .toolCalls),
                    ChatChoice(text: [], finishReason: .stop),
                ], usage: usage))
        let message = answer.at("choices.0.message")
        #expect(message?.at("content") == .null)
        #expect(message?.at("tool_calls.1.function.arguments") == .text(#"{"a":"b"}"#))
        #expect(message?.at("tool_calls.0.type") == .text("function"))
        #expect(answer.at("choices.0.finish_reason") == .text("tool_calls"))
        #expect(answer.at("choices.1.index") == .integer(1))
        #expect(answer.at("choices.1.message.content") == .text(""))
        #expect(answer.at("choices.1.message.tool_calls") == nil)
    }

    @Test func thoughts_haveAFieldOfTheirOwn() throws {
        let answer = try OpenAISupport.parse(
            ChatAnswer.encode(
                OpenAISupport.identity(),
                choices: [
                    ChatChoice(
                        text: Array("4".utf8), thoughts: Array("2\n+2".utf8), finishReason: .stop)
                ], usage: usage))
        #expect(answer.at("choices.0.message.reasoning_content") == .text("2\n+2"))
        #expect(answer.at("choices.0.message.content") == .text("4"))
        var bytes: [UInt8] = []
        ChatChunkEncoder(OpenAISupport.identity(), includesUsage: false)
            .appendThoughts(Array("2\n".utf8), choice: 1, to: &bytes)
        let event = try OpenAISupport.events(bytes).first
        #expect(event?.at("choices.0.delta.reasoning_content") == .text("2\n"))
        #expect(event?.at("choices.0.delta.content") == nil)
        #expect(event?.at("choices.0.index") == .integer(1))
    }

    @Test func logProbabilities_haveTextAndBytes() {
        let token = AnswerToken(
            bytes: [0xe2, 0x82], logprob: -0.5,
            alternatives: [.init(bytes: Array("a".utf8), logprob: -.infinity)])
        var bytes: [UInt8] = []
        AnswerToken.appendChat([token], to: &bytes)
        #expect(
            text(bytes)
                == #"{"content":[{"token":"\#u{fffd}","logprob":-0.5,"bytes":[226,130],"#
                + #""top_logprobs":[{"token":"a","logprob":-9999.0,"bytes":[97]}]}],"#
                + #""refusal":null}"#)
    }

    @Test func stream_isRoleTextFinishAndUsage() throws {
        let encoder = ChatChunkEncoder(OpenAISupport.identity(), includesUsage: true)
        var bytes: [UInt8] = []
        encoder.appendRole(choice: 0, to: &bytes)
        encoder.appendText(Array("a\"b\n".utf8), choice: 0, to: &bytes)
        encoder.appendText(
            Array("c".utf8), logprobs: [AnswerToken(bytes: [99], logprob: -1)], choice: 12,
            to: &bytes)
        encoder.appendFinish(.stop, choice: 0, to: &bytes)
        encoder.appendUsage(usage, to: &bytes)
        bytes += ServerSentEvents.done
        let events = try OpenAISupport.events(bytes)
        #expect(events.count == 6)
        for event in events.dropLast() {
            #expect(event.at("object") == .text("chat.completion.chunk"))
            #expect(event.at("id") == .text("chatcmpl-" + zeros))
        }
        for event in events.prefix(4) { #expect(event.at("usage") == .null) }
        #expect(events[0].at("choices.0.delta.role") == .text("assistant"))
        #expect(events[0].at("choices.0.finish_reason") == .null)
        #expect(events[1].at("choices.0.delta.content") == .text("a\"b\n"))
        #expect(events[2].at("choices.0.index") == .integer(12))
        #expect(events[2].at("choices.0.logprobs.content.0.token") == .text("c"))
        #expect(events[3].at("choices.0.delta") == .object([]))
        #expect(events[3].at("choices.0.finish_reason") == .text("stop"))
        #expect(events[4].at("choices") == .list([]))
        #expect(events[4].at("usage.prompt_tokens_details.cached_tokens") == .integer(4))
        #expect(events[5] == .text("[DONE]"))
    }

    @Test func chunkWithoutUsage_isWritten() {
        var bytes: [UInt8] = []
        ChatChunkEncoder(OpenAISupport.identity(), includesUsage: false)
            .appendText(Array("x".utf8), choice: 0, to: &bytes)
        #expect(
            text(bytes)
                == #"data: {"id":"chatcmpl-\#(zeros)","object":"chat.completion.chunk","#
                + #""created":7,"model":"m","system_fingerprint":null,"choices":[{"index":0,"#
                + #""delta":{"content":"x"},"logprobs":null,"finish_reason":null}]}"# + "\n\n")
    }

    @Test func callOfATool_comesInPieces() throws {
        let encoder = ChatChunkEncoder(OpenAISupport.identity(), includesUsage: false)
        var bytes: [UInt8] = []
        encoder.appendToolCall(
            .init(index: 1, opening: .init(id: "c", name: "f"), arguments: []), choice: 0,
            to: &bytes)
        encoder.appendToolCall(
            .init(index: 1, arguments: Array(#"{"a"#.utf8)), choice: 0, to: &bytes)
        let calls = try OpenAISupport.events(bytes).map { $0.at("choices.0.delta.tool_calls.0") }
        #expect(calls[0]?.at("index") == .integer(1))
        #expect(calls[0]?.at("id") == .text("c"))
        #expect(calls[0]?.at("type") == .text("function"))
        #expect(calls[0]?.at("function.name") == .text("f"))
        #expect(calls[0]?.at("function.arguments") == .text(""))
        #expect(calls[1]?.at("id") == nil)
        #expect(calls[1]?.at("function.name") == nil)
        #expect(calls[1]?.at("function.arguments") == .text(#"{"a"#))
    }

    @Test func identities_differ() {
        var random = SystemRandomNumberGenerator()
        let first = AnswerIdentity(.completion, created: 0, model: "m", using: &random)
        let second = AnswerIdentity(.completion, created: 0, model: "m", using: &random)
        #expect(first.id.hasPrefix("cmpl-"))
        #expect(first.id.utf8.count == 5 + 32)
        #expect(first.id != second.id)
        #expect(AnswerIdentity.toolCallID(using: &random).utf8.count == 5 + 24)
    }
}
