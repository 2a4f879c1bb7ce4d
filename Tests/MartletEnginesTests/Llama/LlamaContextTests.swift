import Foundation
import MartletCore
import MartletEngines
import Testing

extension EngineTests {
    @Suite("llama.cpp contexts", .serialized)
    struct LlamaContextTests {
        private static let prompt = "1, 2, 3, 4, 5, 6,"

        @Test func likeliestTokens_makeSense() throws {
            let context = try LlamaFixture.context()
            let tokens = try context.likeliestTokens(
                after: LlamaFixture.tokens(Self.prompt), count: 4)
            #expect(try LlamaFixture.text(tokens).contains("7"))
        }

        @Test func sequencesInOneBatch_getWhatEachGetsAlone() throws {
            let prompts = ["Once upon a time", "The first three primes are"]
            let alone = try prompts.map { prompt in
                try LlamaFixture.context().likeliestTokens(
                    after: LlamaFixture.tokens(prompt), count: 1)
            }
            let context = try LlamaFixture.context()
            var batch = LlamaBatch()
            var outputs: [Int] = []
            for (sequence, prompt) in prompts.enumerated() {
                let tokens = try LlamaFixture.tokens(prompt)
                for (position, token) in tokens.enumerated() {
                    batch.append(
                        token, position: Int32(position), sequence: Int32(sequence),
                        wantsOutput: position == tokens.count - 1)
                }
                outputs.append(batch.count - 1)
            }
            #expect(try context.decode(batch) == .computed)
            #expect(outputs.map { [context.likeliest(at: $0)] } == alone.map { [$0.first] })
        }

        @Test(arguments: [true, false])
        func sharedPrefix_givesWhatDecodingItAgainGives(isUnified: Bool) throws {
            let prompt = try LlamaFixture.tokens(Self.prompt)
            let expected = try LlamaFixture.context().likeliestTokens(after: prompt, count: 8)

            let context = try LlamaFixture.context { $0.isUnified = isUnified }
            _ = try context.feed(Array(prompt.dropLast()), sequence: 0)
            try context.shareCells(of: 0, with: 1)
            try context.removeCells(of: 0)
            #expect(context.lastPosition(of: 0) == nil)
            #expect(context.lastPosition(of: 1) == Int32(prompt.count - 2))
            var output = try context.feed(
                [prompt[prompt.count - 1]], from: Int32(prompt.count - 1), sequence: 1)
            var tokens: [Int32] = []
            while tokens.count < expected.count, let token = context.likeliest(at: output) {
                tokens.append(token)
                output = try context.feed(
                    [token], from: Int32(prompt.count + tokens.count - 1), sequence: 1)
            }
            #expect(tokens == expected)
        }

        @Test func savedState_goesOnWhereItWas() throws {
            let prompt = try LlamaFixture.tokens(Self.prompt)
            let context = try LlamaFixture.context()
            let expected = context.likeliest(at: try context.feed(prompt))
            let state = try context.state(of: 0)
            context.removeAllCells()
            try context.restore(2, from: state)
            // What was restored has no output until its last token is decoded again.
            let last = Int32(prompt.count - 1)
            #expect(context.lastPosition(of: 2) == last)
            try context.removeCells(of: 2, from: last)
            let output = try context.feed([prompt[prompt.count - 1]], from: last, sequence: 2)
            #expect(context.likeliest(at: output) == expected)
        }

        @Test func badBatches_areRefusedAndChangeNothing() throws {
            let context = try LlamaFixture.context()
            _ = try context.feed(try LlamaFixture.tokens("Hello there"))
            let held = context.lastPosition(of: 0)
            let next = Int32(try LlamaFixture.tokens("Hello there").count)
            let bad: [(token: Int32, position: Int32, sequence: Int32)] = [
                (-1, next, 0), (49_152, next, 0), (1, -1, 0), (1, next, -1), (1, next, 4),
                (1, next, 256),
                (1, next + 5, 0), (1, 0, 0),
            ]
            for (token, position, sequence) in bad {
                var batch = LlamaBatch()
                batch.append(token, position: position, sequence: sequence, wantsOutput: true)
                let error = #expect(throws: ServingError.self) { try context.decode(batch) }
                #expect(error?.code == .invalidArgument)
            }
            #expect(throws: ServingError.self) { try context.decode(LlamaBatch()) }
            var large = LlamaBatch()
            for position in 0..<257 {
                large.append(1, position: Int32(position), sequence: 1, wantsOutput: false)
            }
            let error = #expect(throws: ServingError.self) { try context.decode(large) }
            #expect(error?.message.contains("257") == true)
            #expect(error?.message.contains("256") == true)
            #expect(context.lastPosition(of: 0) == held)
            #expect(context.lastPosition(of: 1) == nil)
        }

        @Test func fullMemory_isToldAndChangesNothing() throws {
            let context = try LlamaFixture.context { $0.cells = 256 }
            let tokens = [Int32](repeating: 1, count: 200)
            _ = try context.feed(tokens)
            var batch = LlamaBatch()
            for position in 0..<200 {
                batch.append(1, position: Int32(position), sequence: 1, wantsOutput: false)
            }
            #expect(try context.decode(batch) == .full)
            #expect(context.lastPosition(of: 0) == 199)
            #expect(context.lastPosition(of: 1) == nil)
            try context.removeCells(of: 0)
            #expect(try context.decode(batch) == .computed)
        }

        @Test func cancelledDecode_ends() throws {
            let context = try LlamaFixture.context()
            var batch = LlamaBatch()
            batch.append(1, position: 0, sequence: 0, wantsOutput: true)
            context.setCancelled(true)
            #expect(try context.decode(batch) == .cancelled)
            #expect(context.likeliest(at: 0) == nil)
            context.setCancelled(false)
            try context.removeCells(of: 0)
            #expect(try context.decode(batch) == .computed)
            #expect(context.likeliest(at: 0) != nil)
        }

        @Test func outputs_areThoseThatWereWanted() throws {
            let context = try LlamaFixture.context()
            var batch = LlamaBatch()
            batch.append(1, position: 0, sequence: 0, wantsOutput: false)
            batch.append(2, position: 1, sequence: 0, wantsOutput: true)
            #expect(try context.decode(batch) == .computed)
            for index in [-1, 0, 2, Int.max] {
                #expect(context.likeliest(at: index) == nil)
                #expect(context.withScores(at: index) { $0.count } == nil)
                #expect(throws: ServingError.self) {
                    try context.logProbabilities(of: 0, at: index, likeliest: 1)
                }
            }
            #expect(context.withScores(at: 1) { $0.count } == 49_152)
        }

        @Test func logProbabilities_areOfTheWholeVocabulary() throws {
            let context = try LlamaFixture.context()
            let output = try context.feed(try LlamaFixture.tokens(Self.prompt))
            let best = try #require(context.likeliest(at: output))
            let told = try context.logProbabilities(of: best, at: output, likeliest: 5)
            #expect(told.likeliest.map(\.token).first == best)
            #expect(told.likeliest.first?.value == told.ofToken)
            #expect(told.likeliest.map(\.value) == told.likeliest.map(\.value).sorted(by: >))
            let sum = try #require(
                context.withScores(at: output) { scores in
                    let normaliser = scores[Int(best)] - told.ofToken
                    return scores.reduce(0.0) { $0 + exp(Double($1 - normaliser)) }
                })
            #expect(abs(sum - 1) < 1e-3)
            #expect(throws: ServingError.self) {
                try context.logProbabilities(of: -1, at: output, likeliest: 1)
            }
            #expect(throws: ServingError.self) {
                try context.logProbabilities(of: best, at: output, likeliest: 129)
            }
        }

        @Test func pooledEmbeddings_areNearForTextsThatAre() throws {
            let context = try LlamaFixture.context {
                $0.givesEmbeddings = true
                $0.pooling = .mean
            }
            #expect(context.limits.pooling == .mean)
            var vectors: [[Float]] = []
            for text in ["A cat sleeps on the sofa", "A kitten sleeps on the couch", "x = y / 7"] {
                context.removeAllCells()
                _ = try context.feed(try LlamaFixture.tokens(text))
                let vector = try #require(context.embedding(ofSequence: 0))
                #expect(vector.count == 576)
                #expect(context.embedding(ofSequence: 3) == nil)
                vectors.append(vector)
            }
            #expect(
                Self.cosine(vectors[0], vectors[1]) > Self.cosine(vectors[0], vectors[2]))
        }

        private static func cosine(_ left: [Float], _ right: [Float]) -> Float {
            let product = zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
            let squares = [left, right].map { $0.reduce(0) { $0 + $1 * $1 } }
            return product / (squares[0] * squares[1]).squareRoot()
        }

        @Test func optionsThatMakeNoContext_areRefused() throws {
            let changes: [(inout LlamaContextOptions) -> Void] = [
                { $0.cells = 0 }, { $0.batch = 0 }, { $0.microBatch = 512 }, { $0.sequences = 0 },
                { $0.sequences = 257 }, { $0.sequences = -5 },
                {
                    $0.batch = 3; $0.microBatch = 3
                },
            ]
            for change in changes {
                let error = #expect(throws: ServingError.self) {
                    try LlamaFixture.context(change)
                }
                #expect(error?.code == .invalidArgument)
            }
        }

        @Test func cellsOfSequencesThatAreNot_areRefused() throws {
            let context = try LlamaFixture.context()
            _ = try context.feed(try LlamaFixture.tokens("One two"))
            for sequence: Int32 in [-1, 256, .max] {
                #expect(throws: ServingError.self) {
                    try context.shareCells(of: 0, with: sequence)
                }
                #expect(throws: ServingError.self) { try context.removeCells(of: sequence) }
                #expect(throws: ServingError.self) { try context.state(of: sequence) }
                #expect(context.lastPosition(of: sequence) == nil)
            }
            // The target has cells of its own there.
            _ = try context.feed(try LlamaFixture.tokens("Three"), sequence: 1)
            #expect(throws: ServingError.self) { try context.shareCells(of: 0, with: 1) }
        }

        @Test func limits_tellTheMemoryTaken() throws {
            let context = try LlamaFixture.context()
            // 2 x 30 layers x 3 heads x 64 numbers x 2 bytes for each of the cells.
            #expect(context.limits.memoryBytes == 2 * 30 * 3 * 64 * 2 * 1024)
            #expect(context.limits.cells == 1024)
            #expect(context.limits.sequences == 4)
            #expect(context.limits.slots == 256)
            #expect(try LlamaFixture.context { $0.isUnified = false }.limits.slots == 4)
        }

        @Test func adapterThatIsNone_isRefused() throws {
            let model = try LlamaFixture.model.get()
            for path in ["/does/not/exist", LlamaFixture.path] {
                #expect(throws: ServingError.self) { try LlamaAdapter(model: model, path: path) }
            }
            try LlamaFixture.context().setAdapters([])
        }
    }
}
