import MartletCore
import Testing

@testable import MartletEngines

@Suite("Generation scheduler: cells and slots")
struct GenerationMemoryTests {
    // MARK: Losses

    @Test
    func whenAnOperationFails_allIsComputedAgain_andNothingIsShared() throws {
        var fixture = SchedulerFixture()
        _ = try fixture.submit(100..<150, new: 1)
        let bystander = try fixture.submit(300..<340, new: 5)
        fixture.steps(2)
        let sharing = try fixture.submit(100..<150, new: 1)
        let plan = fixture.begin()
        #expect(plan.operations == [.share(from: 0, to: 2, positions: 0..<49)])
        fixture.fail(.memoryLost(ServingError(.internal, "no room")))
        #expect(fixture.scheduler.load.cellsUsed == 0)
        let again = fixture.begin()
        #expect(again.operations.isEmpty)
        #expect(again.count(sharing) > 1)
        #expect(again.chunks.allSatisfy { $0.start == 0 })
        fixture.finish(again)
        fixture.steps(6)
        #expect(fixture.reason(sharing) == .length)
        #expect(fixture.reason(bystander) == .length)
        #expect(fixture.heard[bystander] == 5)
    }

    @Test
    func whenOperationsWithoutAStepFail_whatIsCachedIsForgotten() throws {
        var fixture = SchedulerFixture()
        _ = try fixture.submit(100..<150, new: 1)
        fixture.step()
        #expect(fixture.begin().chunks.isEmpty)
        fixture.fail(.memoryLost(ServingError(.internal, "no room")))
        let again = try fixture.submit(100..<150, new: 1)
        fixture.step()
        #expect(fixture.cachedTokens(again) == 0)
    }

    @Test
    func whenOperationsFailAgainAndAgain_whatRunsEnds() throws {
        var fixture = SchedulerFixture { $0.abortsMax = 2 }
        let id = try fixture.submit(100..<150)
        for _ in 0..<3 {
            #expect(fixture.error(id) == nil)
            _ = fixture.begin()
            fixture.fail(.memoryLost(ServingError(.internal, "no room")))
        }
        #expect(fixture.error(id)?.message == "no room")
        #expect(fixture.scheduler.load.slotsUsed == 0)
    }

    // MARK: Prefixes

    @Test
    func aPromptThatWasDecoded_isSharedButItsLastToken() throws {
        var fixture = SchedulerFixture()
        _ = try fixture.submit(100..<150, new: 1)
        fixture.step()
        let again = try fixture.submit(100..<150, new: 1)
        let plan = fixture.step()
        #expect(fixture.cachedTokens(again) == 49)
        #expect(plan.operations == [.share(from: 0, to: 1, positions: 0..<49)])
        #expect(plan.tokens == [149])
        #expect(plan.chunks.map(\.start) == [49])
    }

    @Test
    func theNextTurnOfAConversation_continuesInItsSlot() throws {
        var fixture = SchedulerFixture()
        _ = try fixture.submit(100..<150, new: 4)
        fixture.steps(4)
        let said = Array(repeating: SchedulerFixture.said, count: 3)
        let next = try fixture.submit(100..<150, new: 1) { $0.prompt += said + [30, 31, 32] }
        let plan = fixture.step()
        #expect(fixture.cachedTokens(next) == 53)
        #expect(plan.operations.isEmpty)
        #expect(plan.chunks.map(\.slot) == [0])
        #expect(plan.tokens == [30, 31, 32])
    }

    @Test
    func whileAnotherDecodesTheSamePrompt_aRequestWaitsForIt() throws {
        var fixture = SchedulerFixture(step: 60)
        _ = try fixture.submit(100..<200, new: 50)
        let second = try fixture.submit(100..<200, new: 50)
        let other = try fixture.submit(300..<320, new: 50)
        fixture.steps(2)
        #expect(fixture.cachedTokens(second) == nil)
        #expect(fixture.cachedTokens(other) == 0)
        fixture.step()
        #expect(fixture.cachedTokens(second) == 99)
        #expect(fixture.scheduler.counters.decodedTokens < 150)
    }

    @Test
    func ofOtherTenantsAdaptersOrScopes_nothingIsShared() throws {
        var fixture = SchedulerFixture()
        _ = try fixture.submit(100..<150, new: 1) { $0.tenant = "a" }
        fixture.step()
        let others: [(inout GenerationRequest) -> Void] = [
            { $0.tenant = "b" },
            {
                $0.adapter = "x"; $0.tenant = "a"
            },
            {
                $0.tenant = "b"; $0.cacheScope = "a"
            },
            {
                $0.tenant = "a"; $0.cacheScope = ""
            },
            {
                $0.tenant = "a"; $0.usesPrefixCache = false
            },
        ]
        for change in others {
            let id = try fixture.submit(100..<150, new: 1, change)
            fixture.step()
            #expect(fixture.cachedTokens(id) == 0)
        }
        let same = try fixture.submit(100..<150, new: 1) { $0.tenant = "a" }
        fixture.step()
        #expect(fixture.cachedTokens(same) == 49)
    }

    @Test
    func whenTwoDecodedTheSame_oneLetsGoOfItsCells() throws {
        var fixture = SchedulerFixture { $0.deferralTokensMin = 1000 }
        _ = try fixture.submit(100..<120, new: 50)
        _ = try fixture.submit(100..<120, new: 50)
        fixture.step()
        #expect(fixture.scheduler.load.cellsUsed == 20)
        let operations = fixture.step().operations
        #expect(
            operations == [
                .remove(1, positions: 0..<20), .share(from: 0, to: 1, positions: 0..<20),
            ])
    }

    @Test
    func withoutSharing_anEndedSequenceIsForgotten() throws {
        var fixture = SchedulerFixture { $0.sharing = .none }
        _ = try fixture.submit(100..<150, new: 1)
        fixture.step()
        let again = try fixture.submit(100..<150, new: 1)
        #expect(fixture.step().operations == [.clear(0)])
        #expect(fixture.cachedTokens(again) == 0)
        #expect(fixture.scheduler.load.cellsUsed == 0)
    }

    // MARK: Shortage

    @Test
    func whenCellsAreShort_theLeastRecentlyUsedGoesFirst() throws {
        var fixture = SchedulerFixture(cells: 100, context: 100)
        for first in [100, 200, 300] as [TokenID] {
            _ = try fixture.submit(first..<first + 30, new: 1)
            fixture.step()
        }
        _ = try fixture.submit(100..<131, new: 1)
        fixture.step()
        _ = try fixture.submit(400..<430, new: 1)
        fixture.step()
        let kept = try fixture.submit(100..<131, new: 1)
        let gone = try fixture.submit(200..<230, new: 1)
        fixture.step()
        #expect(fixture.cachedTokens(kept) == 30)
        #expect(fixture.cachedTokens(gone) == 0)
    }

    @Test
    func sequenceOfWhichOnlyTheBeginningIsOfUse_isNotKeptForIt() throws {
        var fixture = SchedulerFixture(cells: 100, context: 100)
        _ = try fixture.submit(100..<110, new: 1) { $0.prompt += Array(200..<230) }
        fixture.step()
        _ = try fixture.submit(500..<530, new: 1)
        fixture.step()
        let sharing = try fixture.submit(100..<110, new: 1) { $0.prompt += Array(300..<310) }
        fixture.step()
        #expect(fixture.cachedTokens(sharing) == 10)
        // There is room for 20 more, so that one has to go.
        _ = try fixture.submit(600..<630, new: 1)
        fixture.step()
        let kept = try fixture.submit(500..<531, new: 1)
        let gone = try fixture.submit(100..<110, new: 1) { $0.prompt += Array(200..<231) }
        fixture.steps(2)
        #expect(fixture.cachedTokens(kept) == 30)
        #expect(fixture.cachedTokens(gone) == 10)
    }

    @Test
    func sequenceThatIsAskedForAgain_isKept() throws {
        var fixture = SchedulerFixture(cells: 100, context: 100)
        for first in [100, 200, 100] as [TokenID] {
            _ = try fixture.submit(first..<first + 30, new: 1)
            fixture.step()
        }
        _ = try fixture.submit(300..<350, new: 1)
        fixture.step()
        let kept = try fixture.submit(100..<130, new: 1)
        let gone = try fixture.submit(200..<230, new: 1)
        fixture.steps(2)
        #expect(fixture.cachedTokens(kept) == 29)
        #expect(fixture.cachedTokens(gone) == 0)
    }

    @Test
    func whenSlotsAreShort_aCachedOneIsCutToWhatIsCommon() throws {
        var fixture = SchedulerFixture(slots: 1)
        _ = try fixture.submit(100..<150, new: 1)
        fixture.step()
        let next = try fixture.submit(100..<120, new: 1) { $0.prompt += [1, 2] }
        let plan = fixture.step()
        #expect(fixture.cachedTokens(next) == 20)
        #expect(plan.operations == [.cut(0, from: 20)])
        #expect(plan.tokens == [1, 2])
    }

    @Test
    func whenCellsRunOut_theLowestPriorityThenTheLatestGivesWay() throws {
        var fixture = SchedulerFixture(cells: 46, context: 40)
        let low = try fixture.submit(100..<110, new: 20) { $0.priority = .low }
        let old = try fixture.submit(200..<210, new: 20)
        let late = try fixture.submit(300..<310, new: 20)
        fixture.steps(8)
        #expect(fixture.scheduler.counters.preemptions == 1)
        #expect(fixture.scheduler.sequences.contains { $0?.id == old })
        #expect(fixture.scheduler.waiting.keys.contains(low))
        fixture.steps(8)
        #expect(fixture.scheduler.waiting.keys.contains(late))
        fixture.steps(60)
        for id in [low, old, late] {
            #expect(fixture.reason(id) == .length)
            #expect(fixture.heard[id] == 20)
        }
    }

    @Test
    func whenAHigherPriorityFindsNoRoom_aLowerOneGivesWay() throws {
        var fixture = SchedulerFixture(slots: 2)
        let low = try fixture.submit(100..<110, new: 30) { $0.priority = .low }
        let normal = try fixture.submit(200..<210, new: 30)
        fixture.step()
        let high = try fixture.submit(300..<310, new: 30) { $0.priority = .high }
        let plan = fixture.step()
        #expect(plan.count(high) == 10)
        #expect(plan.count(normal) == 1)
        #expect(plan.count(low) == 0)
        let peer = try fixture.submit(400..<410, new: 30)
        fixture.steps(20)
        #expect(fixture.heard[peer] == nil)
        fixture.steps(100)
        for id in [low, normal, high, peer] { #expect(fixture.heard[id] == 30) }
    }

    @Test
    func whatWouldNotFitBesideThoseThatRun_waits() throws {
        var fixture = SchedulerFixture(cells: 100, context: 100) { $0.reserveCells = 8 }
        _ = try fixture.submit(100..<150, new: 5)
        let large = try fixture.submit(200..<245, new: 5)
        let small = try fixture.submit(300..<310, new: 5)
        fixture.steps(4)
        #expect(fixture.cachedTokens(large) == nil)
        #expect(fixture.cachedTokens(small) == nil)
        fixture.steps(4)
        #expect(fixture.cachedTokens(large) == 0)
        #expect(fixture.scheduler.counters.preemptions == 0)
    }

    // MARK: Failures

    @Test
    func whenOneOfSeveralMakesTheStepFail_itAloneEnds() throws {
        var fixture = SchedulerFixture()
        let ids = try (0..<5 as Range<TokenID>).map {
            try fixture.submit($0 * 10..<$0 * 10 + 5, new: 6)
        }
        let poisoned = ids[2]
        for _ in 0..<30 {
            let plan = fixture.begin()
            guard !plan.chunks.isEmpty else { break }
            if plan.count(poisoned) > 0 {
                fixture.fail(.failed(ServingError(.internal, "poison")))
            } else {
                fixture.finish(plan)
            }
        }
        #expect(fixture.error(poisoned)?.message == "poison")
        for id in ids where id != poisoned { #expect(fixture.heard[id] == 6) }
    }

    @Test
    func whenAStepIsAborted_itsSlotsAreCutBackAndItIsTriedAgain() throws {
        var fixture = SchedulerFixture()
        let id = try fixture.submit(100..<110, new: 2)
        fixture.step()
        let plan = fixture.begin()
        fixture.fail(.aborted)
        let again = fixture.step()
        #expect(again.operations == [.cut(0, from: 10)])
        #expect(again.chunks == plan.chunks)
        #expect(fixture.reason(id) == .length)
        #expect(fixture.heard[id] == 2)
    }

    @Test
    func whenStepsAreAbortedForEver_theRequestEnds() throws {
        var fixture = SchedulerFixture { $0.abortsMax = 3 }
        let id = try fixture.submit(100..<110)
        for _ in 0..<4 {
            #expect(!fixture.begin().chunks.isEmpty)
            fixture.fail(.aborted)
        }
        #expect(fixture.error(id)?.code == .aborted)
    }

    @Test
    func whenTheEngineHasFewerCellsThanItSaid_theyRunOneAfterTheOther() throws {
        var fixture = SchedulerFixture(cells: 1000)
        let ids = try (0..<3 as Range<TokenID>).map {
            try fixture.submit($0 * 100..<$0 * 100 + 20, new: 5)
        }
        for _ in 0..<60 {
            let plan = fixture.begin()
            guard !plan.chunks.isEmpty else { break }
            if fixture.scheduler.load.cellsUsed > 30 {
                fixture.fail(.outOfCells)
            } else {
                fixture.finish(plan)
            }
        }
        for id in ids { #expect(fixture.heard[id] == 5) }
    }

    @Test
    func whenNotEvenOneFits_itEndsWithAnError() throws {
        var fixture = SchedulerFixture()
        let id = try fixture.submit(100..<150)
        _ = fixture.begin()
        fixture.fail(.outOfCells)
        #expect(fixture.error(id)?.code == .resourceExhausted)
    }
}
