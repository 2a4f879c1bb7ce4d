import Testing

@testable import MartletModelServer

@Suite("Parked threads")
final class ParkedThreadsTests {
    private final class Worker: Sendable {
        let name: String
        init(_ name: String) { self.name = name }
    }

    private let start = ContinuousClock.now
    private let first = Worker("first")
    private let second = Worker("second")
    private let third = Worker("third")
    private var parked = ParkedThreads<Worker>()

    private func at(_ milliseconds: Int) -> ContinuousClock.Instant {
        start + .milliseconds(milliseconds)
    }

    /// When the thread wakes by itself, in milliseconds.
    private func park(_ worker: Worker, until milliseconds: Int? = nil) -> Int? {
        parked.park(worker, until: milliseconds.map(at)).map {
            Int(($0 - start) / .milliseconds(1))
        }
    }

    private func wake(by milliseconds: Int) -> String? {
        parked.wake(by: at(milliseconds), now: start)?.name
    }

    private func unpark(_ worker: Worker) -> Bool { parked.unpark(worker) }

    @Test func onlyOneThread_wakesForWhatIsDueNext() {
        #expect(park(first, until: 10) == 10)
        #expect(park(second, until: 10) == nil)
        #expect(park(third, until: 5) == 5, "one that must wake earlier takes over")
    }

    @Test func work_beforeTheLookoutWakes_wakesIt() {
        _ = park(first, until: 10)
        _ = park(second)
        #expect(wake(by: 10) == nil)
        #expect(wake(by: 9) == "first")
    }

    @Test func work_whileAWokenThreadIsOnItsWay_wakesNobodyElse() {
        _ = park(first)
        _ = park(second)
        #expect(wake(by: 0) == "second")
        #expect(wake(by: 0) == nil)
        parked.didWake()
        #expect(wake(by: 0) == "first")
        parked.didWake()
        #expect(wake(by: 0) == nil, "nobody is left")
    }

    @Test func work_thatIsThere_leavesTheLookoutInItsPlace() {
        _ = park(first)
        _ = park(second, until: 10)
        #expect(wake(by: 0) == "first")
        parked.didWake()
        #expect(wake(by: 10) == nil, "the lookout wakes by then")
        #expect(wake(by: 0) == "second", "nobody else is left")
    }

    @Test func aLookoutThatGoesToWork_isReplaced() {
        _ = park(first, until: 10)
        _ = park(second)
        #expect(parked.replaceLookout() == nil, "there is one")
        #expect(unpark(first))
        #expect(parked.replaceLookout()?.name == "second")
    }

    @Test func aThreadThatWasPicked_isNotParkedWhenItsTimeComes() {
        _ = park(first, until: 10)
        #expect(wake(by: 0) == "first")
        #expect(!unpark(first))
    }

    @Test func all_areTakenAtTheEnd() {
        _ = park(first, until: 10)
        _ = park(second)
        #expect(parked.takeAll().map(\.name) == ["first", "second"])
        #expect(wake(by: 0) == nil)
    }
}
