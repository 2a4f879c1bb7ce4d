import MartletCore
import Testing

@testable import MartletEngines

// Among the engines, one after the other: others measure the memory of the process.
extension EngineTests {
    @Suite("Language models that make vectors", .serialized, .timeLimit(.minutes(10)))
    struct LlamaEmbedderTests {
        /// SmolLM2 as an encoder, which its file does not say that it is.
        private func load() throws -> LlamaServable {
            var options = LlamaEngine.Options()
            options.contextTokens = 64
            options.threads = 1
            let model = try LlamaFixture.model.get()
            let files = LanguageModelFiles(path: LlamaFixture.path, cellBytes: 23_040)
            return try LlamaServable(
                id: ServableID(model: "smollm2", version: 1), model: model, adapters: [:],
                layout: LlamaLayout(options, files: files, model: model.info), options: options,
                embeds: true, fileBytes: 1)
        }

        @Test func vectors_areThoseOfEachTextAlone_inOrder() throws {
            let servable = try load()
            defer { servable.unload() }
            #expect(servable.description.embeds)
            #expect(!servable.description.generates)
            #expect(servable.description.contextTokensMax == 64)
            let prompts = try (1...9).map { try LlamaFixture.tokens("The number \($0) and a word") }
            let together = try servable.embed(prompts) {}
            #expect(together.count == prompts.count)
            for (prompt, vector) in zip(prompts, together) {
                let alone = try #require(try servable.embed([prompt]) {}.first)
                #expect(vector.count == servable.description.embeddingSize)
                #expect(likeness(alone, vector) > 0.999)
            }
        }

        @Test func whatIsWantedNoMore_endsBetweenBatches() throws {
            let servable = try load()
            defer { servable.unload() }
            // Each takes a batch of its own.
            let prompts = Array(repeating: Array(repeating: TokenID(100), count: 60), count: 5)
            let error = #expect(throws: ServingError.self) {
                _ = try servable.embed(prompts) {
                    guard servable.load.counters.steps < 2 else {
                        throw ServingError(.cancelled, "gone")
                    }
                }
            }
            #expect(error?.code == .cancelled)
            // One that waits until the second, which may be computed still, is over.
            let last = try servable.embed([[100]]) {}
            #expect(last.count == 1)
            let load = servable.load
            #expect((load.running, load.waiting) == (0, 0))
            #expect(load.counters.steps == 3)
            #expect(load.counters.promptTokens == 121)
        }

        @Test func textsThatCannotBe_areRefusedBeforeAnyIsComputed() throws {
            let servable = try load()
            defer { servable.unload() }
            let vocabulary = try TokenID(LlamaFixture.model.get().info.vocabularySize)
            let unknown: [[TokenID]] = [[100, vocabulary], [-1]]
            for prompt in [[], Array(repeating: TokenID(100), count: 65)] + unknown {
                let error = #expect(throws: ServingError.self) {
                    _ = try servable.embed([[100], prompt]) {}
                }
                #expect(error?.code == .invalidArgument)
            }
            let error = #expect(throws: ServingError.self) {
                _ = try servable.rankingPrompt(query: "a", document: "b")
            }
            #expect(error?.code == .unimplemented)
            #expect(servable.load.counters.steps == 0)
        }

        private func likeness(_ left: [Float], _ right: [Float]) -> Float {
            func product(_ left: [Float], _ right: [Float]) -> Float {
                zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
            }
            return product(left, right)
                / (product(left, left) * product(right, right)).squareRoot()
        }
    }
}
