import MartletCore
import Testing

@testable import MartletEngines

@Suite("Generation scheduler")
struct GenerationSchedulerTests {
    // MARK: Steps

    @Test
    func aRequest_isDecodedInChunksThenTokenByToken() throws {
        var fixture = SchedulerFixture(step: 8)
        let id = try fixture.submit(100..<120, new: 3)
        #expect(fixture.step().chunks.map(\.logits) == [0])
        #expect(fixture.step().chunks.map(\.start) == [8])
        let last = fixture.step()
        #expect(last.chunks.map(\.logits) == [1])
        #expect(last.tokens == [116, 117, 118, 119])
        let next = fixture.step()
        #expect(next.tokens == [SchedulerFixture.said])
        #expect(next.chunks.map(\.start) == [20])
        fixture.step()
        #expect(fixture.reason(id) == .length)
        #expect(fixture.heard[id] == 3)
        #expect(fixture.begin().chunks.isEmpty)
    }

    @Test
    func whenALongPromptComes_othersHaveATokenInEachStep() throws {
        var fixture = SchedulerFixture(step: 40) { $0.prefillShare = 0.25 }
        let first = try fixture.submit(100..<104, new: 100)
        let second = try fixture.submit(200..<204, new: 100)
        fixture.step()
        let long = try fixture.submit(300..<900)
        for _ in 0..<20 {
            let plan = fixture.step()
            #expect(plan.count(first) == 1)
            #expect(plan.count(second) == 1)
            #expect(plan.count(long) == 10)
        }
    }

    @Test
    func shortPrompts_areLetInWhole_besideOthersThatDecode() throws {
        var fixture = SchedulerFixture(step: 50) { $0.prefillShare = 0.2 }
        let first = try fixture.submit(100..<104, new: 100)
        fixture.step()
        let prompts = try [300, 400, 500].map { (start: TokenID) in
            try fixture.submit(start..<start + 20, new: 100)
        }
        let plan = fixture.step()
        #expect(plan.count(first) == 1)
        // The step has room for two; the third does not end in it, and has what is left.
        #expect(prompts.map(plan.count) == [20, 20, 9])
    }

    @Test
    func besideALongPrompt_shortOnesAreFirst_andItHasHalfOfItsShare() throws {
        var fixture = SchedulerFixture(cells: 4000, context: 2000, step: 100) {
            $0.prefillShare = 0.2
        }
        let first = try fixture.submit(1..<5, new: 100)
        fixture.step()
        let long = try fixture.submit(1000..<1400)
        #expect(fixture.step().count(long) == 20)
        let longer = try fixture.submit(2000..<2900)
        let short = try fixture.submit(100..<130)
        var plan = fixture.step()
        #expect([first, long, longer, short].map(plan.count) == [1, 10, 10, 30])
        plan = fixture.step()
        #expect([first, long, longer, short].map(plan.count) == [1, 20, 0, 1])
    }

    @Test
    func whenNothingElseDecodes_aPromptHasTheWholeStep() throws {
        var fixture = SchedulerFixture(step: 40)
        let id = try fixture.submit(100..<200)
        #expect(fixture.step().count(id) == 40)
    }

    /// How long each step takes in which others decode beside a prompt of 2,000 tokens, where a token
    /// takes 1 ms and 1/360 ms for each position before it.
    private func steps(
        ofAPromptFrom first: TokenID, beside others: [GenerationID],
        in fixture: inout SchedulerFixture
    ) throws -> [Duration] {
        let long = try fixture.submit(first..<first + 2000, new: 2)
        var times: [Duration] = []
        while fixture.heard[long] == nil {
            let plan = fixture.begin()
            #expect(others.map(plan.count) == [1, 1, 1, 1])
            let units = plan.chunks.reduce(0.0) {
                $0 + TokenCost(perPosition: 1.0 / 360).units($1.tokens.count, from: Int($1.start))
            }
            times.append(.milliseconds(5) + .microseconds(Int64(units * 1000)))
            fixture.now += times.last ?? .zero
            fixture.finish(plan)
            guard times.count < 2000 else { break }
        }
        return times
    }

    @Test
    func stepsOfALongPrompt_takeNoLonger_whereItsTokensCostMore() throws {
        var fixture = SchedulerFixture(cells: 8000, context: 4000, step: 512) {
            $0.prefillShare = 0.25
            $0.expectedCost = TokenCost(perPosition: 1.0 / 800)
        }
        let others = try (0..<4).map { other in
            try fixture.submit(other * 10..<other * 10 + 4, new: 3000)
        }
        fixture.step()
        _ = try steps(ofAPromptFrom: 10_000, beside: others, in: &fixture)
        // It has learned: 128 tokens' time for the prompt, and twice that where it ends.
        let times = try steps(ofAPromptFrom: 20_000, beside: others, in: &fixture)
        #expect(times.count > 40)
        #expect(times.dropLast().allSatisfy { $0 < .milliseconds(190) }, "\(times)")
        #expect(times.allSatisfy { $0 < .milliseconds(340) }, "\(times)")
    }

    @Test
    func requestsOfDifferentAdapters_takeTurns() throws {
        var fixture = SchedulerFixture()
        for adapter in [nil, "a", "b"] as [String?] {
            _ = try fixture.submit(100..<110, new: 50) { $0.adapter = adapter }
        }
        let turns = (0..<12).map { _ in fixture.step().adapter ?? "-" }
        #expect(turns == ["-", "a", "b", "-", "a", "b", "-", "a", "b", "-", "a", "b"])
    }

    @Test
    func whenOneAdapterFillsAllSlots_anotherIsFirstWhenOneIsFree() throws {
        var fixture = SchedulerFixture(slots: 2)
        for index in 0..<6 as Range<TokenID> {
            _ = try fixture.submit(index * 10..<index * 10 + 5, new: 4)
        }
        fixture.step()
        let other = try fixture.submit(100..<105) { $0.adapter = "a" }
        fixture.steps(5)
        #expect(fixture.heard[other, default: 0] > 0)
    }

    // MARK: Ends

    @Test
    func whenTheModelSaysAnEndToken_theTextEndsWithoutIt() throws {
        var fixture = SchedulerFixture { $0.endTokens = [2] }
        let id = try fixture.submit(100..<110)
        fixture.step()
        fixture.step(choosing: 2)
        #expect(fixture.reason(id) == .stop)
        #expect(fixture.heard[id] == 1)
    }

    @Test
    func whenTheRequestIgnoresEndTokens_theTextGoesOn() throws {
        var fixture = SchedulerFixture { $0.endTokens = [2] }
        let id = try fixture.submit(100..<110, new: 2) { $0.ignoresEndTokens = true }
        fixture.step(choosing: 2)
        fixture.step(choosing: 2)
        #expect(fixture.reason(id) == .length)
    }

    @Test
    func whenTheContextIsFull_theTextEnds() throws {
        var fixture = SchedulerFixture(context: 12)
        let id = try fixture.submit(100..<110, new: 50)
        fixture.steps(5)
        #expect(fixture.reason(id) == .length)
        #expect(fixture.heard[id] == 3)
    }

    @Test
    func whenCancelledDuringAStep_itsResultIsNotTold() throws {
        var fixture = SchedulerFixture()
        let id = try fixture.submit(100..<110)
        let plan = fixture.begin()
        let end = fixture.scheduler.cancel(id, now: fixture.now)
        guard case .finished(.cancelled, _) = end?.kind else {
            Issue.record("\(String(describing: end))")
            return
        }
        fixture.finish(plan)
        #expect(fixture.heard[id] == nil)
        #expect(fixture.scheduler.load.running == 0)
        #expect(fixture.begin().chunks.isEmpty)
    }

    @Test
    func whenCancelledWhileWaiting_itIsGone() throws {
        var fixture = SchedulerFixture(slots: 1)
        _ = try fixture.submit(100..<110)
        fixture.step()
        let id = try fixture.submit(200..<210)
        #expect(fixture.scheduler.cancel(id, reason: .stop, now: fixture.now) != nil)
        #expect(fixture.scheduler.cancel(id, now: fixture.now) == nil)
        #expect(fixture.scheduler.load.waiting == 0)
    }

    @Test
    func whenItsDeadlinePasses_itEndsInTheQueueAndInTheMiddle() throws {
        var fixture = SchedulerFixture(slots: 1)
        let runs = try fixture.submit(100..<110, new: 50, deadline: .milliseconds(35))
        let waits = try fixture.submit(200..<210, deadline: .milliseconds(15))
        fixture.steps(2)
        #expect(fixture.reason(waits) == nil)
        fixture.step()
        #expect(fixture.reason(waits) == .deadline)
        #expect(fixture.reason(runs) == nil)
        fixture.steps(2)
        #expect(fixture.reason(runs) == .deadline)
        #expect(fixture.heard[runs] == 4)
    }

    @Test
    func whenTheModelIsUnloaded_allEnd() throws {
        var fixture = SchedulerFixture(slots: 2)
        for index in 0..<5 as Range<TokenID> { _ = try fixture.submit(index * 10..<index * 10 + 5) }
        let plan = fixture.begin()
        #expect(fixture.scheduler.cancelAll(now: fixture.now).count == 5)
        fixture.finish(plan)
        #expect(fixture.scheduler.load.running == 0)
        #expect(fixture.begin().chunks.isEmpty)
    }

    // MARK: The door

    @Test
    func whenTheQueueIsFull_itIsToldWhenToComeBack() throws {
        var fixture = SchedulerFixture(slots: 1) { $0.waitingMax = 3 }
        for _ in 0..<40 {
            while (try? fixture.submit(100..<104, new: 100)) != nil {}
            fixture.steps(100)
        }
        _ = try fixture.submit(100..<104)
        let refusal = #expect(throws: GenerationRefusal.self) { try fixture.submit(100..<104) }
        #expect(refusal?.error.code == .resourceExhausted)
        // A request takes a second; three wait.
        #expect(refusal?.retryAfter == .seconds(3) || refusal?.retryAfter == .seconds(4))
        // A trial's requests find room all the same.
        _ = try fixture.submit(100..<104) { $0.isExemptFromQueueLimit = true }
    }

    @Test
    func whenThePromptIsLongerThanTheContext_bothNumbersAreTold() throws {
        var fixture = SchedulerFixture(context: 20)
        let refusal = #expect(throws: GenerationRefusal.self) { try fixture.submit(0..<21) }
        #expect(refusal?.error.code == .invalidArgument)
        #expect(
            refusal?.error.message == "The prompt has 21 tokens; the model's context holds 20")
        _ = try fixture.submit(0..<20)
    }

    @Test
    func whatNoEngineCouldBear_isRefused() {
        var fixture = SchedulerFixture { $0.vocabularySize = 50 }
        #expect(throws: GenerationRefusal.self) { try fixture.submit(0..<0) }
        #expect(throws: GenerationRefusal.self) { try fixture.submit(40..<51) }
        #expect(throws: GenerationRefusal.self) { try fixture.submit(-1..<4) }
        #expect(throws: GenerationRefusal.self) { try fixture.submit(0..<4, new: 0) }
        #expect(throws: GenerationRefusal.self) { try fixture.submit(0..<4, deadline: .zero) }
        #expect(fixture.begin().chunks.isEmpty)
    }

    @Test
    func settingsThatContradictEachOther_areMadeConsistent() {
        var settings = SchedulerSettings(
            cells: -5, slots: 1000, contextTokensMax: 99, stepTokensMax: 0, runningMax: 500)
        settings.prefillShare = .nan
        settings = settings.consistent
        #expect(settings.cells == 1)
        #expect(settings.slots == 256)
        #expect(settings.contextTokensMax == 1)
        #expect(settings.runningMax == 1)
        #expect(settings.prefillTokens(whileOthersDecode: true) == 1)
    }
}
