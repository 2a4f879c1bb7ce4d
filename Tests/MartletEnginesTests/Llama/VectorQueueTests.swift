import MartletCore
import MartletTestKit
import Testing

@testable import MartletEngines

@Suite("Whose texts become vectors next")
struct VectorQueueTests {
    /// Texts of one token each, which say whose they are.
    private func texts(_ owner: Int, _ count: Int) -> [[TokenID]] {
        Array(repeating: [TokenID(owner)], count: count)
    }

    private func vectors(_ group: VectorQueue.Group) -> [[Float]] {
        group.prompts.map { [Float($0.count), Float($0.first ?? -1)] }
    }

    /// The group that it is this request's turn to compute.
    private func group(
        of queue: inout VectorQueue, ledBy id: VectorQueue.RequestID
    ) throws -> VectorQueue.Group {
        let group = queue.group(ledBy: id)
        return try #require(group)
    }

    /// Computes the group of whoever's turn it is; its prompts.
    private func step(_ queue: inout VectorQueue) throws -> [[TokenID]] {
        let leader = try #require(queue.leader)
        let group = try group(of: &queue, ledBy: leader)
        #expect(queue.group(ledBy: leader) == nil)
        _ = queue.finish(.success(vectors(group)))
        return group.prompts
    }

    private func isOver(_ queue: inout VectorQueue, _ id: VectorQueue.RequestID) -> Bool {
        queue.takeOutcome(of: id) != nil
    }

    @Test func requestOfManyTexts_keepsThoseOfAFewWaitingForOneGroup() throws {
        var queue = VectorQueue(bounds: .init(sequences: 4, tokens: 100))
        let many = queue.add(texts(1, 1000))
        #expect(try step(&queue) == texts(1, 4))
        let few = (2...3).map { queue.add(texts($0, 1)) }
        let some = queue.add(texts(4, 3))
        #expect(try step(&queue) == texts(1, 1) + texts(2, 1) + texts(3, 1) + texts(4, 1))
        for id in few { #expect(isOver(&queue, id) == true) }
        #expect(isOver(&queue, some) == false)
        #expect(try step(&queue) == texts(1, 1) + texts(4, 1) + texts(1, 1) + texts(4, 1))
        #expect(isOver(&queue, some) == true)
        #expect(try step(&queue) == texts(1, 4))
        #expect(isOver(&queue, many) == false)
    }

    @Test func requestsBeyondAGroup_comeInTheNext() throws {
        var queue = VectorQueue(bounds: .init(sequences: 2, tokens: 100))
        for owner in 1...5 { _ = queue.add(texts(owner, 2)) }
        #expect(try step(&queue).map { $0[0] } == [1, 2])
        #expect(try step(&queue).map { $0[0] } == [3, 4])
        #expect(try step(&queue).map { $0[0] } == [5, 1])
        #expect(try step(&queue).map { $0[0] } == [2, 3])
        #expect(try step(&queue).map { $0[0] } == [4, 5])
        #expect(queue.leader == nil && queue.load.waiting == 0 && queue.load.running == 0)
    }

    /// Shorter ones pass it by, but only until it is its turn.
    @Test func longText_isNotPassedByForEver() throws {
        var queue = VectorQueue(bounds: .init(sequences: 8, tokens: 10))
        _ = queue.add(texts(1, 100))
        let long = queue.add([Array(repeating: 2, count: 10)])
        #expect(try step(&queue) == texts(1, 8))
        #expect(try step(&queue) == [Array(repeating: 2, count: 10)])
        #expect(isOver(&queue, long) == true)
    }

    @Test func failureOfASharedGroup_givesEachRequestOneOfItsOwn() throws {
        var queue = VectorQueue(bounds: .init(sequences: 2, tokens: 100))
        let (first, second) = (queue.add(texts(1, 3)), queue.add(texts(2, 1)))
        let third = queue.add(texts(3, 1))
        _ = try group(of: &queue, ledBy: first)
        // Nobody is over by that.
        #expect(queue.finish(.failure(ServingError(.internal, "broken"))) == [first])
        #expect(isOver(&queue, first) == false && isOver(&queue, second) == false)
        #expect(queue.load.waiting == 5 && queue.load.waitingTokens == 5)
        let own = try group(of: &queue, ledBy: first)
        #expect(own.prompts == texts(1, 2))
        #expect(queue.finish(.failure(ServingError(.internal, "broken"))) == [first, second])
        guard case .failure? = queue.takeOutcome(of: first) else {
            Issue.record("It has not failed")
            return
        }
        #expect(try step(&queue) == texts(2, 1))
        #expect(try step(&queue) == texts(3, 1))
        #expect(isOver(&queue, second) == true && isOver(&queue, third) == true)
        #expect(queue.load.waiting == 0 && queue.load.waitingTokens == 0)
        #expect(queue.load.counters.promptTokens == 4)
    }

    @Test func requestThatGotThroughAlone_sharesGroupsAgain() throws {
        var queue = VectorQueue(bounds: .init(sequences: 2, tokens: 100))
        let (first, second) = (queue.add(texts(1, 4)), queue.add(texts(2, 4)))
        _ = try group(of: &queue, ledBy: first)
        _ = queue.finish(.failure(ServingError(.internal, "broken")))
        #expect(try step(&queue) == texts(1, 2))
        #expect(try step(&queue) == texts(2, 2))
        #expect(try step(&queue) == texts(1, 1) + texts(2, 1))
        _ = try group(of: &queue, ledBy: first)
        // One that leaves meanwhile is not put back.
        #expect(queue.remove(second) == nil)
        #expect(queue.finish(.failure(ServingError(.internal, "broken"))) == [first])
        #expect(try step(&queue) == texts(1, 1))
        #expect(isOver(&queue, first) == true)
        #expect(queue.load.waiting == 0 && queue.load.running == 0)
    }

    @Test func requestThatIsWantedNoMore_givesItsTurnAway() throws {
        var queue = VectorQueue(bounds: .init(sequences: 2, tokens: 100))
        let (first, second) = (queue.add(texts(1, 5)), queue.add(texts(2, 5)))
        let third = queue.add(texts(3, 1))
        #expect(queue.remove(first) == second)
        let group = try group(of: &queue, ledBy: second)
        // While it is computed nobody else may begin, whoever leaves.
        #expect(queue.remove(third) == nil)
        let late = queue.add(texts(4, 1))
        #expect(queue.group(ledBy: late) == nil)
        #expect(queue.remove(second) == nil)
        #expect(queue.finish(.success(vectors(group))) == [late])
        #expect(try step(&queue) == texts(4, 1))
        #expect(queue.load.waiting == 0 && queue.load.running == 0)
    }

    @Test func requestWithoutTexts_isOverAtOnce() {
        var queue = VectorQueue(bounds: .init(sequences: 2, tokens: 100))
        let id = queue.add([])
        guard case .vectors(let vectors)? = queue.takeOutcome(of: id) else {
            Issue.record("It waits")
            return
        }
        #expect(vectors.isEmpty && queue.leader == nil)
    }

    /// Whatever comes and goes: groups keep their bounds, each text is computed once, in order, and
    /// nobody whose turn has come is forgotten.
    @Test func randomRequests_getTheirVectorsInOrder() throws {
        for seed in SimulationSeeds.first(200) {
            var generator = SeededGenerator(seed: seed)
            let bounds = VectorQueue.Bounds(
                sequences: .random(in: 1...6, using: &generator),
                tokens: .random(in: 5...20, using: &generator))
            var queue = VectorQueue(bounds: bounds)
            var open: [VectorQueue.RequestID: [[TokenID]]] = [:]
            var computed = 0
            for _ in 0..<100 {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0:
                    let prompts = (0..<Int.random(in: 0...9, using: &generator)).map { _ in
                        Array(
                            repeating: TokenID.random(in: 0...99, using: &generator),
                            count: .random(in: 1...5, using: &generator))
                    }
                    open[queue.add(prompts)] = prompts
                case 1:
                    guard let gone = open.keys.sorted().randomElement(using: &generator) else {
                        continue
                    }
                    _ = queue.remove(gone)
                    open[gone] = nil
                default:
                    guard let leader = queue.leader else { continue }
                    let group = try group(of: &queue, ledBy: leader)
                    #expect(group.places.first?.request == leader)
                    #expect(group.prompts.count <= bounds.sequences)
                    #expect(group.prompts.reduce(0) { $0 + $1.count } <= bounds.tokens)
                    let isSound = Int.random(in: 0..<8, using: &generator) > 0
                    _ = queue.finish(
                        isSound
                            ? .success(vectors(group))
                            : .failure(ServingError(.internal, "broken")))
                    computed += 1
                }
                collect(&queue, &open, seed)
            }
            while queue.leader != nil { _ = try step(&queue) }
            collect(&queue, &open, seed)
            #expect(open.isEmpty, "\(SimulationSeeds.replay(seed))")
            #expect(queue.load.waiting == 0 && queue.load.waitingTokens == 0)
            #expect(queue.load.running == 0 && queue.load.counters.steps >= computed)
        }
    }

    private func collect(
        _ queue: inout VectorQueue, _ open: inout [VectorQueue.RequestID: [[TokenID]]],
        _ seed: UInt64
    ) {
        for (id, prompts) in open {
            switch queue.takeOutcome(of: id) {
            case .vectors(let vectors)?:
                #expect(
                    vectors == prompts.map { [Float($0.count), Float($0.first ?? -1)] },
                    "\(SimulationSeeds.replay(seed))")
            case .failure?: break
            case nil: continue
            }
            open[id] = nil
        }
    }
}
