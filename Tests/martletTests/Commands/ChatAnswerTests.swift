import Foundation
import MartletCore
import Testing

@testable import martlet

@Suite("Answers of martlet chat")
struct ChatAnswerTests {
    private func taken(_ events: [(String, Duration)]) throws -> (ChatAnswer, [String]) {
        var answer = ChatAnswer()
        let added = try events.map { try answer.take(Array($0.0.utf8), now: $0.1) }
        return (answer, added)
    }

    private static let whole: [(String, Duration)] = [
        (#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#, .seconds(1)),
        (#"{"choices":[{"index":0,"delta":{"content":"Be"}}],"usage":null}"#, .seconds(2)),
        (#"{"choices":[{"index":0,"delta":{"content":"cause"}}]}"#, .seconds(3)),
        (#"{"choices":[{"index":0,"delta":{"content":"."}}]}"#, .seconds(4)),
        (#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#, .seconds(5)),
        (
            #"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"#
                + #""prompt_tokens_details":{"cached_tokens":8}}}"#, .seconds(6)
        ),
        ("[DONE]", .seconds(7)),
    ]

    @Test func events_addUpToTheAnswer() throws {
        let (answer, added) = try taken(ChatAnswerTests.whole)
        #expect(added == ["", "Be", "cause", ".", "", "", ""])
        #expect(answer.text == "Because.")
        #expect(answer.finishReason == "stop")
        #expect(answer.isComplete)
        #expect(answer.firstTokenMilliseconds == 2000)
        #expect(answer.tokensPerSecond == 2)
        #expect(
            answer.statistics
                == "9 tokens read (8 cached), 5 written, first after 2000.0 ms, then 2.0 tokens/s")
    }

    @Test func json_isOneLineWithAllOfIt() throws {
        let (answer, _) = try taken(ChatAnswerTests.whole)
        let text = String(decoding: try answer.json(model: "m"), as: UTF8.self)
        #expect(text.hasSuffix("}\n"))
        #expect(text.dropLast().contains("\n") == false)
        for part in [
            #""content":"Because.""#, #""finish_reason":"stop""#, #""model":"m""#,
            #""completion_tokens":5"#, #""cached_tokens":8"#, #""ttft_ms":2000"#,
            #""tokens_per_second":2"#,
        ] {
            #expect(text.contains(part), "\(text)")
        }
    }

    @Test func answerWithoutUsage_hasNoRate() throws {
        let (answer, _) = try taken(Array(ChatAnswerTests.whole.prefix(5)))
        #expect(answer.tokensPerSecond == nil)
        #expect(!answer.isComplete)
        #expect(answer.statistics == "first after 2000.0 ms")
        #expect(ChatAnswer().statistics.isEmpty)
    }

    @Test func errorInTheStream_isThrownInTheServersWords() {
        let error = #expect(throws: ServingError.self) {
            try taken([(#"{"error":{"message":"the engine fell over","type":"x"}}"#, .zero)])
        }
        #expect(error?.message == "the engine fell over")
    }

    @Test(arguments: ["", "{", "[]", "null", #"{"choices":3}"#])
    func otherEvents_areRefused(text: String) {
        let error = #expect(throws: ServingError.self) { try taken([(text, .zero)]) }
        #expect(error?.code == .unavailable)
    }

    @Test func controlCharacters_doNotReachTheTerminal() {
        let text = "a\u{1B}[31mred\u{7}\r\n\tb\u{9B}2J é \u{1F468}\u{200D}\u{1F469}"
        #expect(text.withoutTerminalControls == "a[31mred\n\tb2J é \u{1F468}\u{200D}\u{1F469}")
    }
}

@Suite("Conversations of martlet chat")
struct ChatConversationTests {
    private func body(_ conversation: ChatConversation, model: String = "m") throws -> String {
        String(decoding: try conversation.request(.init(model: model)), as: UTF8.self)
    }

    @Test func request_holdsWhatWasSaid() throws {
        var conversation = ChatConversation(system: "Be brief.")
        conversation.ask("Why?")
        conversation.conclude("Because.")
        conversation.ask("How?")
        #expect(
            conversation.messages.map(\.role) == ["system", "user", "assistant", "user"])
        var wishes = ChatConversation.Wishes(model: "a/b")
        wishes.tokensMax = 7
        wishes.temperature = 0
        wishes.seed = 3
        let text = String(decoding: try conversation.request(wishes), as: UTF8.self)
        for part in [
            #""model":"a/b""#, #""max_completion_tokens":7"#, #""temperature":0"#, #""seed":3"#,
            #""stream":true"#, #""stream_options":{"include_usage":true}"#,
            #"{"content":"How?","role":"user"}"#,
        ] {
            #expect(text.contains(part), "\(text)")
        }
    }

    @Test func request_leavesOpenWhatNobodySaid() throws {
        var conversation = ChatConversation(system: nil)
        conversation.ask("Why?")
        let text = try body(conversation)
        for part in ["max_completion_tokens", "temperature", "seed", "system"] {
            #expect(!text.contains("\"\(part)\""), "\(text)")
        }
    }

    @Test func questionWithoutAnswer_isTakenBack() {
        var conversation = ChatConversation(system: nil)
        conversation.ask("Why?")
        conversation.conclude("")
        #expect(conversation.messages.isEmpty)
    }

    @Test func reset_keepsTheSystemsWordsOnly() {
        var conversation = ChatConversation(system: "Be brief.")
        conversation.ask("Why?")
        conversation.conclude("Because.")
        conversation.reset()
        #expect(conversation == ChatConversation(system: "Be brief."))
    }
}

@Suite("Addresses of martlet chat")
struct ChatAddressTests {
    @Test(arguments: [
        ("http://127.0.0.1:8500", "http://127.0.0.1:8500"),
        ("127.0.0.1:8500", "http://127.0.0.1:8500"),
        ("https://llm.example", "https://llm.example:443"),
        ("http://a.b:1/v1", "http://a.b:1"), ("http://a.b:1/v1/", "http://a.b:1"),
        ("http://[::1]:8500/", "http://[::1]:8500"),
    ])
    func address_isReadWithAndWithoutPath(text: String, shown: String) throws {
        #expect(try #require(ChatAddress(argument: text)).description == shown)
    }

    @Test(arguments: ["", "http://", "grpc://a.b:1", "a.b", "http://a.b/v2", "ftp://a.b:1"])
    func anythingElse_isNone(text: String) {
        #expect(ChatAddress(argument: text) == nil)
    }

    @Test(arguments: [
        (401, StatusCode.unauthenticated), (403, .permissionDenied), (404, .notFound),
        (503, .unavailable), (400, .failedPrecondition), (429, .failedPrecondition),
    ])
    func failures_haveTheCodeOfTheirStatus(status: Int, code: StatusCode) throws {
        let address = try #require(ChatAddress(argument: "http://a.b:1"))
        for body in [#"{"error":{"message":"no"}}"#, #"{"error":"no"}"#] {
            let error = ChatClient.failure(status, Array(body.utf8), address)
            #expect(error.code == code)
            #expect(error.message.hasPrefix("no"))
        }
        let other = ChatClient.failure(status, Array("<html>".utf8), address)
        #expect(other.message.contains("\(status)"))
        #expect(other.message.contains("http://a.b:1"))
    }
}
