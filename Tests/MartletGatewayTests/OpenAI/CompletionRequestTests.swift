import Testing

@testable import MartletGateway

@Suite("What a completion's body says of its model and length")
struct CompletionRequestTests {
    private func read(_ text: String) -> CompletionRequest? { CompletionRequest(Array(text.utf8)) }

    private func asking(_ model: String, _ text: String) -> String? {
        let body = Array(text.utf8)
        guard let request = CompletionRequest(body) else { return nil }
        return String(decoding: request.body(body, asking: model), as: UTF8.self)
    }

    @Test(arguments: [
        (#"{"model":"m"}"#, "m", nil as Int?, false),
        (#" { "max_tokens" : 7 , "model" : "a/b:c" , "stream" : true } "#, "a/b:c", 7, true),
        (#"{"model":"m","max_completion_tokens":9,"max_tokens":3}"#, "m", 9, false),
        (#"{"model":"m","max_tokens":1e3,"stream":false}"#, "m", 1000, false),
        (#"{"model":"m","max_tokens":null,"stream":null}"#, "m", nil, false),
        (#"{"model":"m","max_tokens":-5}"#, "m", nil, false),
        (#"{"model":"m","max_tokens":"12"}"#, "m", nil, false),
        (#"{"model":"m","max_tokens":99999999999999999999}"#, "m", TokenTimes.tokensMax, false),
        (
            #"{"messages":[{"model":"x","max_tokens":1}],"n":{"stream":true},"model":"m"}"#, "m",
            nil, false
        ),
    ])
    func outermostMembers_areRead(
        text: String, model: String, tokens: Int?, isStream: Bool
    ) throws {
        let request = try #require(read(text))
        #expect(request.model == model)
        #expect(request.tokens == tokens)
        #expect(request.isStream == isStream)
    }

    @Test(arguments: [
        "", "[]", "{", #"{"model":"m""#, #"{"model":"m"} x"#, #"{"mod\u0065l":"m"}"#,
        #"{"model":["m"]}"#, #"{"model":{}}"#,
    ])
    func whatIsNoneOrMayBeReadOtherwise_isNotRead(text: String) {
        #expect(read(text) == nil)
    }

    @Test(arguments: [#"{}"#, #"{"model":""}"#, #"{"model":1}"#, #"{"model":"\u006d"}"#])
    func withoutAPlainName_thereIsNoModel(text: String) throws {
        #expect(try #require(read(text)).model == nil)
    }

    @Test(arguments: [
        (#"{"model":"large","n":1}"#, #"{"model":"s","n":1}"#),
        (
            #"{ "messages":[{"model":"large"}], "model" : "large" }"#,
            #"{ "messages":[{"model":"large"}], "model" : "s" }"#
        ),
        // Whichever of two counts.
        (#"{"model":"a","model":"large"}"#, #"{"model":"s","model":"s"}"#),
        (#"{"messages":[]}"#, #"{"messages":[]}"#),
    ])
    func anotherModel_isAskedAndNothingElseChanges(text: String, other: String) {
        #expect(asking("s", text) == other)
    }
}
