import Foundation
import MartletCore
import MartletEngines
import Testing

@testable import MartletModelServer

@Suite("Thoughts that clients send back")
struct ReturnedThoughtsTests {
    private func decode(_ messages: String) throws -> ChatRequest {
        let body = "{\"model\": \"m\", \"messages\": \(messages)}"
        return try ChatRequest(decoding: Array(body.utf8), limits: Limits())
    }

    @Test func thoughtsThatComeBack_areThoseOfAssistantsAndReachTheTemplate() throws {
        let request = try decode(
            """
            [{"role": "user", "content": "a", "reasoning_content": "none of its own"},
             {"role": "assistant", "content": "b", "reasoning_content": "so \\"b\\"?"},
             {"role": "assistant", "content": "c", "reasoning_content": ""},
             {"role": "assistant", "content": "d", "reasoning_content": null}]
            """)
        let messages = request.messages
        #expect(messages.map(\.thoughts) == [nil, "so \"b\"?", nil, nil])
        let prompt = ChatPrompt(messages: messages, tools: [])
        let told = try JSONSerialization.jsonObject(with: Data(prompt.messages.utf8))
        let list = try #require(told as? [[String: Any]])
        #expect(
            list.map { $0["reasoning_content"] as? String } == [nil, "so \"b\"?", nil, nil])
        #expect(list.map { $0["content"] as? String } == ["a", "b", "c", "d"])
        // Also where it is null: a template may ask whether it is defined.
        #expect(list.map { $0.keys.contains("reasoning_content") } == [false, true, false, false])
    }
}
