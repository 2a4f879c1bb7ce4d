import MartletCore
import Synchronization
import Testing

@testable import MartletEngines

/// Takes the events of one sequence; tests await its end.
private final class Listener: Sendable {
    private struct State {
        var tokens: [GeneratedToken] = []
        var cached: Int?
    }

    private let state = Mutex(State())
    private let ends = AsyncStream.makeStream(of: Result<FinishReason, ServingError>.self)
    private let firsts = AsyncStream.makeStream(of: Void.self)

    var tokens: [GeneratedToken] { state.withLock { $0.tokens } }
    var ids: [TokenID] { tokens.map(\.id) }
    var cached: Int? { state.withLock { $0.cached } }
    var text: String { String(decoding: tokens.flatMap(\.bytes), as: UTF8.self) }

    func take(_ event: GenerationEvent) {
        switch event {
        case .started(let cached): state.withLock { $0.cached = cached }
        case .token(let token):
            state.withLock { $0.tokens.append(token) }
            firsts.continuation.yield()
        case .finished(let reason, _): end(.success(reason))
        case .failed(let error, _): end(.failure(error))
        }
    }

    private func end(_ result: Result<FinishReason, ServingError>) {
        ends.continuation.yield(result)
        ends.continuation.finish()
        firsts.continuation.finish()
    }

    func firstToken() async {
        var iterator = firsts.stream.makeAsyncIterator()
        _ = await iterator.next()
    }

    func end() async throws -> FinishReason {
        var iterator = ends.stream.makeAsyncIterator()
        return try #require(await iterator.next()).get()
    }

    /// Whether there is a second end.
    func endsAgain() async -> Bool {
        var count = 0
        for await _ in ends.stream { count += 1 }
        return count > 0
    }
}

// Among the engines, one after the other: others measure the memory of the process.
extension EngineTests {
    @Suite("Language models that are loaded", .serialized, .timeLimit(.minutes(10)))
    struct LlamaServableTests {
        private func load(
            draft: LlamaServable.Draft? = nil,
            _ change: (inout LlamaEngine.Options) -> Void = { _ in }
        ) throws -> LlamaServable {
            var options = LlamaEngine.Options()
            options.contextTokens = 256
            options.memoryTokens = 8 * 256
            options.threads = 1
            change(&options)
            let model = try LlamaFixture.model.get()
            var files = LanguageModelFiles(path: LlamaFixture.path, cellBytes: 23_040)
            files.draft = draft?.files
            return try LlamaServable(
                id: ServableID(model: "smollm2", version: 1), model: model, adapters: [:],
                layout: LlamaLayout(options, files: files, model: model.info), options: options,
                fileBytes: 1, draft: draft)
        }

        /// The model as its own draft model.
        private func ownDraft() throws -> LlamaServable.Draft {
            LlamaServable.Draft(
                model: try LlamaFixture.model.get(),
                files: DraftModelFiles(
                    path: LlamaFixture.path, fileBytes: 1, cellBytes: 23_040,
                    sizes: LanguageModelSizes(contextTokens: 8192)))
        }

        private func request(_ text: String, tokens: Int = 12) throws -> GenerationRequest {
            var request = GenerationRequest(
                prompt: try LlamaFixture.tokens(text), newTokensMax: tokens)
            request.sampling.temperature = 0
            request.ignoresEndTokens = true
            return request
        }

        private func generate(
            _ request: GenerationRequest, by servable: LlamaServable
        ) async throws -> Listener {
            let listener = Listener()
            _ = try servable.submit(request) { listener.take($0) }
            #expect(try await listener.end() == .length)
            return listener
        }

        @Test func text_isWhatTheEngineAloneSays_inEachLayout() async throws {
            let prompt = "The capital of France is"
            let context = try LlamaFixture.context()
            let tokens = try LlamaFixture.tokens(prompt)
            var place = try context.feed(tokens)
            var expected: [TokenID] = []
            for step in 0..<12 {
                let token = try #require(context.likeliest(at: place))
                expected.append(token)
                place = try context.feed([token], from: Int32(tokens.count + step))
            }
            for layout in [LlamaEngine.Options.MemoryLayout.split, .unified] {
                let servable = try load { $0.layout = layout }
                defer { servable.unload() }
                let listener = try await generate(try request(prompt), by: servable)
                #expect(listener.ids == expected)
                #expect(listener.cached == 0)
            }
        }

        @Test func prefix_isSharedBetweenSequences() async throws {
            for layout in [LlamaEngine.Options.MemoryLayout.split, .unified] {
                let servable = try load { $0.layout = layout }
                defer { servable.unload() }
                let common = String(repeating: "The quick brown fox jumps over the dog. ", count: 6)
                let alone = try await generate(try request(common + "Then"), by: servable)
                let other = try await generate(try request(common + "Later"), by: servable)
                #expect((other.cached ?? 0) >= 40)
                let again = try await generate(try request(common + "Then"), by: servable)
                #expect((again.cached ?? 0) >= 40)
                #expect(again.ids == alone.ids)
            }
        }

        @Test func manySequencesAtOnce_eachGetItsOwnText() async throws {
            let servable = try load { $0.sequences = 4 }
            defer { servable.unload() }
            let prompts = (1...12).map { "Count: \($0), \($0 + 1)," }
            var alone: [[TokenID]] = []
            for prompt in prompts {
                alone.append(try await generate(try request(prompt), by: servable).ids)
            }
            let together = try await withThrowingTaskGroup(of: (Int, [TokenID]).self) { group in
                for (index, prompt) in prompts.enumerated() {
                    group.addTask {
                        let listener = try await self.generate(
                            try self.request(prompt), by: servable)
                        return (index, listener.ids)
                    }
                }
                return try await group.reduce(into: [Int: [TokenID]]()) { $0[$1.0] = $1.1 }
            }
            // Sums are added in another order in larger batches, so that a close choice may fall out
            // differently; nearly all must be the same.
            let same = prompts.indices.count { together[$0] == alone[$0] }
            #expect(same >= prompts.count - 2)
            #expect(servable.load.running == 0)
            #expect(servable.load.counters.completed == 24)
        }

        @Test func cancelledSequence_endsOnceAndFreesItsPlace() async throws {
            let servable = try load()
            defer { servable.unload() }
            let listener = Listener()
            let id = try servable.submit(try request("Once upon a time", tokens: 200)) {
                listener.take($0)
            }
            await listener.firstToken()
            servable.cancel(id)
            servable.cancel(id)
            #expect(try await listener.end() == .cancelled)
            #expect(!(await listener.endsAgain()))
            #expect(listener.tokens.count < 200)
            _ = try await generate(try request("Hello"), by: servable)
            #expect(servable.load.running == 0)
        }

        @Test func unload_endsWhatIsUnderWay() async throws {
            let servable = try load()
            let listener = Listener()
            _ = try servable.submit(try request("Once upon a time", tokens: 200)) {
                listener.take($0)
            }
            await listener.firstToken()
            servable.unload()
            #expect(try await listener.end() == .cancelled)
            #expect(throws: GenerationRefusal.self) {
                _ = try servable.submit(try self.request("Hello")) { _ in }
            }
            servable.unload()
        }

        @Test func deadline_endsTheText() async throws {
            let servable = try load()
            defer { servable.unload() }
            var request = try request("Once upon a time", tokens: 250 - 4)
            request.deadline = .after(.milliseconds(200))
            let listener = Listener()
            _ = try servable.submit(request) { listener.take($0) }
            let reason = try await listener.end()
            // A machine that is fast enough comes to the end of the context.
            #expect(reason == .deadline || reason == .length)
        }

        @Test func grammar_holdsTheText() async throws {
            let servable = try load()
            defer { servable.unload() }
            var request = try request("The answer is", tokens: 8)
            request.ignoresEndTokens = false
            request.sampling.grammar = #"root ::= "yes" | "no""#
            let listener = Listener()
            _ = try servable.submit(request) { listener.take($0) }
            #expect(try await listener.end() == .stop)
            #expect(["yes", "no"].contains(listener.text))
            request.sampling.grammar = "root ::= ("
            #expect(throws: GenerationRefusal.self) {
                _ = try servable.submit(request) { _ in }
            }
        }

        @Test func logprobs_areThoseOfTheTokens() async throws {
            let servable = try load()
            defer { servable.unload() }
            var request = try request("The capital of France is", tokens: 3)
            request.sampling.logprobs = 2
            let listener = try await generate(request, by: servable)
            for token in listener.tokens {
                let logprobs = try #require(token.logprobs)
                #expect(logprobs.top.count == 2)
                #expect(logprobs.top.first?.id == token.id)
                #expect(logprobs.top.first?.logprob == logprobs.logprob)
                #expect(logprobs.logprob <= 0)
            }
        }

        @Test func guesses_changeNoText() async throws {
            let prompt = "one two three one two three one two three one"
            let plain = try load()
            let expected = try await generate(try request(prompt, tokens: 40), by: plain).ids
            plain.unload()
            let guessing = try load { $0.draftTokens = 4 }
            defer { guessing.unload() }
            let found = try await generate(try request(prompt, tokens: 40), by: guessing).ids
            #expect(found.prefix(8) == expected.prefix(8))
            #expect(guessing.load.counters.draftsProposed > 0)
        }

        @Test func draftModel_changesNoTextAndIsMostlyRight() async throws {
            let prompt = "The capital of France is"
            let plain = try load()
            let expected = try await generate(try request(prompt, tokens: 24), by: plain).ids
            let bytes = plain.memoryBytes
            plain.unload()
            let drafting = try load(draft: ownDraft()) { $0.draftMinProbability = 0 }
            defer { drafting.unload() }
            let found = try await generate(try request(prompt, tokens: 24), by: drafting).ids
            // Sums are added in another order when several tokens are checked at once, so that a
            // close choice may fall out differently.
            #expect(found.prefix(8) == expected.prefix(8))
            let counters = drafting.load.counters
            #expect(counters.modelDraftsProposed > 0)
            #expect(counters.modelDraftsAccepted * 4 >= counters.modelDraftsProposed * 3)
            #expect(counters.draftsProposed == 0)
            #expect(counters.steps < 24)
            #expect(drafting.memoryBytes > bytes)
        }

        @Test func draftModel_withChanceAndAGrammar_keepsToIt() async throws {
            let drafting = try load(draft: ownDraft()) { $0.draftMinProbability = 0 }
            defer { drafting.unload() }
            var request = try request("My number is", tokens: 40)
            request.ignoresEndTokens = false
            request.sampling.temperature = 1
            request.sampling.seed = 5
            request.sampling.grammar = #"root ::= " 1, 2, 3, 4, 5, " [0-9]{2} " and " [a-z]{3}"#
            let listener = Listener()
            _ = try drafting.submit(request) { listener.take($0) }
            #expect(try await listener.end() == .stop)
            let form = /\ 1, 2, 3, 4, 5, [0-9]{2} and [a-z]{3}/
            #expect(listener.text.wholeMatch(of: form) != nil)
        }

        @Test func whatAGeneratingModelCannot_isSaid() throws {
            let servable = try load()
            defer { servable.unload() }
            #expect(throws: ServingError.self) { try servable.embed([[1]]) }
            #expect(throws: ServingError.self) { try servable.rank(["a"], for: "b") }
            #expect(servable.description.generates)
            #expect(!servable.description.embeds)
            #expect(servable.description.contextTokensMax == 256)
        }
    }
}
