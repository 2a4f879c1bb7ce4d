import MartletCore
import Testing

@testable import MartletEngines

/// A scheduler, and what it told whom.
private struct World {
    var scheduler: GenAIScheduler
    private(set) var tokens: [GenerationID: [TokenID]] = [:]
    private(set) var cached: [GenerationID: Int] = [:]
    private(set) var ends: [GenerationID: [String]] = [:]
    private(set) var usages: [GenerationID: GenerationUsage] = [:]

    init(_ change: (inout SchedulerSettings) -> Void = { _ in }) {
        var settings = SchedulerSettings(
            cells: 1024, slots: 8, contextTokensMax: 100, stepTokensMax: 64, runningMax: 2)
        settings.vocabularySize = 1000
        settings.endTokens = [2]
        change(&settings)
        scheduler = GenAIScheduler(settings)
    }

    mutating func submit(
        _ prompt: [TokenID] = [5, 6, 7], most: Int? = nil, deadline: Duration? = nil,
        _ change: (inout GenerationRequest) -> Void = { _ in }
    ) throws -> GenerationID {
        var request = GenerationRequest(prompt: prompt, newTokensMax: most)
        change(&request)
        return try scheduler.submit(request, deadline: deadline, now: .zero)
    }

    /// Lets requests in, and takes what is told.
    ///
    /// - Returns: what the worker is told: the ids submitted, and those cancelled as negative.
    mutating func turn() -> [Int] {
        scheduler.admit()
        hear()
        return scheduler.takeCommands().map { command in
            switch command {
            case .submit(let submission): Int(submission.id)
            case .cancel(let id): -Int(id.number)
            }
        }
    }

    /// Takes what is told.
    mutating func hear() {
        for event in scheduler.takeEvents() {
            switch event.kind {
            case .started(let count): cached[event.id] = count
            case .token(let token, _): tokens[event.id, default: []].append(token)
            case .finished(let reason, let usage):
                ends[event.id, default: []].append(reason.rawValue)
                usages[event.id] = usage
            case .failed(let error, _): ends[event.id, default: []].append(error.code.name)
            }
        }
    }

    mutating func step(_ results: GenAIResult...) {
        scheduler.take(results, cacheUsage: 0.5, now: .seconds(1))
    }
}

struct GenAISchedulerTests {
    @Test func noMoreThanAllowed_areGivenToTheWorker() throws {
        var world = World()
        let ids = try (0..<3).map { _ in try world.submit() }
        #expect(world.turn() == [1, 2])
        #expect(world.scheduler.load.running == 2)
        #expect(world.scheduler.load.waiting == 1)
        world.step(GenAIResult(id: ids[0], tokens: [9], end: .length))
        #expect(world.turn() == [3])
        #expect(world.ends[ids[0]] == ["length"])
    }

    @Test func tokens_areToldUntilTheEnd() throws {
        var world = World()
        let id = try world.submit()
        #expect(world.turn() == [1])
        world.step(GenAIResult(id: id, tokens: [9], logprobs: [-1]))
        world.step(GenAIResult(id: id, tokens: [10]))
        world.step(GenAIResult(id: id, tokens: [2], end: .stop))
        // What comes behind the end is nobody's.
        world.step(GenAIResult(id: id, tokens: [11], end: .length))
        #expect(world.turn() == [])
        #expect(world.tokens[id] == [9, 10])
        #expect(world.ends[id] == ["stop"])
        #expect(
            world.usages[id]
                == GenerationUsage(promptTokens: 3, cachedTokens: 0, generatedTokens: 2))
        #expect(world.scheduler.load.counters.completed == 1)
        #expect(world.scheduler.load.counters.generatedTokens == 2)
    }

    @Test func endTokenThatTheEngineGoesOnAfter_endsTheTextAndIsCancelled() throws {
        var world = World()
        let id = try world.submit { $0.stopTokens = [30] }
        #expect(world.turn() == [1])
        world.step(GenAIResult(id: id, tokens: [9, 30, 31]))
        #expect(world.turn() == [-1])
        #expect(world.tokens[id] == [9])
        #expect(world.ends[id] == ["stop"])
    }

    @Test func endTokens_areTokensWhereTheyAreIgnored() throws {
        var world = World()
        let id = try world.submit(most: 2) { $0.ignoresEndTokens = true }
        #expect(world.turn() == [1])
        world.step(GenAIResult(id: id, tokens: [2]))
        world.step(GenAIResult(id: id, tokens: [2], end: .length))
        #expect(world.turn() == [])
        #expect(world.tokens[id] == [2, 2])
        #expect(world.ends[id] == ["length"])
    }

    @Test func cancelled_endsOnce_whereverItIs() throws {
        var world = World { $0.runningMax = 1 }
        let running = try world.submit()
        let waiting = try world.submit()
        #expect(world.turn() == [1])
        for id in [running, waiting, running] {
            world.scheduler.cancel(id, reason: .cancelled, now: .zero)
        }
        #expect(world.turn() == [-1])
        #expect(world.ends[running] == ["cancelled"])
        #expect(world.ends[waiting] == ["cancelled"])
        #expect(world.scheduler.load.waitingTokens == 0)
    }

    @Test func deadline_endsThoseThatRunAndThoseThatWait() throws {
        var world = World { $0.runningMax = 1 }
        let running = try world.submit(deadline: .seconds(3))
        let waiting = try world.submit(deadline: .seconds(2))
        #expect(world.turn() == [1])
        #expect(world.scheduler.nextDeadline == .seconds(2))
        world.scheduler.expire(now: .seconds(2))
        #expect(world.turn() == [])
        #expect(world.ends[waiting] == ["deadline"])
        world.scheduler.expire(now: .seconds(3))
        #expect(world.turn() == [-1])
        #expect(world.ends[running] == ["deadline"])
        #expect(world.scheduler.nextDeadline == nil)
    }

    @Test func workerThatIsGone_failsWhatItHadAndForgetsItsCache() throws {
        var world = World()
        let prompt = (0..<64).map { TokenID($0) }
        let ids = try (0..<3).map { _ in try world.submit(prompt) }
        let movable = try world.submit(prompt) { $0.hasOtherEngine = true }
        _ = world.turn()
        world.step(GenAIResult(id: ids[0], tokens: [9]))
        world.scheduler.didLoseWorker(ServingError(.unavailable, "gone"), now: .zero)
        world.hear()
        for id in [ids[0], ids[1], movable] { #expect(world.ends[id] == ["UNAVAILABLE"]) }
        #expect(world.scheduler.load.waiting == 1)
        world.scheduler.didStart()
        #expect(world.turn() == [3])
        #expect(world.cached[ids[2]] == 0)
        #expect(world.scheduler.load.counters.failed == 3)
    }

    @Test func whatWaitsInVain_isTurnedAway() throws {
        var world = World { $0.runningMax = 1 }
        let ids = try (0..<2).map { _ in try world.submit() }
        _ = world.turn()
        let gone = ServingError(.unavailable, "gone")
        world.scheduler.didLoseWorker(gone, now: .zero)
        world.scheduler.turnAway(gone, now: .zero)
        #expect(world.turn() == [])
        #expect(ids.allSatisfy { world.ends[$0] == ["UNAVAILABLE"] })
        #expect(!world.scheduler.isWaiting)
    }

    @Test func prefix_isCountedOnceItWasComputed() throws {
        var world = World()
        let prompt = (0..<64).map { TokenID($0) }
        let first = try world.submit(prompt)
        _ = world.turn()
        world.step(GenAIResult(id: first, tokens: [9]))
        let second = try world.submit(prompt)
        _ = world.turn()
        #expect(world.cached[first] == 0)
        #expect(world.cached[second] == 63)
        var apart = World { $0.sharing = .none }
        let alone = try apart.submit(prompt)
        _ = apart.turn()
        apart.step(GenAIResult(id: alone, tokens: [9]))
        let other = try apart.submit(prompt)
        _ = apart.turn()
        #expect(apart.cached[other] == 0)
    }

    @Test func tenants_takeTurnsAndPrioritiesGoFirst() throws {
        var world = World { $0.runningMax = 1 }
        for _ in 0..<3 { _ = try world.submit { $0.tenant = "a" } }
        let other = try world.submit { $0.tenant = "b" }
        let urgent = try world.submit {
            $0.tenant = "a"
            $0.priority = .high
        }
        #expect(world.turn() == [Int(urgent.number)])
        world.step(GenAIResult(id: urgent, tokens: [9], end: .length))
        #expect(world.turn() == [Int(other.number)])
    }

    @Test func fullQueue_refusesAndSaysWhenToComeBack() throws {
        var world = World { $0.waitingMax = 1 }
        _ = try world.submit()
        let refusal = #expect(throws: GenerationRefusal.self) { try world.submit() }
        #expect(refusal?.error.code == .resourceExhausted)
        #expect(refusal?.retryAfter != nil)
        #expect(world.scheduler.load.counters.refused == 1)
        // A trial's requests find room all the same, and take it from nobody else.
        for _ in 0..<8 { _ = try world.submit { $0.isExemptFromQueueLimit = true } }
        #expect(world.scheduler.load.waiting == 9)
        #expect(throws: GenerationRefusal.self) { try world.submit() }
    }

    @Test func requestsThatMakeNoSense_areRefused() {
        var world = World()
        for prompt in [[], Array(repeating: 5, count: 101), [1000], [-1]] as [[TokenID]] {
            let refusal = #expect(throws: GenerationRefusal.self) { try world.submit(prompt) }
            #expect(refusal?.error.code == .invalidArgument)
        }
        #expect(throws: GenerationRefusal.self) { try world.submit(most: 0) }
    }

    @Test func refusedByTheEngine_failsAlone() throws {
        var world = World()
        let (bad, good) = (try world.submit(), try world.submit())
        _ = world.turn()
        world.scheduler.refuse(bad, "no", now: .zero)
        world.step(GenAIResult(id: good, tokens: [9], end: .full))
        #expect(world.turn() == [])
        #expect(world.ends[bad] == ["INVALID_ARGUMENT"])
        #expect(world.ends[good] == ["RESOURCE_EXHAUSTED"])
    }

    @Test func failedByTheEngine_failsAloneAndIsNotCancelled() throws {
        var world = World()
        let (bad, good) = (try world.submit(), try world.submit())
        _ = world.turn()
        world.scheduler.fail(bad, "no number", now: .zero)
        world.step(GenAIResult(id: good, tokens: [9], end: .length))
        #expect(world.turn() == [])
        #expect(world.ends[bad] == ["INTERNAL"])
        #expect(world.ends[good] == ["length"])
    }

    @Test(arguments: [-1, 1000, TokenID.max])
    func tokenThatTheModelHasNot_failsItsRequestAlone(_ token: TokenID) throws {
        var world = World()
        let (bad, good) = (try world.submit(), try world.submit())
        _ = world.turn()
        world.step(
            GenAIResult(id: bad, tokens: [9, token, 10]), GenAIResult(id: good, tokens: [999]))
        #expect(world.turn() == [-1])
        #expect(world.tokens == [bad: [9], good: [999]])
        #expect(world.ends == [bad: ["INTERNAL"]])
    }

    @Test func memoryThatIsTaken_keepsOthersWaiting() throws {
        var world = World { $0.cells = 120 }
        let prompt = Array(repeating: TokenID(5), count: 90)
        let first = try world.submit(prompt)
        _ = try world.submit(prompt)
        #expect(world.turn() == [1])
        world.step(GenAIResult(id: first, tokens: [9], end: .length))
        #expect(world.turn() == [2])
    }
}
