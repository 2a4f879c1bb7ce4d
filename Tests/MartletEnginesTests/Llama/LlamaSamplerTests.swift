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

        // MARK: The grammar and the model's own choice

        private static let city = #"""
            root ::= "{\"name\": \"" [A-Za-z ]{1,12} "\", \"people\": " [0-9]{1,8} "}"
            """#

        /// Of all tokens that a sampler's grammar allows, the likeliest: what the grammar would
        /// give if it were asked about all of them first.
        private func likeliestAllowed(
            _ context: LlamaContext, at output: Int, by sampler: LlamaSampler
        ) throws -> Int32 {
            let first = try #require(context.likeliest(at: output))
            if try allows(first, sampler) { return first }
            let scores = try #require(context.withScores(at: output) { Array($0) })
            let order = scores.indices.sorted { (scores[$0], $1) > (scores[$1], $0) }
            let allowed = try order.first { try allows(Int32($0), sampler) }
            return Int32(try #require(allowed))
        }

        private func allows(_ token: Int32, _ sampler: LlamaSampler) throws -> Bool {
            do {
                try sampler.copy().accept(token)
                return true
            } catch let error as ServingError where error.code == .invalidArgument {
                return false
            }
        }

        @Test func atZeroTemperature_theLikeliestThatTheGrammarAllowsIsChosen() throws {
            let prompt = try LlamaFixture.tokens("Tell me of Paris as JSON:")
            let context = try LlamaFixture.context()
            let sampler = try sampler {
                $0.temperature = 0
                $0.grammar = Self.city
            }
            var output = try context.feed(prompt)
            var tokens: [Int32] = []
            var refused = 0
            while tokens.count < 48 {
                let expected = try likeliestAllowed(context, at: output, by: sampler)
                let token = try sampler.sample(context, at: output)
                #expect(token == expected)
                if token != context.likeliest(at: output) { refused += 1 }
                try sampler.accept(token)
                if context.model.ends(token) { break }
                tokens.append(token)
                output = try context.feed([token], from: Int32(prompt.count + tokens.count - 1))
            }
            let text = try LlamaFixture.text(tokens)
            let form = /\{"name": "[A-Za-z ]{1,12}", "people": [0-9]{1,8}\}/
            #expect(text.wholeMatch(of: form) != nil)
            // Else the test shows nothing.
            #expect(refused > 0)
            // What is refused is mostly followed closely by what is not.
            #expect(sampler.wholePasses <= refused)
        }

        @Test func textThatFollowsTheGrammarByItself_isNeverComparedAsAWhole() throws {
            let sampler = try sampler {
                $0.temperature = 0
                $0.grammar = "root ::= [^\\x00]*"
            }
            let free = try LlamaFixture.context().likeliestTokens(
                after: LlamaFixture.tokens(Self.prompt), count: 12)
            let held = try LlamaFixture.context().tokens(
                after: LlamaFixture.tokens(Self.prompt), by: sampler, atMost: 12)
            #expect(held == free)
            #expect(sampler.wholePasses == 0)
        }

        @Test func chance_choosesAmongThoseAllowedByTheirProbabilities() throws {
            let context = try LlamaFixture.context()
            let output = try context.feed(LlamaFixture.tokens("1 2 3 1 2 3 1 2 "))
            let digits = try (0...9).map { try LlamaFixture.tokens("\($0)")[0] }
            let scores = try #require(context.withScores(at: output) { Array($0) })
            let temperature: Float = 2.5
            let weights = digits.map { exp(Double(scores[Int($0)] / temperature)) }
            let draws = 2000
            var counts: [Int32: Int] = [:]
            for seed in 0..<draws {
                let sampler = try sampler {
                    $0.temperature = temperature
                    $0.seed = UInt32(seed)
                    $0.grammar = "root ::= [0-9]"
                }
                counts[try sampler.sample(context, at: output), default: 0] += 1
            }
            #expect(Set(counts.keys).isSubset(of: Set(digits)))
            // Chi-squared of nine degrees of freedom: more than 33.7 in one of 10,000.
            let sum = weights.reduce(0, +)
            let distance = zip(digits, weights).reduce(0.0) { distance, digit in
                let expected = Double(draws) * digit.1 / sum
                let found = Double(counts[digit.0] ?? 0)
                return distance + (found - expected) * (found - expected) / expected
            }
            #expect(distance < 33.7)
        }

        @Test func seed_decidesWithAGrammarToo() throws {
            let texts = try ([5, 5, 6, 7] as [UInt32]).map { seed in
                try tokens(atMost: 24) {
                    $0.seed = seed
                    $0.grammar = Self.city
                }
            }
            #expect(texts[0] == texts[1])
            #expect(Set(texts).count > 1)
        }

        @Test func reset_bringsTheSameChanceAgain() throws {
            let context = try LlamaFixture.context()
            let output = try context.feed(LlamaFixture.tokens(Self.prompt))
            let sampler = try sampler {
                $0.temperature = 2
                $0.seed = 11
                $0.grammar = "root ::= [0-9]"
            }
            let first = try (0..<8).map { _ in try sampler.sample(context, at: output) }
            try sampler.reset()
            let second = try (0..<8).map { _ in try sampler.sample(context, at: output) }
            #expect(first == second)
        }

        @Test func outputThatIsNot_isRefused() throws {
            let sampler = try sampler { $0.temperature = 0 }
            let context = try LlamaFixture.context()
            #expect(throws: ServingError.self) { try sampler.sample(context, at: 0) }
        }
    }
}
