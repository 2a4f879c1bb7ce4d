import Foundation
import MartletCore
import MartletEngines
import Testing

extension EngineTests {
    @Suite("llama.cpp chats", .serialized)
    struct LlamaChatTests {
        private static let question = """
            [{"role": "system", "content": "Be brief."},
             {"role": "user", "content": "What is the weather in Oslo?"}]
            """

        private static let tools = """
            [{"type": "function", "function": {"name": "weather", "description": "Tells the weather",
              "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                             "required": ["city"]}}}]
            """

        /// A template of the form of models that think before they answer.
        private static let thinkingTemplate = """
            {%- for message in messages %}<|im_start|>{{ message.role }}
            {%- if message.reasoning_content %}
            <think>
            {{ message.reasoning_content }}
            </think>
            {%- endif %}
            {{ message.content }}<|im_end|>
            {% endfor %}
            {%- if add_generation_prompt %}<|im_start|>assistant
            <think>
            {% endif %}
            """

        private func chat(
            _ messages: String = question, _ change: (inout ChatPrompt) -> Void = { _ in }
        ) throws -> LlamaChat {
            var request = ChatPrompt(messages: messages, now: 1_700_000_000)
            change(&request)
            return try LlamaChat(model: try LlamaFixture.model.get(), request)
        }

        @Test func plainChat_isRenderedByTheModelsTemplate() throws {
            let chat = try chat()
            #expect(
                chat.prompt == """
                    <|im_start|>system
                    Be brief.<|im_end|>
                    <|im_start|>user
                    What is the weather in Oslo?<|im_end|>
                    <|im_start|>assistant

                    """)
            #expect(chat.grammar == nil)
            #expect(
                try chat.read("Cold.", isPartial: true)
                    == GeneratedMessage(content: "Cold."))
            let abilities = try LlamaFixture.model.get().chatAbilities
            #expect(abilities.isSuperset(of: [.isOwn, .systemMessages]))
        }

        @Test func partsOfContent_andOtherScripts_areRendered() throws {
            let chat = try chat(
                """
                [{"role": "user", "content": [{"type": "text", "text": "Grüße"},
                                              {"type": "text", "text": "\\ud83d\\ude00"}]}]
                """)
            #expect(chat.prompt.contains("Grüße"))
            #expect(chat.prompt.contains("\u{1F600}"))
        }

        @Test func answer_isGeneratedInTheChat() throws {
            let chat = try chat(
                #"[{"role": "user", "content": "What is the capital of France?"}]"#)
            let context = try LlamaFixture.context()
            let tokens = try context.likeliestTokens(
                after: LlamaFixture.tokens(chat.prompt), count: 24)
            #expect(try LlamaFixture.text(tokens).contains("Paris"))
        }

        @Test func answerWithASchema_isJSONOfItsForm() throws {
            let chat = try chat {
                $0.schema = """
                    {"type": "object", "properties": {"city": {"type": "string", "maxLength": 20},
                     "degrees": {"type": "integer", "minimum": -50, "maximum": 50}},
                     "required": ["city", "degrees"], "additionalProperties": false}
                    """
            }
            var options = LlamaSamplerOptions()
            options.temperature = 0
            let sampler = try LlamaSampler(
                model: try LlamaFixture.model.get(), options: options, chat: chat)
            let tokens = try LlamaFixture.context().tokens(
                after: LlamaFixture.tokens(chat.prompt), by: sampler, atMost: 120)
            let text = try chat.read(LlamaFixture.text(tokens), isPartial: false).content
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
            let fields = try #require(object as? [String: Any])
            #expect(Set(fields.keys) == ["city", "degrees"])
            #expect(fields["degrees"] is Int)
        }

        @Test func requiredToolCall_isMadeAndRead() throws {
            let chat = try chat {
                $0.tools = Self.tools
                $0.toolChoice = .required
                $0.template = ChatTemplates.callingTools
            }
            #expect(chat.prompt.contains("Tells the weather"))
            #expect(!chat.hasLazyGrammar)
            var options = LlamaSamplerOptions()
            options.temperature = 0
            let sampler = try LlamaSampler(
                model: try LlamaFixture.model.get(), options: options, chat: chat)
            // The grammar lets the model talk before it calls, and this small one goes on and on.
            let begun = try LlamaFixture.tokens("<tool_call>\n")
            for token in begun { try sampler.accept(token) }
            let tokens = try LlamaFixture.context().tokens(
                after: LlamaFixture.tokens(chat.prompt) + begun, by: sampler, atMost: 120)
            let text = try LlamaFixture.text(begun + tokens)
            let message = try chat.read(text, isPartial: false)
            let call = try #require(message.calls.first, "\(text)")
            #expect(call.name == "weather")
            let arguments = try JSONSerialization.jsonObject(with: Data(call.arguments.utf8))
            #expect((arguments as? [String: Any])?["city"] is String)
        }

        @Test func toolCall_isReadAsItComes() throws {
            let chat = try chat {
                $0.tools = Self.tools
                $0.template = ChatTemplates.callingTools
            }
            #expect(chat.hasLazyGrammar)
            let text = """
                <tool_call>
                {"name": "weather", "arguments": {"city": "Oslo"}}
                </tool_call>
                """
            let whole = try chat.read(text, isPartial: false)
            #expect(whole.calls.map(\.name) == ["weather"])
            #expect(whole.calls.first?.arguments.contains("Oslo") == true)
            for end in text.indices {
                let part = try chat.read(String(text[..<end]), isPartial: true)
                #expect(part.calls.count <= 1)
            }
            let plain = try chat.read("It is cold.", isPartial: false)
            #expect(plain.content == "It is cold.")
            #expect(plain.calls.isEmpty)
        }

        @Test func thoughts_areReadApart_alsoWhenTheyAreCutOff() throws {
            let chat = try chat {
                $0.template = Self.thinkingTemplate
            }
            let whole = try chat.read("Cold?\n</think>\n\nIt is.", isPartial: false)
            #expect(whole.content.trimmingCharacters(in: .whitespacesAndNewlines) == "It is.")
            #expect(whole.thoughts.trimmingCharacters(in: .whitespacesAndNewlines) == "Cold?")
            let part = try chat.read("Co", isPartial: true)
            #expect(part.content.isEmpty)
            #expect(part.thoughts.trimmingCharacters(in: .whitespacesAndNewlines) == "Co")
        }

        @Test(arguments: [true, false])
        func thoughtsOfAnEarlierAnswer_areGivenToTheTemplate(splitsThoughts: Bool) throws {
            let chat = try chat(
                """
                [{"role": "user", "content": "Paris?"},
                 {"role": "assistant", "content": "Yes.", "reasoning_content": "Easy enough."},
                 {"role": "user", "content": "Oslo?"}]
                """
            ) {
                $0.template = Self.thinkingTemplate
                $0.splitsThoughts = splitsThoughts
            }
            #expect(chat.prompt.contains("<think>\nEasy enough.\n</think>"))
            #expect(chat.prompt.contains("Yes."))
        }

        @Test func toolsThatMayNotBeCalled_areNotShown() throws {
            let chat = try chat {
                $0.tools = Self.tools
                $0.toolChoice = .none
                $0.template = ChatTemplates.callingTools
            }
            #expect(!chat.prompt.contains("Tells the weather"))
        }

        @Test(arguments: [
            "", "[]", "{}", "null", "[1]", "[{}]", #"[{"role": "user"}]"#, "not JSON",
            #"[{"role": "user", "content": 5}]"#,
            #"[{"role": "user", "content": [{"type": "image_url"}]}]"#,
            #"[{"role": "user", "content": ""# + "\u{0}",
            String(repeating: "[", count: 100_000),
        ])
        func badMessages_areRefused(messages: String) throws {
            let error = #expect(throws: ServingError.self) { try chat(messages) }
            #expect(error?.code == .invalidArgument)
        }

        @Test func badTemplatesToolsAndSchemas_areRefused() throws {
            let changes: [(inout ChatPrompt) -> Void] = [
                { $0.template = "{% for %}" }, { $0.template = "{{ raise_exception('no') }}" },
                { $0.template = "{% if" }, { $0.tools = "{}" }, { $0.tools = "[1]" },
                { $0.schema = "[" }, { $0.schema = #"{"type": "nonsense"}"# },
                { $0.schema = #"{"$ref": "https://example.com/schema.json"}"# },
                { $0.schema = String(repeating: #"{"items":"#, count: 5000) },
                { $0.variables = "[]" }, { $0.continuesAnswer = true },
            ]
            for (index, change) in changes.enumerated() {
                let error = #expect(throws: ServingError.self, "change \(index)") {
                    try chat(Self.question, change)
                }
                #expect(error?.code == .invalidArgument)
            }
        }

        @Test func answerThatGoesOn_followsTheLastMessage() throws {
            let chat = try chat(
                #"[{"role": "user", "content": "Count"}, {"role": "assistant", "content": "One, two"}]"#
            ) { $0.continuesAnswer = true }
            #expect(chat.prompt.hasSuffix("One, two"))
        }

        @Test func grammarOfASchema_isGBNF() throws {
            let library = try LlamaFixture.library.get()
            let grammar = try library.grammar(ofSchema: #"{"enum": ["red", "blue"]}"#)
            #expect(grammar.contains("root ::="))
            #expect(grammar.contains("red"))
            #expect(throws: ServingError.self) { try library.grammar(ofSchema: "") }
        }
    }
}
