import Testing

@testable import MartletEngines

@Suite("Generation scheduler: tenants, guesses")
struct GenerationFairnessTests {
    @Test
    func whenOneTenantFloodsTheQueue_anotherIsServedAsMuch() throws {
        var fixture = SchedulerFixture(slots: 4)
        var owners: [GenerationID: String] = [:]
        for index in 0..<200 as Range<TokenID> {
            let id = try fixture.submit(index * 20..<index * 20 + 10, new: 10) {
                $0.tenant = "flood"
            }
            owners[id] = "flood"
        }
        fixture.steps(20)
        for index in 200..<260 as Range<TokenID> {
            let id = try fixture.submit(index * 20..<index * 20 + 10, new: 10) {
                $0.tenant = "other"
            }
            owners[id] = "other"
        }
        let before = fixture.heard
        fixture.steps(100)
        var served: [String: Int] = [:]
        for (id, count) in fixture.heard {
            served[owners[id] ?? "", default: 0] += count - (before[id] ?? 0)
        }
        let difference = abs(served["flood", default: 0] - served["other", default: 0])
        #expect(served["other", default: 0] > 150)
        #expect(difference <= 60)
    }

    @Test
    func whoHadNothingToDo_getsNoCreditForIt() {
        var counters = TenantCounters()
        counters.didArrive("busy")
        counters.charge("busy", 500)
        counters.didArrive("idle")
        #expect(counters.counter(of: "idle") == 500)
        counters.didBegin("busy")
        counters.didBegin("idle")
        counters.charge("busy", 100)
        counters.didArrive("new")
        #expect(counters.counter(of: "new") == 500)
    }

    @Test
    func manyTenantsThatAreGone_areForgotten() {
        var counters = TenantCounters()
        for index in 0..<10_000 {
            counters.didArrive("t\(index)")
            counters.didBegin("t\(index)")
            counters.didEnd("t\(index)")
        }
        #expect(counters.count <= TenantCounters.idleMax + 1)
    }

    @Test
    func oldestGoesFirst_exceptThoseThatWerePutBack() {
        var queue = GenerationQueue()
        var counters = TenantCounters()
        let ids = (1...4).map { GenerationID(number: UInt64($0)) }
        for id in ids.dropFirst() {
            queue.append(id, tenant: "a", priority: .normal)
            counters.didArrive("a")
        }
        queue.prepend(ids[0], tenant: "a", priority: .normal)
        let late = GenerationID(number: 9)
        queue.append(late, tenant: "b", priority: .high)
        #expect(queue.next(counters) == late)
        queue.remove(late, tenant: "b", priority: .high)
        queue.remove(ids[1], tenant: "a", priority: .normal)
        var order: [GenerationID] = []
        while let id = queue.next(counters) {
            order.append(id)
            queue.remove(id, tenant: "a", priority: .normal)
        }
        #expect(order == [ids[0], ids[2], ids[3]])
        #expect(queue.count == 0)
    }

    // MARK: Guesses

    @Test
    func rightGuesses_giveSeveralTokensInAStep() throws {
        var fixture = SchedulerFixture { $0.draftTokensMax = 4 }
        let said = SchedulerFixture.said
        let id = try fixture.submit(100..<110, new: 20) { $0.prompt += [said, said, said, said] }
        fixture.step()
        let plan = fixture.step()
        #expect(plan.chunks.first?.drafts ?? 0 > 0)
        #expect(plan.chunks.first?.logits == (plan.chunks.first?.drafts ?? 0) + 1)
        fixture.steps(8)
        #expect(fixture.reason(id) == .length)
        #expect(fixture.heard[id] == 20)
        #expect(fixture.scheduler.counters.draftsAccepted > 8)
    }

    @Test
    func wrongGuesses_areCutOffAndBecomeFewer() throws {
        var fixture = SchedulerFixture { $0.draftTokensMax = 4 }
        let id = try fixture.submit(100..<110, new: 20) { $0.prompt += [5, 6, 8, 9, 5] }
        fixture.step(choosing: 6)
        let plan = fixture.begin()
        #expect(plan.tokens == [6, 8, 9, 5, 6])
        #expect(plan.chunks.first?.drafts == 4)
        fixture.finish(plan, choosing: 1)
        #expect(fixture.heard[id] == 2)
        #expect(fixture.scheduler.sequences[0]?.draftTokens == 1)
        #expect(fixture.begin().operations == [.cut(0, from: 16)])
    }

    @Test
    func whenARightGuessEndsTheText_theCellsAfterItAreCutOff() throws {
        var fixture = SchedulerFixture {
            $0.draftTokensMax = 4
            $0.endTokens = [2]
        }
        let id = try fixture.submit(100..<104, new: 20) { $0.prompt += [8, 5, 2, 9, 8, 5] }
        let plan = fixture.step(choosing: 2)
        #expect(plan.tokens.suffix(4) == [2, 9, 8, 5])
        #expect(fixture.reason(id) == .stop)
        #expect(fixture.heard[id] == nil)
        #expect(fixture.begin().operations.last == .cut(0, from: 10))
        #expect(fixture.scheduler.load.cellsUsed == 10)
    }

    @Test
    func whenManyDecode_nothingIsGuessed() throws {
        var fixture = SchedulerFixture {
            $0.draftTokensMax = 4
            $0.draftSequencesMax = 1
        }
        for index in 1..<3 as Range<TokenID> {
            _ = try fixture.submit(index * 100..<index * 100 + 10, new: 20)
        }
        fixture.steps(30)
        #expect(fixture.scheduler.counters.draftsProposed == 0)
    }
}
