import MartletCore
import MartletTensors
import MartletTestKit
import Testing

@testable import MartletModelServer

@Suite("Chat requests")
struct ChatRequestTests {
    private static let base = #""model": "m", "messages": [{"role": "user", "content": "Hi"}]"#

    private func decode(_ members: String = "", bounds: OpenAILimits = OpenAILimits()) throws
        -> ChatRequest
    {
        try ChatRequest(
            decoding: OpenAISupport.body(Self.base, members), limits: Limits(), bounds: bounds)
    }

    private func decode(messages: String, bounds: OpenAILimits = OpenAILimits()) throws
        -> [ChatMessage]
    {
        let body = OpenAISupport.body(#""model": "m""#, #""messages": \#(messages)"#)
        return try ChatRequest(decoding: body, limits: Limits(), bounds: bounds).messages
    }

    private func failure(_ members: String) -> ServingError? {
        OpenAISupport.failure { _ = try decode(members) }
    }

    private func failure(messages: String) -> ServingError? {
        OpenAISupport.failure { _ = try decode(messages: messages) }
    }

    @Test func leastRequest_hasTheDefaults() throws {
        let request = try decode()
        #expect(request.options.model == "m")
        #expect(request.messages == [ChatMessage(role: .user, content: "Hi")])
        #expect(request.options.sampling == SamplingOptions())
        #expect(request.options.choices == 1)
        #expect(request.options.stop.isEmpty)
        #expect(request.options.outputTokensMaximum == nil)
        #expect(!request.options.streams)
        #expect(!request.options.includesUsage)
        #expect(request.logprobs == nil)
        #expect(request.responseFormat == .text)
        #expect(request.tools.isEmpty)
        #expect(request.toolChoice == .none)
        #expect(request.allowsParallelToolCalls)
    }

    @Test func everyOption_isRead() throws {
        let request = try decode(
            """
            "n": 3, "stop": ["a", "b"], "seed": 12, "temperature": 0.5, "top_p": 0.25, "top_k": 40,
            "min_p": 0.125, "frequency_penalty": -1, "presence_penalty": 1.5,
            "repeat_penalty": 1.25, "repeat_last_n": 32,
            "logit_bias": {"17": -100, "3": 2.5}, "logprobs": true,
            "top_logprobs": 4, "max_completion_tokens": 9, "stream": true,
            "stream_options": {"include_usage": true}, "parallel_tool_calls": false,
            "user": "someone", "ignore_eos": true, "chat_template_kwargs": {"x": 1}
            """)
        var sampling = SamplingOptions()
        sampling.temperature = 0.5
        sampling.topP = 0.25
        sampling.topK = 40
        sampling.minP = 0.125
        sampling.frequencyPenalty = -1
        sampling.presencePenalty = 1.5
        sampling.repeatPenalty = 1.25
        sampling.penaltyWindow = 32
        sampling.seed = 12
        sampling.logitBiases = [.init(token: 3, bias: 2.5), .init(token: 17, bias: -100)]
        #expect(request.options.sampling == sampling)
        #expect(request.options.choices == 3)
        #expect(request.options.stop == ["a", "b"])
        #expect(request.options.outputTokensMaximum == 9)
        #expect(request.options.streams)
        #expect(request.options.includesUsage)
        #expect(request.options.user == "someone")
        #expect(request.options.ignoresEndOfText)
        #expect(request.logprobs == 4)
        #expect(!request.allowsParallelToolCalls)
        #expect(request.templateArguments?.at("x") == .integer(1))
    }

    @Test func unknownMembersAndNulls_areIgnored() throws {
        let request = try decode(
            #""temperature": null, "stop": null, "tools": null, "store": 1, "metadata": {"a": []}"#)
        #expect(try decode() == request)
    }

    @Test func otherServersSpellings_meanTheSame() throws {
        #expect(try decode(#""top_k": -1"#).options.sampling.topK == 0)
        #expect(try decode(#""seed": -1"#).options.sampling.seed == nil)
        #expect(try decode(#""seed": -2"#).options.sampling.seed == .max - 1)
        #expect(try decode(#""repetition_penalty": 2"#).options.sampling.repeatPenalty == 2)
        #expect(try decode(#""max_tokens": 5"#).options.outputTokensMaximum == 5)
        #expect(try decode(#""stop": "x""#).options.stop == ["x"])
    }

    @Test(arguments: [
        #""n": 0"#, #""n": 129"#, #""n": 1.5"#, #""n": "1""#, #""temperature": -0.1"#,
        #""temperature": 2.1"#, #""temperature": NaN"#, #""temperature": "hot""#,
        #""top_p": 1.01"#, #""top_p": Infinity"#, #""top_k": -2"#, #""top_k": 0.5"#,
        #""min_p": -1"#, #""frequency_penalty": 2.5"#, #""presence_penalty": -2.5"#,
        #""presence_penalty": []"#, #""repeat_penalty": 0"#, #""repetition_penalty": NaN"#,
        #""repeat_last_n": -2"#, #""seed": 0.5"#, #""seed": 18446744073709551615"#,
        #""max_tokens": 0"#, #""max_tokens": -1"#, #""max_completion_tokens": 1e3"#,
        #""stream": "yes""#, #""stream_options": 1"#, #""logprobs": 1"#, #""user": 5"#,
        #""parallel_tool_calls": 1"#, #""response_format": "json""#, #""tools": {}"#,
        #""tool_choice": 1"#, #""stop": 4"#, #""stop": [""]"#, #""stop": ["a", 1]"#,
        #""chat_template_kwargs": []"#, #""ignore_eos": 0"#, #""logit_bias": []"#,
        #""model": "again""#, #""functions": []"#, #""function_call": "auto""#,
    ])
    func fieldOfWrongTypeOrRange_isNamed(member: String) throws {
        let error = try #require(failure(member))
        let name = try #require(member.split(separator: "\"").first.map(String.init))
        #expect(error.code == .invalidArgument)
        #expect(OpenAISupport.param(error) == name)
        #expect(error.message.contains("'\(name)"))
    }

    @Test func errors_nameValueAndRemedy() {
        #expect(
            failure(#""temperature": 3.5"#)?.message
                == "'temperature' is 3.5; it must be a number from 0.0 to 2.0")
        #expect(
            failure(#""n": 0"#)?.message == "'n' is 0; it must be a whole number from 1 to 128")
        #expect(
            failure(#""stream": "yes""#)?.message == "'stream' is 'yes'; it must be true or false")
    }

    @Test func fieldsThatContradictEachOther_areRefused() {
        #expect(
            OpenAISupport.param(failure(#""max_tokens": 1, "max_completion_tokens": 2"#))
                == "max_tokens")
        #expect(failure(#""max_tokens": 1, "max_completion_tokens": 1"#) == nil)
        #expect(OpenAISupport.param(failure(#""top_logprobs": 2"#)) == "top_logprobs")
        #expect(failure(#""top_logprobs": 0"#) == nil)
        #expect(
            OpenAISupport.param(failure(#""stream_options": {"include_usage": true}"#))
                == "stream_options")
        #expect(failure(#""stream_options": {"include_usage": false}"#) == nil)
    }

    @Test func logitBiases_areCheckedOneByOne() {
        for bias in [#"{"-1": 1}"#, #"{"x": 1}"#, #"{"2147483648": 1}"#, #"{"1": 1, "1": 2}"#] {
            #expect(OpenAISupport.param(failure(#""logit_bias": \#(bias)"#)) == "logit_bias")
        }
        for bias in [#"{"5": 101}"#, #"{"5": "a"}"#, #"{"5": NaN}"#] {
            #expect(OpenAISupport.param(failure(#""logit_bias": \#(bias)"#)) == "logit_bias.5")
        }
    }

    @Test func bodiesThatAreNoRequest_areRefused() {
        for body in ["", "[]", "{", "{}", #"{"model": "", "messages": []}"#, "null"] {
            let error = OpenAISupport.failure {
                _ = try ChatRequest(decoding: Array(body.utf8), limits: Limits())
            }
            #expect(error?.code == .invalidArgument, "\(body)")
        }
        let cutCharacter = OpenAISupport.failure {
            let body = OpenAISupport.body(Self.base, #""user": "x""#)
            let bytes = body.map { $0 == UInt8(ascii: "x") ? 0xc3 : $0 }
            _ = try ChatRequest(decoding: bytes, limits: Limits())
        }
        #expect(cutCharacter?.message.contains("encoding") == true)
        let deep = String(repeating: "[", count: 100)
        #expect(failure(#""x": \#(deep)"#)?.message.contains("32 levels") == true)
    }

    // MARK: Messages

    @Test func messagesOfEachRole_areRead() throws {
        let messages = try decode(
            messages: """
                [{"role": "developer", "content": "Be brief."},
                 {"role": "system", "content": "Now."},
                 {"role": "user", "name": "ann", "content": [
                    {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                 {"role": "assistant", "content": null, "tool_calls": [{"id": "c1",
                    "type": "function", "function": {"name": "f", "arguments": "{\\"x\\":1}"}}]},
                 {"role": "tool", "tool_call_id": "c1", "content": ""},
                 {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}]
                """)
        var calling = ChatMessage(role: .assistant, content: nil)
        calling.toolCalls = [ToolCall(id: "c1", name: "f", arguments: #"{"x":1}"#)]
        var answering = ChatMessage(role: .tool, content: "")
        answering.toolCallID = "c1"
        #expect(
            messages == [
                ChatMessage(role: .system, content: "Be brief."),
                ChatMessage(role: .system, content: "Now."),
                ChatMessage(role: .user, content: "a\nb", name: "ann"),
                calling, answering, ChatMessage(role: .assistant, content: "No."),
            ])
    }

    @Test(arguments: [
        ("[]", "messages"), ("{}", "messages"), ("[1]", "messages[0]"),
        (
            #"[{"role": "assistant", "content": "x", "reasoning_content": 5}]"#,
            "messages[0].reasoning_content"
        ),
        (#"[{"content": "x"}]"#, "messages[0].role"),
        (#"[{"role": "wizard", "content": "x"}]"#, "messages[0].role"),
        (#"[{"role": "function", "content": "x"}]"#, "messages[0].role"),
        (#"[{"role": "user"}]"#, "messages[0].content"),
        (#"[{"role": "user", "content": 5}]"#, "messages[0].content"),
        (#"[{"role": "user", "content": []}, {"role": "assistant"}]"#, "messages[1].content"),
        (#"[{"role": "user", "content": [{"text": "x"}]}]"#, "messages[0].content[0].type"),
        (#"[{"role": "user", "content": [{"type": "text"}]}]"#, "messages[0].content[0].text"),
        (
            #"[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]"#,
            "messages[0].content[0].type"
        ),
        (#"[{"role": "tool", "content": "x"}]"#, "messages[0].tool_call_id"),
        (
            #"[{"role": "assistant", "tool_calls": [{"type": "x"}]}]"#,
            "messages[0].tool_calls[0].type"
        ),
        (
            #"[{"role": "assistant", "tool_calls": [{"function": {"name": "f"}, "id": "1"}]}]"#,
            "messages[0].tool_calls[0].function.arguments"
        ),
        (#"[{"role": "user", "content": "x", "content": "y"}]"#, "messages[0].content"),
    ])
    func messageThatIsWrong_isNamed(messages: String, param: String) throws {
        let error = try #require(failure(messages: messages))
        #expect(OpenAISupport.param(error) == param)
        #expect(error.message.contains(param.split(separator: ".")[0]))
    }

    @Test func tenThousandMessages_areRefusedByCount() {
        let message = #"{"role": "user", "content": "x"}"#
        let list = "[" + Array(repeating: message, count: 10_000).joined(separator: ",") + "]"
        let error = failure(messages: list)
        #expect(error?.message == "'messages' has 10000 elements; at most 2048 are taken")
        #expect(OpenAISupport.code(error) == "array_above_max_length")
    }

    @Test func listsBeyondTheirBounds_areRefused() {
        var bounds = OpenAILimits()
        bounds.contentParts = 1
        bounds.stopSequences = 1
        bounds.stopBytes = 2
        bounds.logitBiases = 1
        bounds.topLogprobs = 3
        let part = #"{"type": "text", "text": "x"}"#
        let parts = OpenAISupport.failure {
            _ = try decode(
                messages: #"[{"role": "user", "content": [\#(part), \#(part)]}]"#, bounds: bounds)
        }
        #expect(OpenAISupport.param(parts) == "messages[0].content")
        for (member, name) in [
            (#""stop": ["a", "b"]"#, "stop"), (#""stop": "abc""#, "stop"),
            (#""logit_bias": {"1": 1, "2": 1}"#, "logit_bias"),
            (#""logprobs": true, "top_logprobs": 4"#, "top_logprobs"),
        ] {
            let error = OpenAISupport.failure { _ = try decode(member, bounds: bounds) }
            #expect(OpenAISupport.param(error) == name)
            #expect(failure(member) == nil)
        }
    }

    @Test func mutatedBodies_neverDoMoreThanThrowTheOneError() {
        let body = OpenAISupport.body(
            Self.base,
            """
            "stop": ["a"], "logit_bias": {"5": 1}, "response_format": {"type": "json_object"},
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"a": [1]}}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}}, 
            "seed": -9223372036854775808
            """)
        var accepted = 0
        let seeds = SimulationSeeds.first(2000)
        for seed in seeds {
            var random = SeededGenerator(seed: seed)
            var bytes = body
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                let donor = Int.random(in: 0..<body.count, using: &random)
                bytes[index] =
                    Bool.random(using: &random)
                    ? body[donor] : UInt8(truncatingIfNeeded: random.next())
            }
            do {
                _ = try ChatRequest(decoding: bytes, limits: Limits())
                accepted += 1
            } catch {
                let isExpected = (error as? ServingError)?.code == .invalidArgument
                #expect(isExpected, "\(error), \(SimulationSeeds.replay(seed))")
            }
        }
        #expect(seeds.count == 1 || accepted > 0)
    }
}
