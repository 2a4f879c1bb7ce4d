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
        // Guesses of four sequences.
        #expect(
            estimate { $0.draftTokens = 31 }.computeBytes
                == (512 * 64 * 16 + 128 * 1000 * 2) * 4)
        #expect(
            estimate { $0.stepTokens = 1024 }.computeBytes
                == (1024 * 64 * 16 + 64 * 1000 * 2) * 4)
    }

    @Test func aModelThatEmbeds_remembersOneBatch() {
        let estimate = estimate(embeds: true)
        #expect(estimate.memoryBytes == 1024 * 1024)
        #expect(estimate.computeBytes == 1024 * 64 * 16 * 4)
    }

    @Test func aDraftModel_isCountedWhole() {
        var options = LlamaEngine.Options()
        options.memoryBytes = 64 << 20
        options.contextTokens = 1024
        options.draftMax = 31
        var files = LanguageModelFiles(
            path: "model.gguf", cellBytes: 1024,
            sizes: LanguageModelSizes(contextTokens: 8192, vocabulary: 1000, embedding: 64))
        let alone = LlamaMemoryEstimate(options, files: files)
        #expect(alone.draftBytes == 0)
        files.draft = DraftModelFiles(
            path: "draft.gguf", fileBytes: 5000, cellBytes: 256,
            sizes: LanguageModelSizes(contextTokens: 512, vocabulary: 1000, embedding: 32))
        let both = LlamaMemoryEstimate(options, files: files)
        // Four sequences as long as it can read, and steps of 256 tokens.
        #expect(
            both.draftBytes
                == 5000 + 4 * 512 * 256 + (256 * 32 * 16 + 4 * 1000 * 2) * 4)
        #expect(both.memoryBytes == alone.memoryBytes)
        // The model checks 31 guesses of four sequences.
        #expect(both.computeBytes == (512 * 64 * 16 + 128 * 1000 * 2) * 4)
        #expect(both.byteCount == both.memoryBytes + both.computeBytes + both.draftBytes)
    }

    @Test func memoryOfADraftModel_isAPartOfTheModelsOwn() {
        var options = LlamaEngine.Options()
        options.memoryBytes = 8 << 20
        options.contextTokens = 1024
        let layout = LlamaLayout(options, trainingContext: 8192, cellBytes: 1024)
        func places(cellBytes: Int) -> Int {
            let files = DraftModelFiles(
                path: "draft.gguf", fileBytes: 0, cellBytes: cellBytes,
                sizes: LanguageModelSizes())
            return LlamaDraftLayout(options, files: files, layout: layout).places
        }
        #expect(places(cellBytes: 256) == 4)
        #expect(places(cellBytes: 1024) == 2)
        // One sequence always fits.
        #expect(places(cellBytes: 1 << 20) == 1)
    }

    @Test func sizesWithoutSense_areTheMostThereIs() {
        #expect(estimate(cellBytes: .max).byteCount == .max)
        #expect(estimate(cellBytes: -1).memoryBytes == 0)
    }
}
