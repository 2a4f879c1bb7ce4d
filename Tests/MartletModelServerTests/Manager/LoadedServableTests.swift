import Dispatch
import MartletCore
import MartletEngines
import Synchronization
import Testing

@testable import MartletModelServer

@Suite("Servables in use")
struct LoadedServableTests {
    /// Counts calls, from any thread.
    private final class Count: Sendable {
        private let number = Atomic<Int>(0)

        var value: Int { number.load(ordering: .sequentiallyConsistent) }

        func increment() { number.wrappingAdd(1, ordering: .sequentiallyConsistent) }
    }

    private func makeServable() -> LoadedServable {
        LoadedServable(
            servable: FakeServable(id: ServableID(model: "m", version: 1)),
            choice: EngineChoice(engine: "fake", reason: .only, detail: ""),
            signatureDefs: [:])
    }

    @Test func retire_ofAnIdleServable_callsBackAtOnce() {
        let servable = makeServable()
        let calls = Count()
        servable.retire { calls.increment() }
        #expect(calls.value == 1)
    }

    @Test func retire_afterAllRequestsAreDone_callsBackAtOnce() {
        let servable = makeServable()
        let calls = Count()
        for _ in 0..<3 { #expect(servable.begin()) }
        for _ in 0..<3 { servable.end() }
        servable.retire { calls.increment() }
        #expect(calls.value == 1)
    }

    @Test func retire_withRequestsUnderWay_waitsForTheLast() {
        let servable = makeServable()
        let calls = Count()
        for _ in 0..<3 { #expect(servable.begin()) }
        servable.retire { calls.increment() }
        servable.end()
        servable.end()
        #expect(calls.value == 0)
        servable.end()
        #expect(calls.value == 1)
    }

    @Test func begin_onceRetiring_isRefused() {
        let servable = makeServable()
        #expect(servable.begin())
        servable.retire {}
        #expect(!servable.begin())
        servable.end()
        #expect(!servable.begin())
    }

    @Test func retire_twice_callsOneOfThemBackOnce() {
        let servable = makeServable()
        let calls = Count()
        #expect(servable.begin())
        servable.retire { calls.increment() }
        servable.retire { calls.increment() }
        servable.end()
        servable.retire { calls.increment() }
        #expect(calls.value == 1)
    }

    @Test func retire_amidManyRequests_callsBackOnceAndAfterTheLast() {
        for round in 0..<200 {
            let servable = makeServable()
            let calls = Count()
            let underWay = Atomic<Int>(0)
            let servedAfterwards = Count()
            let stillInUse = Count()
            DispatchQueue.concurrentPerform(iterations: 4) { thread in
                for request in 0..<50 {
                    if thread == 0, request == round % 50 {
                        servable.retire {
                            if underWay.load(ordering: .sequentiallyConsistent) != 0 {
                                stillInUse.increment()
                            }
                            calls.increment()
                        }
                    }
                    guard servable.begin() else { continue }
                    underWay.wrappingAdd(1, ordering: .sequentiallyConsistent)
                    if calls.value > 0 { servedAfterwards.increment() }
                    underWay.wrappingSubtract(1, ordering: .sequentiallyConsistent)
                    servable.end()
                }
            }
            #expect(calls.value == 1, "round \(round)")
            #expect(servedAfterwards.value == 0, "round \(round)")
            #expect(stillInUse.value == 0, "round \(round)")
        }
    }
}
