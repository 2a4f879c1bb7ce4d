import Foundation
import MartletCore
import MartletEngines
import Testing

extension EngineTests {
    /// Templates in the forms of widespread families, as a model's file brings them.
    @Suite("Chat templates of families of models")
    struct ChatFamilyTests {
        private static let conversation = """
            [{"role": "system", "content": "Be brief."},
             {"role": "user", "content": "What is the capital of France?"},
             {"role": "assistant", "content": "Paris."},
             {"role": "user", "content": "And of Italy?"}]
            """

        private static let question =
            #"{"role": "user", "content": "What is the weather in Oslo?"}"#

        private static let called = #"""
            [\#(question),
             {"role": "assistant", "content": null, "tool_calls": [
               {"id": "call00001", "type": "function",
                "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}}]},
             {"role": "tool", "tool_call_id": "call00001", "content": "-3 degrees"}]
            """#

        private static let tools = """
            [{"type": "function", "function": {"name": "weather", "description": "Tells the weather",
              "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                             "required": ["city"]}}}]
            """

        private static func having(_ section: String) -> [ChatFamily] {
            ChatFamily.all.filter { $0[section] != nil }
        }

        private func chat(
            _ family: ChatFamily, _ messages: String, tools: String? = nil, isOpened: Bool = true
        ) throws -> LlamaChat {
            var prompt = ChatPrompt(messages: messages, now: 1_700_000_000)
            prompt.tools = tools
            prompt.opensAnswer = isOpened
            prompt.variables = family.variables
            return try LlamaChat(model: family.model(), prompt)
        }

        @Test func familiesAreThere() {
            #expect(ChatFamily.all.count >= 16)
            #expect(Self.having("tools").count >= 5)
            #expect(Self.having("refused").count >= 5)
            #expect(Self.having("thoughtful").count >= 1)
        }

        @Test(arguments: ChatFamily.all)
        func conversation_isWrittenAsTheFamilyDoes(family: ChatFamily) throws {
            let closed = try chat(family, Self.conversation, isOpened: false)
            #expect(closed.prompt == family["chat"])
            let opened = try chat(family, Self.conversation)
            #expect(opened.prompt == family.opened)
        }

        /// Without it such models say little that makes sense; twice is nearly as bad.
        @Test(arguments: ChatFamily.all)
        func beginning_isOneToken_whereTheTokenizerAddsIt(family: ChatFamily) throws {
            let model = try family.model()
            let prompt = try chat(family, Self.conversation).prompt
            let tokens = try model.tokenize(prompt, addsSpecial: false, readsSpecial: true)
            let beginning = try #require(model.info.tokens.beginning)
            let count = tokens.prefix(2).count { $0 == beginning }
            #expect(count == (prompt.hasPrefix(family.beginning) ? 1 : 0))
            if family.addsBeginning { #expect(tokens.first == beginning) }
        }

        @Test(arguments: having("tools"))
        func tools_areToldAndCallsWrittenDown(family: ChatFamily) throws {
            let chat = try chat(family, Self.called, tools: Self.tools)
            #expect(chat.prompt == family["tools"])
        }

        @Test(arguments: having("call"))
        func call_isReadBack_alsoWhileItComes(family: ChatFamily) throws {
            let chat = try chat(family, "[\(Self.question)]", tools: Self.tools)
            let text = try #require(family["call"])
            let message = try chat.read(text, isPartial: false)
            let call = try #require(message.calls.first)
            #expect(message.calls.count == 1)
            #expect(call.name == "weather")
            let arguments = try JSONSerialization.jsonObject(with: Data(call.arguments.utf8))
            #expect(arguments as? [String: String] == ["city": "Oslo"])
            #expect(message.content.allSatisfy { $0.isWhitespace } == true)
            for end in text.indices {
                let part = try chat.read(String(text[..<end]), isPartial: true)
                #expect(part.calls.count <= 1)
            }
        }

        @Test(arguments: ChatFamily.all)
        func answerInWords_isItsContent(family: ChatFamily) throws {
            let chat = try chat(family, Self.conversation)
            guard family["thoughtful"] == nil else { return }
            #expect(try chat.read("Rome.", isPartial: false) == GeneratedMessage(content: "Rome."))
        }

        @Test(arguments: having("thoughtful"))
        func thoughts_areToldApart(family: ChatFamily) throws {
            let message = try chat(family, Self.conversation)
                .read(#require(family["thoughtful"]), isPartial: false)
            func trimmed(_ text: String) -> String {
                text.trimmingCharacters(in: .whitespacesAndNewlines)
            }
            #expect(trimmed(message.thoughts) == family["thoughts"])
            #expect(trimmed(message.content) == family["content"])
        }

        @Test(arguments: having("refused"))
        func whatTheTemplateRefuses_isRefusedInItsWords(family: ChatFamily) throws {
            let error = #expect(throws: ServingError.self) {
                try chat(family, #require(family["refused"]))
            }
            #expect(error?.code == .invalidArgument)
            let reason = try #require(family["refusal"])
            #expect(error?.message.hasSuffix(": \(reason)") == true)
        }
    }
}
