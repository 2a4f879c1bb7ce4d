import Dispatch
import Foundation
import MartletCore
import Synchronization
import Testing

@testable import MartletEngines

@Suite("Vectors of several requests at once", .timeLimit(.minutes(5)))
struct VectorBatcherTests {
    /// Computes what a text begins with, and waits with the first group for a signal.
    private final class Model: Sendable {
        let gate = DispatchSemaphore(value: 0)
        let begun = DispatchSemaphore(value: 0)
        let groups = Mutex<[Int]>([])
        private let isBusy = Mutex(false)

        func compute(_ prompts: [[TokenID]]) throws -> [[Float]] {
            let wasBusy = isBusy.withLock { isBusy in
                defer { isBusy = true }
                return isBusy
            }
            #expect(!wasBusy, "Two groups at once")
            defer { isBusy.withLock { $0 = false } }
            let isFirst = groups.withLock { groups in
                groups.append(prompts.count)
                return groups.count == 1
            }
            if isFirst {
                begun.signal()
                gate.wait()
            }
            return prompts.map { [Float($0[0])] }
        }
    }

    private func ask(
        _ batcher: VectorBatcher, _ prompts: [[TokenID]],
        check: @escaping @Sendable () throws -> Void = {}
    ) -> AwaitedVectors {
        let vectors = AwaitedVectors()
        batcher.submit(prompts, checking: check) { vectors.take($0) }
        return vectors
    }

    private func batcher(_ model: Model) -> VectorBatcher {
        VectorBatcher(bounds: .init(sequences: 32, tokens: 1000)) { try model.compute($0) }
    }

    private func awaitWaiting(_ count: Int, in batcher: VectorBatcher) {
        for _ in 0..<60_000 where batcher.load.waiting != count {
            Thread.sleep(forTimeInterval: 0.001)
        }
        #expect(batcher.load.waiting == count)
    }

    @Test func whatComesWhileAGroupIsComputed_isTheNextGroup() throws {
        let model = Model()
        let batcher = batcher(model)
        let first = ask(batcher, [[1]])
        model.begun.wait()
        let others = (2...9).map { ask(batcher, [[TokenID($0)], [TokenID($0 * 10)]]) }
        awaitWaiting(16, in: batcher)
        model.gate.signal()
        #expect(try first.outcome() == [[1]])
        for (number, other) in zip(2...9, others) {
            #expect(try other.outcome() == [[Float(number)], [Float(number * 10)]])
        }
        #expect(model.groups.withLock { $0 } == [1, 16])
        #expect(batcher.load.counters.steps == 2)
        #expect(batcher.load.counters.promptTokens == 17)
        #expect(batcher.load.running == 0)
    }

    @Test func whoeverHangsUpWhileItWaits_endsThenAndIsNotComputed() throws {
        let model = Model()
        let batcher = batcher(model)
        let first = ask(batcher, [[1]])
        model.begun.wait()
        let isGone = Mutex(false)
        let gone = ask(batcher, [[2], [3]]) {
            if isGone.withLock({ $0 }) { throw ServingError(.cancelled, "gone") }
        }
        awaitWaiting(2, in: batcher)
        let other = ask(batcher, [[4]])
        awaitWaiting(3, in: batcher)
        isGone.withLock { $0 = true }
        // Though the group before it is still computed.
        let error = #expect(throws: ServingError.self) { try gone.outcome() }
        #expect(error?.code == .cancelled)
        #expect(batcher.load.waiting == 1)
        model.gate.signal()
        #expect(try first.outcome() == [[1]])
        #expect(try other.outcome() == [[4]])
        #expect(model.groups.withLock { $0 } == [1, 1])
    }

    @Test func manyAtOnce_getTheirOwn() throws {
        let model = Model()
        model.gate.signal()
        let batcher = batcher(model)
        let callers = (0..<40).map { caller in
            ask(batcher, (0..<caller).map { [TokenID(caller * 100 + $0)] })
        }
        for (number, caller) in callers.enumerated() {
            #expect(try caller.outcome() == (0..<number).map { [Float(number * 100 + $0)] })
        }
        #expect(batcher.load.counters.promptTokens == (0..<40).reduce(0, +))
        #expect(batcher.load.waiting == 0 && batcher.load.running == 0)
    }

    @Test func textThatBreaksAGroup_endsItsOwnRequestAlone() throws {
        let model = Model()
        let batcher = VectorBatcher(bounds: .init(sequences: 32, tokens: 1000)) { prompts in
            let vectors = try model.compute(prompts)
            if prompts.contains([13]) { throw ServingError(.internal, "broken") }
            return vectors
        }
        let first = ask(batcher, [[1]])
        model.begun.wait()
        let others = (2...4).map { ask(batcher, [[TokenID($0)], [TokenID($0 * 10)]]) }
        let bad = ask(batcher, [[5], [13]])
        awaitWaiting(8, in: batcher)
        model.gate.signal()
        #expect(try first.outcome() == [[1]])
        for (number, other) in zip(2...4, others) {
            #expect(try other.outcome() == [[Float(number)], [Float(number * 10)]])
        }
        let error = #expect(throws: ServingError.self) { try bad.outcome() }
        #expect(error?.message == "broken")
        // The one that all shared, and one of each.
        #expect(model.groups.withLock { $0 } == [1, 8, 2, 2, 2, 2])
        #expect(batcher.load.waiting == 0 && batcher.load.running == 0)
        // What is tried again counts once.
        #expect(batcher.load.counters.promptTokens == 9)
        #expect(batcher.load.counters.failedSteps == 2)
    }

    @Test func failure_isToldToThoseOfTheGroup() throws {
        let batcher = VectorBatcher(bounds: .init(sequences: 32, tokens: 1000)) { prompts in
            if prompts.contains([13]) { throw ServingError(.internal, "broken") }
            return prompts.map { [Float($0[0])] }
        }
        let broken = ask(batcher, [[1], [13]])
        let error = #expect(throws: ServingError.self) { try broken.outcome() }
        #expect(error?.message == "broken")
        #expect(try ask(batcher, [[1]]).outcome() == [[1]])
    }

    /// All of this is one thread's, which goes on while the first group is computed.
    @Test func noThreadWaits_howeverManyRequestsDo() throws {
        let model = Model()
        let batcher = VectorBatcher(
            bounds: .init(sequences: 32, tokens: 1000), requestsMax: 100
        ) { try model.compute($0) }
        let first = ask(batcher, [[1]])
        model.begun.wait()
        let others = (2...100).map { ask(batcher, [[TokenID($0)]]) }
        #expect(batcher.load.waiting == 99)
        let refused = ask(batcher, [[101]])
        let error = #expect(throws: ServingError.self) { try refused.outcome() }
        #expect(error?.code == .resourceExhausted)
        model.gate.signal()
        #expect(try first.outcome() == [[1]])
        for (number, other) in zip(2...100, others) {
            #expect(try other.outcome() == [[Float(number)]])
        }
        #expect(try ask(batcher, [[7]]).outcome() == [[7]])
    }

    @Test func requestWithoutTexts_hasNoVectors() throws {
        #expect(try ask(batcher(Model()), []).outcome().isEmpty)
    }
}
