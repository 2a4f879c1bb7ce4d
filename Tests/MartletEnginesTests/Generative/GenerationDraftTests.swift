import MartletCore
import Testing

@testable import MartletEngines

/// What a scheduler does with the guesses of a draft model.
@Suite("Guesses of a draft model")
struct GenerationDraftTests {
    private static let said = SchedulerFixture.said

    private func fixture(
        _ change: (inout SchedulerSettings) -> Void = { _ in }
    ) -> SchedulerFixture {
        SchedulerFixture {
            $0.draftModelTokensMax = 4
            change(&$0)
        }
    }

    /// Fulfils each wish with the same token.
    private func guess(
        _ token: TokenID = said, in fixture: inout SchedulerFixture, count: Int = 4
    ) {
        let proposals = fixture.scheduler.draftWishes().map { wish in
            DraftProposal(
                id: wish.id, length: wish.tokens.count,
                tokens: Array(repeating: token, count: min(count, wish.limit)))
        }
        fixture.scheduler.take(DraftRound(proposals: proposals))
    }

    @Test func sequenceThatDecodes_isWishedFor() throws {
        var fixture = fixture()
        #expect(fixture.scheduler.draftWishes().isEmpty)
        let id = try fixture.submit(100..<110, new: 4)
        #expect(fixture.scheduler.draftWishes().isEmpty)
        fixture.step()
        let wish = try #require(fixture.scheduler.draftWishes().first)
        #expect(wish.id == id)
        #expect(wish.tokens == Array(100..<110) + [Self.said])
        // The last of its three tokens comes without a guess.
        #expect(wish.limit == 2)
        let plan = fixture.begin()
        #expect(fixture.scheduler.draftWishes().isEmpty)
        fixture.finish(plan)
    }

    @Test func rightGuesses_giveSeveralTokensInAStep() throws {
        var fixture = fixture()
        let id = try fixture.submit(100..<110, new: 20)
        fixture.step()
        guess(in: &fixture)
        let plan = fixture.step()
        #expect(plan.tokens == [Self.said, Self.said, Self.said, Self.said, Self.said])
        #expect(plan.chunks.first?.drafts == 4)
        #expect(plan.chunks.first?.logits == 5)
        #expect(fixture.heard[id] == 6)
        #expect(fixture.scheduler.counters.modelDraftsProposed == 4)
        #expect(fixture.scheduler.counters.modelDraftsAccepted == 4)
        #expect(fixture.scheduler.counters.draftsProposed == 0)
    }

    @Test func wrongGuesses_areCutOffAndBecomeFewer() throws {
        var fixture = fixture()
        let id = try fixture.submit(100..<110, new: 20)
        fixture.step()
        guess(9, in: &fixture)
        fixture.step()
        #expect(fixture.heard[id] == 2)
        #expect(fixture.scheduler.counters.modelDraftsAccepted == 0)
        #expect(fixture.scheduler.draftWishes().first?.limit == 1)
        #expect(fixture.begin().operations == [.cut(0, from: 11)])
    }

    @Test func guessesThatComeTooLate_areForgotten() throws {
        var fixture = fixture()
        let id = try fixture.submit(100..<110, new: 20)
        fixture.step()
        let wish = try #require(fixture.scheduler.draftWishes().first)
        fixture.step()
        let proposal = DraftProposal(id: id, length: wish.tokens.count, tokens: [Self.said])
        fixture.scheduler.take(DraftRound(proposals: [proposal]))
        #expect(fixture.step().chunks.first?.drafts == 0)
        guess(in: &fixture)
        _ = fixture.scheduler.cancel(id, now: fixture.now)
        guess(in: &fixture)
        #expect(fixture.begin().chunks.isEmpty)
    }

    @Test func whatWasSaidBefore_isGuessedWithoutTheDraftModel() throws {
        var fixture = fixture { $0.draftTokensMax = 4 }
        _ = try fixture.submit(100..<110, new: 20) { $0.prompt += [5, Self.said, 8, 9, 5] }
        fixture.step()
        #expect(fixture.scheduler.draftWishes().isEmpty)
        #expect(fixture.step().chunks.first?.drafts == 4)
        #expect(fixture.scheduler.counters.draftsProposed == 4)
        #expect(fixture.scheduler.counters.modelDraftsProposed == 0)
    }

    @Test func whenManyDecode_nothingIsWished() throws {
        var fixture = fixture { $0.draftSequencesMax = 1 }
        for index in 1..<3 as Range<TokenID> {
            _ = try fixture.submit(index * 100..<index * 100 + 10, new: 20)
        }
        fixture.steps(4)
        #expect(fixture.scheduler.load.running == 2)
        #expect(fixture.scheduler.draftWishes().isEmpty)
    }

    @Test func whenGuessesMakeNothingFaster_noneAreWishedForAWhile() throws {
        var fixture = fixture()
        _ = try fixture.submit(100..<110, new: 600)
        fixture.step()
        let gate = DraftGate()
        // All are wrong, and take time.
        for _ in 0..<gate.trialSteps {
            #expect(!fixture.scheduler.draftWishes().isEmpty)
            guess(9, in: &fixture)
            fixture.now += .milliseconds(5)
            fixture.step()
        }
        for _ in 0..<gate.trialSteps + 20 {
            #expect(fixture.scheduler.draftWishes().isEmpty)
            fixture.step()
        }
    }

    @Test func whenGuessesMakeItFaster_theyGoOn() throws {
        var fixture = fixture()
        _ = try fixture.submit(100..<110, new: 600)
        fixture.step()
        let gate = DraftGate()
        for _ in 0..<gate.trialSteps * 2 {
            guess(in: &fixture)
            fixture.step()
        }
        #expect(fixture.scheduler.draftGate.usesDrafts)
        #expect(!fixture.scheduler.draftWishes().isEmpty)
    }

    @Test func timeToCatchUp_isNotCounted() throws {
        var fixture = fixture()
        _ = try fixture.submit(100..<110, new: 600)
        fixture.step()
        fixture.scheduler.take(DraftRound(isCatchingUp: true))
        fixture.now += .seconds(10)
        let before = fixture.scheduler.draftGate
        fixture.step()
        #expect(fixture.scheduler.draftGate == before)
        fixture.step()
        #expect(fixture.scheduler.draftGate != before)
    }
}
