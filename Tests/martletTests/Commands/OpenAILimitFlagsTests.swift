import ArgumentParser
import MartletModelServer
import Testing

@testable import martlet

@Suite("Flags of OpenAI's limits")
struct OpenAILimitFlagsTests {
    @Test func nothingSaid_isTheDefaults() throws {
        #expect(try OpenAILimitFlags.parse([]).limits == OpenAILimits())
    }

    @Test func eachFlag_setsItsLimit() throws {
        var expected = OpenAILimits()
        expected.messages = 1
        expected.tools = 2
        expected.schemaValues = 3
        expected.choices = 4
        expected.prompts = 5
        expected.stopSequences = 6
        expected.embeddingInputs = 7
        expected.documents = 8
        expected.inputTokens = 9
        let flags = [
            "messages", "tools", "schema-values", "choices", "prompts", "stop-sequences",
            "embedding-inputs", "documents", "input-tokens",
        ].enumerated().map { "--openai-max-\($1)=\($0 + 1)" }
        #expect(try OpenAILimitFlags.parse(flags).limits == expected)
    }

    @Test(arguments: ["0", "-1", "16777217"])
    func aNumberOutOfRange_isRefusedWithTheRange(value: String) throws {
        let error = #expect(throws: (any Error).self) {
            try OpenAILimitFlags.parse(["--openai-max-input-tokens=\(value)"])
        }
        let message = OpenAILimitFlags.message(for: try #require(error))
        #expect(message == "--openai-max-input-tokens is \(value); use 1 to 16777216")
    }

    @Test func aNode_getsThem() throws {
        let command = try ServeCommand.parse([
            "--model=m=/models/m", "--openai-max-messages=3", "--engine=llama",
        ])
        #expect(try command.settings.openAILimits.messages == 3)
    }
}
