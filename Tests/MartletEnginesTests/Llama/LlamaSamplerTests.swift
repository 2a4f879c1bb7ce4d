import Foundation
import MartletCore
import MartletEngines
import Testing

extension EngineTests {
    @Suite("llama.cpp samplers", .serialized)
    struct LlamaSamplerTests {
        private static let prompt = "My three favourite animals are"

        private func sampler(
            _ change: (inout LlamaSamplerOptions) -> Void
        ) throws -> LlamaSampler {
            var options = LlamaSamplerOptions()
            change(&options)
            return try LlamaSampler(model: try LlamaFixture.model.get(), options: options)
        }

        private func tokens(
            after prompt: String = prompt, atMost count: Int = 12,
            _ change: (inout LlamaSamplerOptions) -> Void
        ) throws -> [Int32] {
            try LlamaFixture.context().tokens(
                after: LlamaFixture.tokens(prompt), by: sampler(change), atMost: count)
        }

        @Test func zeroTemperature_takesTheLikeliest() throws {
            let expected = try LlamaFixture.context().likeliestTokens(
                after: LlamaFixture.tokens(Self.prompt), count: 12)
            #expect(try tokens { $0.temperature = 0 } == expected)
            #expect(try tokens { $0.topK = 1 } == expected)
        }

        @Test func seed_decidesWhatChanceChooses() throws {
            let texts = try [1, 1, 2, 3].map { seed in try tokens { $0.seed = seed } }
            #expect(texts[0] == texts[1])
            #expect(Set(texts).count > 1)
        }

        @Test func bias_forbidsAndForcesTokens() throws {
            let free = try tokens { $0.temperature = 0 }
            let forbidden = try tokens {
                $0.temperature = 0
                $0.biases = [free[0]: -.infinity]
            }
            #expect(forbidden.first != free.first)
            let forced = try tokens(atMost: 4) { $0.biases = [500: 1000] }
            #expect(forced == [500, 500, 500, 500])
        }

        @Test func penalties_keepFromRepeating() throws {
            let change: (inout LlamaSamplerOptions) -> Void = {
                $0.temperature = 0
                $0.biases = [500: 20]
            }
            #expect(Set(try tokens(change)) == [500])
            let penalised = try tokens {
                change(&$0)
                $0.presencePenalty = 100
            }
            #expect(penalised.filter { $0 == 500 }.count == 1)
        }

        @Test func grammar_isFollowed() throws {
            let text = try LlamaFixture.text(
                tokens(atMost: 40) {
                    $0.seed = 7
                    $0.grammar = #"root ::= " " ("cats" | "dogs") " and " [0-9]{3}"#
                })
            #expect(text.wholeMatch(of: /\ (cats|dogs)\ and\ [0-9]{3}/) != nil)
        }

        @Test func tokenAgainstTheGrammar_isRefusedAndForgotten() throws {
            let sampler = try sampler { $0.grammar = #"root ::= "yes""# }
            let model = try LlamaFixture.model.get()
            let end = try #require(model.info.tokens.end)
            for token in [try LlamaFixture.tokens("no")[0], end, -1] {
                let error = #expect(throws: ServingError.self) { try sampler.accept(token) }
                #expect(error?.code == .invalidArgument)
            }
            for token in try LlamaFixture.tokens("yes") { try sampler.accept(token) }
            try sampler.accept(end)
            try sampler.reset()
            for token in try LlamaFixture.tokens("yes") { try sampler.accept(token) }
        }

        @Test func copy_goesOnByItself() throws {
            let sampler = try sampler { $0.grammar = #"root ::= "a" "b""# }
            try sampler.accept(try LlamaFixture.tokens("a")[0])
            let copy = try sampler.copy()
            let next = try LlamaFixture.tokens("b")[0]
            try sampler.accept(next)
            #expect(throws: ServingError.self) { try sampler.accept(next) }
            try copy.accept(next)
        }

        @Test func numbersOutOfRange_areRefused() throws {
            let changes: [(inout LlamaSamplerOptions) -> Void] = [
                { $0.temperature = -1 }, { $0.temperature = .nan }, { $0.temperature = .infinity },
                { $0.topP = 1.5 }, { $0.topP = .nan }, { $0.minP = -0.1 }, { $0.topK = -1 },
                { $0.repeatPenalty = 0 }, { $0.frequencyPenalty = .nan },
                { $0.presencePenalty = 1000 }, { $0.penaltyWindow = -2 }, { $0.dryBase = 0 },
                { $0.biases = [-1: 1] }, { $0.biases = [49_152: 1] }, { $0.biases = [1: .nan] },
            ]
            for change in changes {
                let error = #expect(throws: ServingError.self) { try sampler(change) }
                #expect(error?.code == .invalidArgument)
            }
        }

        @Test(arguments: [
            "root ::= \"a", "root ::= missing", "root ::= root \"a\"", "no grammar",
            "root ::= \"a\"{999999999,}", "root ::= " + String(repeating: "(", count: 5000),
            "root ::= \"" + String(repeating: "a", count: 300_000) + "\"root ::= \"\u{0}\"",
        ])
        func badGrammars_areRefused(grammar: String) throws {
            let error = #expect(throws: ServingError.self) {
                try sampler { $0.grammar = grammar }
            }
            #expect(error?.code == .invalidArgument)
        }

        @Test func outputThatIsNot_isRefused() throws {
            let sampler = try sampler { $0.temperature = 0 }
            let context = try LlamaFixture.context()
            #expect(throws: ServingError.self) { try sampler.sample(context, at: 0) }
        }
    }
}
