import MartletCore
import Testing

@testable import MartletEngines

@Suite("What prompts may take of a step")
struct PromptBudgetTests {
    /// A step of 512 tokens in which one sequence decodes, where positions cost much.
    private func budget(share: Double) -> (PromptBudget, StepDraft) {
        var settings = SchedulerSettings(
            cells: 40_000, slots: 8, contextTokensMax: 20_000, stepTokensMax: 512, runningMax: 8)
        settings.prefillShare = share
        var draft = StepDraft()
        draft.append(
            PlannedChunk(id: GenerationID(number: 1), slot: 0, count: 1, isLast: true))
        let cost = TokenCost(perPosition: 1.0 / 100)
        return (PromptBudget(settings, cost: cost, beside: draft), draft)
    }

    /// From 3,000 on a few tokens cost more than the share; others are given them all the same.
    @Test(arguments: [0, 0.25], [0, 3000, 19_000])
    func oldestPrompt_hasSomeOfEachStep_whateverOthersTakeBefore(share: Double, start: Int) {
        var (budget, draft) = budget(share: share)
        let oldest = PromptRest(due: 900, start: start, hasBegun: true)
        budget.keep(for: oldest, beside: draft)
        for other in 2..<5 as Range<UInt64> {
            let rest = PromptRest(due: 800, start: start, hasBegun: true)
            let tokens = budget.allowance(for: rest, beside: draft)
            budget.take(tokens, of: rest)
            guard tokens > 0 else { continue }
            draft.append(
                PlannedChunk(
                    id: GenerationID(number: other), slot: SlotID(other), count: tokens,
                    isLast: false))
        }
        budget.giveKept()
        let tokens = budget.allowance(for: oldest, beside: draft)
        #expect(tokens >= (share == 0 ? 1 : 16))
        budget.take(tokens, of: oldest)
        // What it was owed is nobody else's.
        #expect(budget.allowance(for: oldest, beside: draft) == 0)
    }

    @Test
    func longPrompt_goesOnInEachStep_besideAShorterOneThatCameLater() throws {
        var fixture = SchedulerFixture(cells: 40_000, context: 20_000, step: 512) {
            $0.prefillShare = 0.25
            $0.expectedCost = TokenCost(perPosition: 1.0 / 100)
        }
        _ = try fixture.submit(1..<5, new: 5000)
        fixture.step()
        let long = try fixture.submit(10_000..<16_000)
        fixture.steps(20)
        let later = try fixture.submit(20_000..<22_500)
        var steps = 0
        while fixture.heard[later] == nil, steps < 2000 {
            let plan = fixture.step()
            #expect(plan.count(long) > 0)
            steps += 1
        }
        #expect(fixture.heard[later] != nil)
        #expect(fixture.heard[long] == nil)
    }
}
