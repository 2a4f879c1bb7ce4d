import Testing

@testable import MartletEngines

@Suite("Watch over a decode loop")
struct StepWatchTests {
    @Test func stepThatDoesNotEnd_growsOld() {
        var watch = StepWatch()
        #expect(watch.age(now: .seconds(5)) == .zero)
        watch.didBegin(now: .seconds(10))
        #expect(watch.age(now: .seconds(10)) == .zero)
        #expect(watch.age(now: .seconds(130)) == .seconds(120))
    }

    @Test func nextStep_isYoung() {
        var watch = StepWatch()
        watch.didBegin(now: .seconds(10))
        watch.didBegin(now: .seconds(100))
        #expect(watch.age(now: .seconds(101)) == .seconds(1))
    }

    @Test func loopThatRests_hasNoAge() {
        var watch = StepWatch()
        watch.didBegin(now: .seconds(10))
        watch.didRest()
        #expect(watch.age(now: .seconds(1000)) == .zero)
        watch.didBegin(now: .seconds(1000))
        #expect(watch.age(now: .seconds(1001)) == .seconds(1))
    }

    @Test func clockThatIsReadLate_makesNoNegativeAge() {
        var watch = StepWatch()
        // Read before another thread took the lock.
        watch.didBegin(now: .seconds(10))
        #expect(watch.age(now: .seconds(9)) == .zero)
    }
}
