import MartletCore
import Testing

@testable import MartletModelServer

@Suite("Legacy completion requests")
struct CompletionRequestTests {
    private func decode(_ members: String, bounds: OpenAILimits = OpenAILimits()) throws
        -> CompletionRequest
    {
        try CompletionRequest(
            decoding: OpenAISupport.body(#""model": "m""#, members), limits: Limits(),
            bounds: bounds)
    }

    private func param(_ members: String, bounds: OpenAILimits = OpenAILimits()) -> String? {
        OpenAISupport.param(OpenAISupport.failure { _ = try decode(members, bounds: bounds) })
    }

    @Test(arguments: [
        (#""Hi""#, [TextInput.text("Hi")]), (#"["a", "b"]"#, [.text("a"), .text("b")]),
        ("[1, 2]", [.tokens([1, 2])]), ("[[1], [2, 3]]", [.tokens([1]), .tokens([2, 3])]),
        (#"["a", [7]]"#, [.text("a"), .tokens([7])]),
    ])
    func prompt_ofEachForm_isRead(json: String, prompts: [TextInput]) throws {
        #expect(try decode(#""prompt": \#(json)"#).prompts == prompts)
    }

    @Test(arguments: [
        ("null", "prompt"), (#""""#, "prompt"), ("[]", "prompt"), ("5", "prompt"),
        (#"[1, "a"]"#, "prompt[1]"), ("[1, -1]", "prompt[1]"), ("[1.5]", "prompt[0]"),
        ("[[]]", "prompt[0]"), ("[[1], [2147483648]]", "prompt[1][0]"),
        (#"["a", ""]"#, "prompt[1]"), (#"["a", null]"#, "prompt[1]"),
    ])
    func promptThatIsWrong_isNamed(json: String, name: String) {
        #expect(param(#""prompt": \#(json)"#) == name)
    }

    @Test func options_areRead() throws {
        let request = try decode(
            #""prompt": "a", "echo": true, "best_of": 2, "n": 2, "suffix": "", "max_tokens": 0"#)
        #expect(request.echoes)
        #expect(request.options.choices == 2)
        #expect(request.options.outputTokensMaximum == 0)
        #expect(try decode(#""prompt": "a", "logprobs": 0"#).logprobs == 0)
        #expect(try decode(#""prompt": "a""#).options.outputTokensMaximum == 16)
    }

    @Test func saltOfTheCache_isReadWithinItsBounds() throws {
        #expect(try decode(#""prompt": "a", "cache_salt": "s""#).options.cacheSalt == "s")
        #expect(try decode(#""prompt": "a", "cache_salt": null"#).options.cacheSalt == nil)
        let long = String(repeating: "s", count: OpenAILimits().nameBytes + 1)
        for value in [#""""#, "1", #""\#(long)""#] {
            #expect(param(#""prompt": "a", "cache_salt": \#(value)"#) == "cache_salt")
        }
    }

    @Test func salts_divideATenantsPrompts_andJoinNoOthers() {
        var scopes: Set<String> = []
        let tenants = ["", "a", "a:b", "1:a", ":a"]
        for tenant in tenants {
            let standing = GenerationStanding(TaskStanding(tenant: tenant))
            for salt in tenants { scopes.insert(standing.cacheScope(of: salt)) }
        }
        #expect(scopes.count == tenants.count * tenants.count)
    }

    @Test(arguments: [
        (#""suffix": "x""#, "suffix"), (#""best_of": 2"#, "best_of"),
        (#""best_of": 0"#, "best_of"), (#""max_tokens": 0"#, "max_tokens"),
        (#""logprobs": true"#, "logprobs"), (#""logprobs": 21"#, "logprobs"),
        (#""echo": true, "logprobs": 1"#, "logprobs"), (#""echo": 1"#, "echo"),
    ])
    func whatIsNotSupported_isRefused(member: String, name: String) {
        #expect(param(#""prompt": "a", \#(member)"#) == name)
    }

    @Test func promptsTimesChoices_areBounded() {
        var bounds = OpenAILimits()
        bounds.choices = 6
        bounds.inputTokens = 3
        bounds.prompts = 4
        #expect(param(#""prompt": ["a", "b"], "n": 3"#, bounds: bounds) == nil)
        #expect(param(#""prompt": ["a", "b"], "n": 4"#, bounds: bounds) == "n")
        #expect(param(#""prompt": [1, 2, 3]"#, bounds: bounds) == nil)
        #expect(param(#""prompt": [1, 2, 3, 4]"#, bounds: bounds) == "prompt")
        #expect(param(#""prompt": [[1], [1], [1], [1], [1]]"#, bounds: bounds) == "prompt")
    }
}
