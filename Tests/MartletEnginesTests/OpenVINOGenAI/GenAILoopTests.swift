import Foundation
import MartletCore
import Testing

@testable import MartletEngines

@Suite(.serialized, .timeLimit(.minutes(10)))
struct GenAILoopTests {
    private typealias Running = GenAIRunningLoop

    private func submit(
        _ prompt: [TokenID], most: Int? = nil, to loop: GenAILoop,
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> (GenerationID, GenerationListener) {
        try Running.submit(prompt, most: most, to: loop, change)
    }

    /// Waits until the worker that ended is there again.
    private func awaitWorker(of loop: GenAILoop) async throws {
        for _ in 0..<20_000 {
            do {
                let (_, listener) = try submit([5], most: 1, to: loop)
                _ = try await listener.end()
                return
            } catch {
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        Issue.record("the worker was not started again")
    }

    @Test func tokens_areTheWorkers() async throws {
        let running = try Running()
        let (_, one) = try submit([5], most: 3, to: running.loop) { $0.sampling.logprobs = 0 }
        let (_, other) = try submit([100], most: 2, to: running.loop)
        #expect(try await one.end() == .length)
        #expect(try await other.end() == .length)
        #expect(one.ids == [6, 7, 8])
        #expect(one.text == "<6><7><8>")
        #expect(one.tokens.first?.logprobs == TokenLogprobs(logprob: -0.5, top: []))
        #expect(other.ids == [101, 102])
        #expect(other.tokens.first?.logprobs == nil)
        #expect(one.usage.generatedTokens == 3)
        let (_, stopped) = try submit([0], to: running.loop)
        #expect(try await stopped.end() == .stop)
        #expect(stopped.ids == [1])
    }

    @Test func manyRequests_eachGetTheirOwn() async throws {
        let running = try Running()
        let listeners = try (0..<40).map { index in
            try submit([TokenID(10 + index * 20)], most: 15, to: running.loop).1
        }
        for (index, listener) in listeners.enumerated() {
            #expect(try await listener.end() == .length)
            let first = TokenID(10 + index * 20)
            #expect(listener.ids == (1...15).map { first + $0 })
        }
        #expect(running.loop.load.running == 0)
        #expect(running.loop.load.counters.completed == 40)
    }

    @Test func cancelled_endsAndLeavesTheOthers() async throws {
        let running = try Running()
        let (id, listener) = try submit([5], to: running.loop)
        await listener.firstToken()
        running.loop.cancel(id, reason: .cancelled)
        running.loop.cancel(id, reason: .cancelled)
        #expect(try await listener.end() == .cancelled)
        let (_, next) = try submit([5], most: 2, to: running.loop)
        #expect(try await next.end() == .length)
        #expect(running.loop.load.counters.cancelled == 1)
    }

    @Test func deadline_endsTheText() async throws {
        let running = try Running()
        let (_, listener) = try submit([5], to: running.loop) {
            // Its 2,000 tokens take 4 s at least.
            $0.deadline = .after(.seconds(2))
        }
        #expect(try await listener.end() == .deadline)
        #expect(!listener.ids.isEmpty)
    }

    @Test func workerThatDoesNotRead_keepsNoDeadlineAndNoUnloadWaiting() async throws {
        let running = try Running("deaf", scheduling: GenAIFakeWorker.spacious)
        // More than a socket holds.
        let (_, listener) = try submit(
            Array(repeating: 500_000, count: 300_000), to: running.loop
        ) { $0.deadline = .after(.seconds(2)) }
        let (id, other) = try submit([5], to: running.loop)
        #expect(try await listener.end() == .deadline)
        running.loop.cancel(id, reason: .cancelled)
        #expect(try await other.end() == .cancelled)
        let (_, last) = try submit([5], to: running.loop)
        running.loop.end()
        #expect(try await last.end() == .cancelled)
    }

    @Test func workerThatDoesNotRead_isReplaced() async throws {
        let running = try Running("deaf", scheduling: GenAIFakeWorker.spacious) { settings in
            settings.stallTimeout = .seconds(1)
        }
        let (_, listener) = try submit(
            Array(repeating: 500_000, count: 300_000), to: running.loop)
        let error = await #expect(throws: ServingError.self) { try await listener.end() }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("said nothing") == true)
    }

    @Test func workerThatIsKilled_failsWhatRanAndIsStartedAgain() async throws {
        let running = try Running()
        let (_, other) = try submit([5], to: running.loop)
        await other.firstToken()
        let (_, listener) = try submit([900, 5], to: running.loop)
        for victim in [listener, other] {
            let error = await #expect(throws: ServingError.self) { try await victim.end() }
            #expect(error?.code == .unavailable)
            #expect(error?.message.contains("signal 9") == true)
        }
        try await awaitWorker(of: running.loop)
    }

    @Test func requestsMeanwhile_areRefusedUntilItLoadsAgain() async throws {
        let mark = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-genai-mark-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: mark) }
        let running = try Running(mark.path)
        #expect(FileManager.default.createFile(atPath: mark.path, contents: nil))
        let (_, listener) = try submit([900, 5], to: running.loop)
        await #expect(throws: ServingError.self) { try await listener.end() }
        let refusal = #expect(throws: GenerationRefusal.self) {
            try submit([5], to: running.loop)
        }
        #expect(refusal?.error.code == .unavailable)
        #expect((refusal?.retryAfter ?? .zero) >= .seconds(1))
    }

    @Test(arguments: [TokenID(902), 901])
    func workerThatTalksNonsenseOrNothing_isReplaced(_ prompt: TokenID) async throws {
        let running = try Running("works") { settings in settings.stallTimeout = .seconds(1) }
        let (_, listener) = try submit([prompt, 5], to: running.loop)
        let error = await #expect(throws: ServingError.self) { try await listener.end() }
        #expect(error?.code == .unavailable)
        try await awaitWorker(of: running.loop)
    }

    @Test func refusedByTheEngine_isTheClientsError() async throws {
        let running = try Running()
        let (_, listener) = try submit([903, 5], to: running.loop)
        let error = await #expect(throws: ServingError.self) { try await listener.end() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.message.contains("903") == true)
    }

    @Test func failedByTheEngine_leavesTheOthers() async throws {
        let running = try Running()
        let (_, other) = try submit([5], to: running.loop)
        await other.firstToken()
        let (_, listener) = try submit([904, 5], to: running.loop)
        let error = await #expect(throws: ServingError.self) { try await listener.end() }
        #expect(error?.code == .internal)
        #expect(error?.message.contains("no number") == true)
        #expect(listener.ids == [6])
        #expect(running.loop.load.running == 1)
        #expect(running.loop.load.counters.failedSteps == 0)
    }

    @Test(arguments: [
        ("refuses", "not today"), ("dies", "out of luck"), ("old", "scripts/setup.sh"),
    ])
    func workerThatDoesNotLoad_isTheErrorOfTheLoad(_ behaviour: String, _ text: String) {
        let error = #expect(throws: ServingError.self) { try Running(behaviour) }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains(text) == true, "\(error?.message ?? "")")
    }

    @Test func programThatIsNotThere_isTheErrorOfTheLoad() {
        let error = #expect(throws: ServingError.self) {
            try Running("works") { settings in settings.command = ["/nowhere/python3"] }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("/nowhere/python3") == true)
    }

    @Test func loadThatTakesTooLong_isGivenUp() {
        let error = #expect(throws: ServingError.self) {
            try Running("sleeps") { settings in settings.loadTimeout = .milliseconds(300) }
        }
        #expect(error?.message.contains("longer") == true)
    }

    @Test func end_endsAllAndRefusesMore() async throws {
        let running = try Running()
        let (_, listener) = try submit([5], to: running.loop)
        await listener.firstToken()
        running.loop.end()
        running.loop.end()
        #expect(try await listener.end() == .cancelled)
        let refusal = #expect(throws: GenerationRefusal.self) {
            try submit([5], to: running.loop)
        }
        #expect(refusal?.error.code == .unavailable)
    }

    @Test(arguments: ["logit_bias", "top_logprobs", "repeat_last_n", "grammar", "temperature"])
    func whatTheEngineDoesNotDo_isRefusedByName(_ name: String) throws {
        let running = try Running()
        let refusal = #expect(throws: GenerationRefusal.self) {
            try submit([5], to: running.loop) { request in
                switch name {
                case "logit_bias": request.sampling.logitBias = [5: 1]
                case "top_logprobs": request.sampling.logprobs = 2
                case "repeat_last_n":
                    request.sampling.presencePenalty = 1
                    request.sampling.penaltyWindow = 7
                case "grammar": request.sampling.grammar = "root ::= \"a\""
                default: request.sampling.temperature = -1
                }
            }
        }
        #expect(refusal?.error.code == .invalidArgument)
        #expect(refusal?.error.message.contains(name) == true)
    }
}
