import Foundation
import MartletCore
import Testing

@testable import MartletEngines

@Suite("comparison of models")
struct LlamaComparisonTests {
    private func measurement(_ tokens: [Int32], _ choices: [Int32]) -> LlamaMeasurement {
        LlamaMeasurement(
            tokens: tokens, perplexity: 2, choices: choices, prefillTokensPerSecond: 1,
            decodeTokensPerSecond: 1)
    }

    @Test func agreement_isTheShareOfEqualChoices() throws {
        let before = measurement([1, 2, 3, 4, 5], [2, 3, 9, 5])
        #expect(try LlamaComparison(before: before, after: before).agreement == 1)
        let after = measurement([1, 2, 3, 4, 5], [2, 7, 9, 8])
        #expect(try LlamaComparison(before: before, after: after).agreement == 0.5)
    }

    @Test func measurements_ofOtherTokens_areNotCompared() {
        let before = measurement([1, 2], [2])
        for after in [measurement([1, 3], [2]), measurement([1, 2], [])] {
            let error = #expect(throws: ServingError.self) {
                try LlamaComparison(before: before, after: after)
            }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func costs_areToldOfTypesThatWereMeasuredSlow() {
        let slow = LlamaQuantization.allCases.filter(\.isSlowOnProcessors)
        #expect(Set(slow) == [.q4_1, .q5_1])
        for type in slow {
            guard let cost = type.costOnProcessors else { continue }
            #expect((0.01..<1).contains(cost.decode))
            #expect((0.01..<1).contains(cost.prefill))
        }
    }
}

extension EngineTests {
    /// Serial, because each takes all cores.
    @Suite("llama.cpp models compared", .serialized)
    struct LlamaMeasurementTests {
        private var options: LlamaMeasurement.Options {
            var options = LlamaMeasurement.Options()
            options.threads = 1
            options.decodedTokens = 4
            options.rounds = 1
            return options
        }

        @Test func model_foreseesEnglishBetterThanDisorder() throws {
            let model = try LlamaFixture.model.get()
            let english = try LlamaMeasurement(of: model, options: options)
            #expect((300...512).contains(english.tokens.count))
            #expect(english.choices.count == english.tokens.count - 1)
            #expect((2..<40).contains(english.perplexity))
            #expect(english.prefillTokensPerSecond > 0)
            #expect(english.decodeTokensPerSecond > 0)
            let words = "ferry the seven of left deck harbour on coffee. it cap yellow in rose "
            let disorder = try LlamaMeasurement(
                of: model, text: String(repeating: words, count: 2), options: options)
            #expect(disorder.perplexity > 2 * english.perplexity)
        }

        @Test func choices_areThoseOfGreedyDecoding() throws {
            let text = "The capital of France is Paris. The capital of Germany is"
            let measured = try LlamaMeasurement(
                of: try LlamaFixture.model.get(), text: text, options: options)
            let context = try LlamaFixture.context()
            for length in [1, 4, measured.tokens.count - 1] {
                context.removeAllCells()
                let output = try context.feed(Array(measured.tokens.prefix(length)))
                #expect(measured.choices[length - 1] == context.likeliest(at: output))
            }
        }

        @Test func coarserWeights_agreeLessAndForeseeWorse() throws {
            let library = try LlamaFixture.library.get()
            let file = NSTemporaryDirectory() + "martlet-\(UUID().uuidString).gguf"
            defer { try? FileManager.default.removeItem(atPath: file) }
            try library.quantize(
                LlamaFixture.path, to: file, as: .q2K, threads: 1, allowsRequantizing: true)
            let before = try LlamaMeasurement(of: try LlamaFixture.model.get(), options: options)
            let after = try LlamaMeasurement(
                of: try LlamaModel(library: library, path: file), options: options)
            let comparison = try LlamaComparison(before: before, after: after)
            #expect((0.2..<0.98).contains(comparison.agreement))
            #expect(after.perplexity > before.perplexity)
        }

        @Test func textsOfOneToken_areRefused() throws {
            for text in ["", "a"] {
                let error = #expect(throws: ServingError.self) {
                    try LlamaMeasurement(of: try LlamaFixture.model.get(), text: text)
                }
                #expect(error?.code == .invalidArgument)
            }
        }
    }
}
