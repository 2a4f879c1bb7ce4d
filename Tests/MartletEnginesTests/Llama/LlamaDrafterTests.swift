import Foundation
import MartletCore
import Testing

@testable import MartletEngines

extension EngineTests {
    @Suite("Draft models", .serialized, .timeLimit(.minutes(10)))
    struct LlamaDrafterTests {
        private static let prompt = "The capital of Italy is Rome, and the capital of France is"

        /// SmolLM2 as its own draft model.
        private func drafter(
            places: Int = 2, cells: Int = 512, minProbability: Double = 0
        ) throws -> LlamaDrafter {
            let context = try LlamaFixture.context {
                $0.isUnified = false
                $0.sequences = places
                $0.cells = cells
            }
            return LlamaDrafter(
                context: context, guessesFor: try LlamaFixture.model.get(),
                minProbability: minProbability)
        }

        private func wish(_ number: UInt64, _ tokens: [TokenID], limit: Int = 4) -> DraftWish {
            DraftWish(id: GenerationID(number: number), tokens: tokens, limit: limit)
        }

        private func expected(_ tokens: [TokenID], count: Int = 4) throws -> [TokenID] {
            try LlamaFixture.context().likeliestTokens(after: tokens, count: count)
        }

        @Test func guesses_areTheLikeliestTokens() throws {
            let drafter = try drafter()
            let prompt = try LlamaFixture.tokens(Self.prompt)
            let text = try expected(prompt, count: 8)
            let first = drafter.guess([wish(1, prompt)])
            #expect(first.isCatchingUp)
            #expect(
                first.proposals == [
                    DraftProposal(
                        id: GenerationID(number: 1), length: prompt.count,
                        tokens: Array(text.prefix(4)))
                ])
            // All were right.
            let next = drafter.guess([wish(1, prompt + text.prefix(4))])
            #expect(!next.isCatchingUp)
            #expect(next.proposals.first?.tokens == Array(text.suffix(4)))
        }

        @Test func whatWasNotSaid_isForgotten() throws {
            let drafter = try drafter()
            let prompt = try LlamaFixture.tokens(Self.prompt)
            _ = drafter.guess([wish(1, prompt)])
            let other = try prompt + LlamaFixture.tokens(" a large")
            let round = drafter.guess([wish(1, other)])
            #expect(round.proposals.first?.tokens == (try expected(other)))
        }

        @Test func sequences_areGuessedTogetherAndApart() throws {
            let drafter = try drafter(places: 2)
            let prompts = try [Self.prompt, "One, two, three,", "Roses are red,"].map {
                try LlamaFixture.tokens($0)
            }
            let wishes = prompts.enumerated().map { wish(UInt64($0.offset), $0.element) }
            // There is room for two of the three.
            let round = drafter.guess(wishes)
            #expect(round.proposals.count == 2)
            for proposal in round.proposals {
                let index = try #require(wishes.firstIndex { $0.id == proposal.id })
                #expect(proposal.tokens == (try expected(prompts[index])))
            }
            // The third takes a place that is no longer wanted.
            let last = drafter.guess([wishes[2]])
            #expect(last.proposals.first?.tokens == (try expected(prompts[2])))
        }

        @Test func tokensThatAreNotLikely_areNotGuessed() throws {
            let prompt = try LlamaFixture.tokens(Self.prompt)
            let certain = try drafter(minProbability: 1)
            #expect(certain.guess([wish(1, prompt)]).proposals.isEmpty)
            let bold = try drafter(minProbability: 0.001)
            #expect(bold.guess([wish(1, prompt)]).proposals.first?.tokens.count == 4)
        }

        @Test func longText_isReadInSeveralSteps() throws {
            let drafter = try drafter(cells: 1024)
            let batch = drafter.context.limits.batch
            let text = String(repeating: "The quick brown fox jumps over the dog. ", count: 40)
            let tokens = Array(try LlamaFixture.tokens(text).prefix(batch + 20))
            #expect(tokens.count == batch + 20)
            let first = drafter.guess([wish(1, tokens)])
            #expect(first.isCatchingUp)
            #expect(first.proposals.isEmpty)
            #expect(drafter.guess([wish(1, tokens)]).proposals.first?.tokens.count == 4)
        }

        @Test func textWithoutRoom_isNotGuessed() throws {
            let drafter = try drafter(places: 1, cells: 256)
            let room = drafter.context.limits.sequenceCells
            let tokens = [TokenID](repeating: 500, count: room - 3)
            #expect(drafter.guess([wish(1, tokens)]).proposals.isEmpty)
            // And harms no other.
            let prompt = try LlamaFixture.tokens(Self.prompt)
            #expect(drafter.guess([wish(2, prompt)]).proposals.count == 1)
        }

        @Test func otherVocabulary_isRefusedWithBothSizes() throws {
            let model = try LlamaFixture.model.get()
            try LlamaVocabularyMatch.check(model, guessesFor: model)
            let folder = FileManager.default.temporaryDirectory
                .appendingPathComponent("martlet-\(UUID())")
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            let path = folder.appendingPathComponent("other.gguf").path
            try Data(Self.vocabulary(size: 1000)).write(to: URL(fileURLWithPath: path))
            var options = LlamaModelOptions()
            options.isVocabularyOnly = true
            let other = try LlamaModel(
                library: try LlamaFixture.library.get(), path: path, options: options)
            let error = #expect(throws: ServingError.self) {
                try LlamaVocabularyMatch.check(other, guessesFor: model)
            }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains("has 1000 tokens") == true)
            #expect(error?.message.contains("has 49152") == true)
        }

        /// A GGUF file that has nothing but a number of tokens.
        private static func vocabulary(size: UInt32) -> [UInt8] {
            func number<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
                withUnsafeBytes(of: value.littleEndian) { Array($0) }
            }
            func text(_ text: String) -> [UInt8] { number(UInt64(text.utf8.count)) + text.utf8 }
            let isText = number(UInt32(8))
            let keys = [
                text("general.architecture") + isText + text("llama"),
                text("tokenizer.ggml.model") + isText + text("no_vocab"),
                text("llama.vocab_size") + number(UInt32(4)) + number(size),
            ]
            return Array("GGUF".utf8) + number(UInt32(3)) + number(UInt64(0))
                + number(UInt64(keys.count)) + keys.joined()
        }
    }
}

@Suite("Sequences that a draft model remembers")
struct DraftPlaceTests {
    private func wish(_ number: UInt64) -> DraftWish {
        DraftWish(id: GenerationID(number: number), tokens: [1], limit: 1)
    }

    @Test func sequence_keepsItsPlaceAndOthersTakeTheOldest() {
        var places = [DraftPlace(), DraftPlace()]
        let first = places.take(for: wish(1), among: [wish(1)], turn: 1)
        let second = places.take(for: wish(2), among: [wish(2)], turn: 2)
        #expect(Set([first, second]) == [0, 1])
        #expect(places.take(for: wish(1), among: [wish(1)], turn: 3) == first)
        #expect(places.take(for: wish(3), among: [wish(3)], turn: 4) == second)
    }

    @Test func thoseThatAreWantedNow_keepTheirs() {
        var places = [DraftPlace(), DraftPlace()]
        let wishes = [wish(1), wish(2), wish(3)]
        for wish in wishes.prefix(2) {
            #expect(places.take(for: wish, among: wishes, turn: 1) != nil)
        }
        #expect(places.take(for: wishes[2], among: wishes, turn: 1) == nil)
        #expect(places.take(for: wishes[2], among: wishes, turn: 2) == nil)
        #expect(places.take(for: wishes[2], among: [wishes[0], wishes[2]], turn: 3) != nil)
    }
}
