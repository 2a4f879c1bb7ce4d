import MartletCore
import Testing

@testable import MartletEngines

@Suite("What language models are expected to take")
struct LlamaMemoryEstimateTests {
    private func estimate(
        embeds: Bool = false, cellBytes: Int = 1024,
        _ change: (inout LlamaEngine.Options) -> Void = { _ in }
    ) -> LlamaMemoryEstimate {
        var options = LlamaEngine.Options()
        options.memoryBytes = 64 << 20
        options.contextTokens = 1024
        options.stepTokens = 512
        change(&options)
        let sizes = LanguageModelSizes(
            contextTokens: 8192, vocabulary: 1000, embedding: 64, embeds: embeds)
        return LlamaMemoryEstimate(
            options,
            files: LanguageModelFiles(path: "model.gguf", cellBytes: cellBytes, sizes: sizes))
    }

    @Test func keysAndValues_areAllThatTheModelIsGiven() {
        #expect(estimate().memoryBytes == 64 << 20)
        #expect(estimate { $0.memoryBytes = 16 << 20 }.memoryBytes == 16 << 20)
        // One sequence always fits.
        #expect(estimate { $0.memoryBytes = 1 }.memoryBytes == 1024 * 1024)
    }

    @Test func computing_growsWithTheStepAndTheVocabulary() {
        // States of 512 tokens, and the scores of 64 sequences' tokens twice.
        #expect(estimate().computeBytes == (512 * 64 * 16 + 64 * 1000 * 2) * 4)
        #expect(
            estimate { $0.draftTokens = 3 }.computeBytes
                == (512 * 64 * 16 + 256 * 1000 * 2) * 4)
        #expect(
            estimate { $0.stepTokens = 1024 }.computeBytes
                == (1024 * 64 * 16 + 64 * 1000 * 2) * 4)
    }

    @Test func aModelThatEmbeds_remembersOneBatch() {
        let estimate = estimate(embeds: true)
        #expect(estimate.memoryBytes == 1024 * 1024)
        #expect(estimate.computeBytes == 1024 * 64 * 16 * 4)
    }

    @Test func sizesWithoutSense_areTheMostThereIs() {
        #expect(estimate(cellBytes: .max).byteCount == .max)
        #expect(estimate(cellBytes: -1).memoryBytes == 0)
    }
}
