import MartletTransport
import Testing

@testable import MartletModelServer

@Suite("Estimates of run times")
struct RunTimeEstimateTests {
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

    @Test func whatIsRun_isMeasured() {
        let estimate = RunTimeEstimate()
        var runs = 0
        estimate.measuring { runs += 1 }
        #expect(runs == 1)
        #expect(estimate.expected > .zero)
    }

    private func key(_ message: [UInt8]) -> RunTimes.Key {
        GRPCCall(
            path: "/p", metadata: HeaderFields([]), message: message,
            context: RequestContext(remoteAddress: "")
        ).timeKey
    }

    @Test func calls_areTheSameKindWhoseMessagesBeginByTheSameModel() {
        #expect(key([0x0A, 2, 1, 2, 9, 9]) == key([0x0A, 2, 1, 2, 8]))
        #expect(key([0x0A, 2, 1, 2, 9, 9]) != key([0x0A, 2, 1, 3, 9, 9]))
        #expect(key([0x12, 2, 1, 2]) == key([]))
        // A length that is longer than the message, or takes two bytes.
        #expect(key([0x0A, 100, 1]).subject == [1])
        #expect(key([0x0A, 0x80, 1]).subject == [])
    }

    @Test func kinds_haveTimesOfTheirOwn_andAreBoundedInNumber() {
        let times = RunTimes()
        times.estimate(for: RunTimes.Key(path: "/a")).didRun(.seconds(1))
        #expect(times.estimate(for: RunTimes.Key(path: "/a")).expected == .seconds(1))
        #expect(times.estimate(for: RunTimes.Key(path: "/b")).expected == .zero)
        for number in 0..<2000 { _ = times.estimate(for: RunTimes.Key(path: "/\(number)")) }
        #expect(times.estimate(for: RunTimes.Key(path: "/a")).expected == .zero)
    }
}
