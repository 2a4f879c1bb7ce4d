import Testing

@testable import MartletEngines

extension EngineTests {
    @Suite("Windows of penalties, for llama.cpp", .serialized)
    struct LlamaPenaltyWindowTests {
        @Test(arguments: [(-1, 100, 100), (-1, 1 << 21, 1 << 20), (0, 100, 0), (7, 100, 7)])
        func window_isOfTokens_alsoWhereItIsTheWholeSequence(
            asked: Int, contextTokens: Int, expected: Int
        ) throws {
            var sampling = SamplingParameters()
            sampling.penaltyWindow = asked
            sampling.presencePenalty = 1
            let options = LlamaSamplerOptions(sampling, contextTokens: contextTokens)
            #expect(options.penaltyWindow == expected)
            // The library takes it.
            _ = try LlamaSampler(model: try LlamaFixture.model.get(), options: options)
        }
    }
}
