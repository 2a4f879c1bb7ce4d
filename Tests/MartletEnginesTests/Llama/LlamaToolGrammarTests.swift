import MartletCore
import MartletEngines
import Testing

extension EngineTests {
    /// Tools that may be called: the text is free until it begins a call.
    @Suite("llama.cpp grammars of tool calls", .serialized, .timeLimit(.minutes(2)))
    struct LlamaToolGrammarTests {
        private static let call = """
            <tool_call>
            {"name": "weather", "arguments": {"city": "Oslo"}}
            </tool_call>
            """

        private func sampler(city: String = #"{"type": "string"}"#) throws -> LlamaSampler {
            var request = ChatPrompt(
                messages: #"[{"role": "user", "content": "Is it cold?"}]"#, now: 1_700_000_000)
            request.tools = """
                [{"type": "function", "function": {"name": "weather", "description": "Tells it",
                  "parameters": {"type": "object", "properties": {"city": \(city)},
                                 "required": ["city"]}}}]
                """
            request.template = ChatTemplates.callingTools
            let model = try LlamaFixture.model.get()
            let chat = try LlamaChat(model: model, request)
            #expect(chat.hasLazyGrammar)
            var options = LlamaSamplerOptions()
            options.temperature = 0
            return try LlamaSampler(model: model, options: options, chat: chat)
        }

        private func accept(_ text: String, _ sampler: LlamaSampler) throws {
            for token in try LlamaFixture.tokens(text) { try sampler.accept(token) }
        }

        private func isFree(_ sampler: LlamaSampler) throws -> Bool {
            do {
                try accept("By the way, no.", sampler.copy())
                return true
            } catch let error as ServingError where error.code == .invalidArgument {
                return false
            }
        }

        @Test func toolsWhoseGrammarIsTooLarge_areRefused() throws {
            let names = (0..<9000).map { "\"number \($0) of a long list\"" }
            let error = #expect(throws: ServingError.self) {
                try sampler(city: #"{"enum": [\#(names.joined(separator: ","))]}"#)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("larger than 262144 bytes") == true)
        }

        /// Searching all of the text for each token of it would take longer than the suite may.
        @Test func callBehindALongText_isHeldToItsForm() throws {
            let sampler = try sampler()
            let words = try LlamaFixture.tokens("one two three < four <tool ")
            for _ in 0..<10_000 {
                for word in words { try sampler.accept(word) }
            }
            #expect(try isFree(sampler))
            try accept(Self.call, sampler)
            #expect(try !isFree(sampler))
        }

        @Test func callThatBeginsWithinAToken_isHeldToItsForm() throws {
            let model = try LlamaFixture.model.get()
            let begun = try #require(
                (0..<Int32(model.info.vocabularySize)).first {
                    let text = try LlamaFixture.text([$0])
                    return text.hasSuffix("<") && text.utf8.count > 1
                })
            let sampler = try sampler()
            try sampler.accept(begun)
            #expect(try isFree(sampler))
            try accept(String(Self.call.dropFirst()), sampler)
            #expect(try !isFree(sampler))
        }

        @Test func callThatLeavesItsForm_isRefused() throws {
            let sampler = try sampler()
            try accept("Let me see. <tool_call>\n", sampler)
            let error = #expect(throws: ServingError.self) { try accept("no JSON", sampler) }
            #expect(error?.code == .invalidArgument)
        }

        @Test func copy_andReset_knowHowFarTheTextIs() throws {
            let sampler = try sampler()
            try accept("Let me see. <tool", sampler)
            let copy = try sampler.copy()
            try accept("_call>\n", copy)
            #expect(try !isFree(copy))
            #expect(try isFree(sampler))
            try sampler.reset()
            try accept("_call>\n", sampler)
            #expect(try isFree(sampler))
            try copy.reset()
            #expect(try isFree(copy))
        }
    }
}
