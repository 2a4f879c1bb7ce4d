import MartletCore
import Testing

@testable import MartletEngines

struct PairedLanguageModelTests {
    private let alone = HoldingModel(context: 64)
    private let many = HoldingModel(context: 32)
    private let pair: PairedLanguageModel
    private let request = GenerationRequest(prompt: [1])

    init() {
        pair = PairedLanguageModel(alone: alone, many: many, names: ("one", "other"))
    }

    private func submit() throws -> GenerationID { try pair.submit(request) { _ in } }

    /// Requests that each has.
    private var open: [Int] { [alone.open, many.open] }

    @Test func requests_goToTheOtherEngineWhileTheModelIsBusy() throws {
        let first = try submit()
        #expect(open == [1, 0])
        let second = try submit()
        pair.cancel(first)
        #expect(open == [0, 1])
        // It is busy still.
        let third = try submit()
        #expect(open == [0, 2])
        #expect(Set([first, second, third]).count == 3)
        pair.cancel(second)
        pair.cancel(third)
        #expect(open == [0, 0])
        // One that has ended is nobody's.
        pair.cancel(third)
        _ = try submit()
        #expect(open == [1, 0])
        #expect(pair.load.running == 1)
        #expect(pair.load.counters.submitted == 4)
    }

    @Test func whatTheOtherDoesNotKnow_goesToTheFirst() throws {
        _ = try submit()
        many.refuse(ServingError(.invalidArgument, "no grammars"))
        let second = try submit()
        #expect(open == [2, 0])
        pair.cancel(second)
        #expect(open == [1, 0])
        many.refuse(ServingError(.resourceExhausted, "full"))
        let refusal = #expect(throws: GenerationRefusal.self) { try submit() }
        #expect(refusal?.error.code == .resourceExhausted)
        many.refuse(nil)
        _ = try submit()
        #expect(open == [1, 1])
    }

    @Test func refusedRequests_areNotCounted() throws {
        alone.refuse(ServingError(.invalidArgument, "no"))
        #expect(throws: GenerationRefusal.self) { try submit() }
        alone.refuse(nil)
        _ = try submit()
        #expect(open == [1, 0])
    }

    @Test func parts_areBothEngines() throws {
        #expect(pair.parts.map(\.engine) == ["one", "other"])
        for part in pair.parts { _ = try part.model.submit(request) { _ in } }
        #expect(open == [1, 1])
    }

    @Test func description_isWhatBothCanDo() {
        #expect(pair.description.contextTokensMax == 32)
        #expect((pair as any Servable).memoryBytes == 200)
        pair.unload()
        #expect([alone.unloads, many.unloads] == [1, 1])
    }

    /// What is full for those who come next is not half full since the other engine rests.
    @Test func memory_isThatOfTheFullerEngine() throws {
        #expect(pair.load.cellsTotal == 40 && pair.load.cellShareNeeded == 0)
        let first = try submit()
        #expect(pair.load.cellShareNeeded == 0.25)
        for _ in 0..<4 { _ = try submit() }
        pair.cancel(first)
        #expect(open == [0, 4])
        #expect(pair.load.cellShareNeeded == 1 && pair.load.cellsUsed == 40)
    }

    @Test func everyCounter_isSummed() {
        let counters = Mirror(reflecting: GenerationCounters()).children.count
        #expect(Set(GenerationCounters.sums).count == counters)
    }
}
