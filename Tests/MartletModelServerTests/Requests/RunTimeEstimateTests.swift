import Testing

@testable import MartletModelServer

@Suite("Estimates of run times")
struct RunTimeEstimateTests {
    private struct Failure: Error {}

    @Test func first_isTakenAsItIs_andLaterOnesMoveTheMean() {
        let estimate = RunTimeEstimate()
        #expect(estimate.expected == .zero)
        estimate.didRun(.milliseconds(16))
        #expect(estimate.expected == .milliseconds(16))
        estimate.didRun(.milliseconds(32))
        #expect(estimate.expected == .milliseconds(17))
        for _ in 0..<200 { estimate.didRun(.milliseconds(1)) }
        #expect(abs((estimate.expected - .milliseconds(1)) / .milliseconds(1)) < 0.01)
    }

    @Test func whatFails_teachesNothing() {
        let estimate = RunTimeEstimate()
        #expect(throws: Failure.self) { try estimate.measuring { throw Failure() } }
        #expect(estimate.expected == .zero)
        #expect(estimate.measuring { 3 } == 3)
        #expect(estimate.expected > .zero)
    }
}
