import MartletCore
import MartletEngines
import Testing

extension EngineTests {
    /// Templates that drop the thoughts of earlier answers: they do not show how they stand.
    @Suite("llama.cpp thoughts that templates do not write", .serialized)
    struct LlamaThoughtsTests {
        /// It begins the thoughts itself.
        private static let begins = """
            {%- for message in messages %}<|im_start|>{{ message.role }}
            {{ message.content }}<|im_end|>
            {% endfor %}
            {%- if add_generation_prompt %}<|im_start|>assistant
            <think>
            {% endif %}
            """

        /// It leaves that to the model.
        private static let allows = """
            {#- Answers begin with <think>. #}
            {%- for message in messages %}<|im_start|>{{ message.role }}
            {{ message.content }}<|im_end|>
            {% endfor %}
            {%- if add_generation_prompt %}<|im_start|>assistant
            {% endif %}
            """

        private func chat(
            _ template: String?, _ change: (inout ChatPrompt) -> Void = { _ in }
        ) throws -> LlamaChat {
            var request = ChatPrompt(
                messages: #"[{"role": "user", "content": "Is it cold?"}]"#, now: 1_700_000_000)
            request.template = template
            change(&request)
            return try LlamaChat(model: try LlamaFixture.model.get(), request)
        }

        @Test(arguments: [(begins, ""), (allows, "<think>"), (begins, "<think>")])
        func thoughts_areToldApart(template: String, opening: String) throws {
            let chat = try chat(template)
            #expect(!chat.isPlain)
            let message = try chat.read(opening + "\nGrüße?\n</think>\n\nYes.", isPartial: false)
            #expect(message == GeneratedMessage(content: "Yes.", thoughts: "Grüße?"))
        }

        @Test(arguments: [(begins, ""), (allows, "<think>")])
        func thoughtsInParts_areOnlyAddedTo(template: String, opening: String) throws {
            let chat = try chat(template)
            let text = opening + "\nSo </thin? ü\n</think>\n\nYes."
            var last = GeneratedMessage(content: "")
            for end in text.indices {
                let part = try chat.read(String(text[..<end]), isPartial: true)
                #expect(part.thoughts.hasPrefix(last.thoughts))
                #expect(part.content.hasPrefix(last.content))
                #expect(!part.content.contains("<"))
                last = part
            }
            #expect(last == GeneratedMessage(content: "Yes", thoughts: "So </thin? ü"))
        }

        @Test func thoughtsThatWereCutOff_areNoContent() throws {
            let message = try chat(Self.begins).read("So", isPartial: false)
            #expect(message == GeneratedMessage(content: "", thoughts: "So"))
        }

        @Test func answerWithoutThoughts_isAllContent() throws {
            let chat = try chat(Self.allows)
            let text = " Yes. <think>No</think>"
            #expect(try chat.read(text, isPartial: false) == GeneratedMessage(content: text))
        }

        @Test func thoughtsThatAreNotAskedFor_stayInTheText() throws {
            let chat = try chat(Self.allows) { $0.splitsThoughts = false }
            let text = "<think>No</think>Yes."
            #expect(try chat.read(text, isPartial: false) == GeneratedMessage(content: text))
        }

        /// A schema leaves no room for them.
        @Test func answerOfASchema_isAllContent() throws {
            let chat = try chat(Self.begins) { $0.schema = #"{"type": "object"}"# }
            #expect(try chat.read("{}", isPartial: false) == GeneratedMessage(content: "{}"))
        }

        @Test func answerOfAModelThatDoesNotThink_needNotBeRead() throws {
            #expect(try chat(nil).isPlain)
        }
    }
}
