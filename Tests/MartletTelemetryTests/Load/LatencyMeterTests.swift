import Testing

@testable import MartletTelemetry

@Suite("Latency of a node by its load")
struct LatencyMeterTests {
    private func meter(_ answers: [(seconds: Double, inFlight: Int)]) -> LatencyMeter {
        var meter = LatencyMeter()
        for answer in answers {
            meter.record(
                seconds: answer.seconds, inFlight: answer.inFlight, instantNanoseconds: 1000)
        }
        return meter
    }

    @Test func latency_beforeTheFirstAnswer_isUnknown() {
        #expect(LatencyMeter().seconds(inFlight: 0, instantNanoseconds: 0) == nil)
    }

    @Test func latency_isThatOfRequestsWhichFoundAsMany() {
        let idle = [(seconds: Double, inFlight: Int)](repeating: (0.01, 0), count: 20)
        let busy = [(seconds: Double, inFlight: Int)](repeating: (0.4, 40), count: 20)
        let meter = meter(idle + busy)
        #expect(meter.seconds(inFlight: 0, instantNanoseconds: 1000) == 0.01)
        #expect(meter.seconds(inFlight: 50, instantNanoseconds: 1000) == 0.4)
    }

    @Test func latency_ofALoadThatNoneFound_isThatOfTheNearest() {
        let meter = meter([(0.1, 0), (0.2, 1), (0.3, 1)])
        #expect(meter.seconds(inFlight: 1000, instantNanoseconds: 1000) == 0.2)
    }

    @Test func oneSlowAnswer_changesNothing() {
        let meter = meter([(seconds: Double, inFlight: Int)](repeating: (0.01, 0), count: 8))
        var slow = meter
        slow.record(seconds: 60, inFlight: 0, instantNanoseconds: 1000)
        #expect(slow.seconds(inFlight: 0, instantNanoseconds: 1000) == 0.01)
    }

    @Test func newAnswers_takeThePlaceOfOldOnes() {
        var meter = meter([(seconds: Double, inFlight: Int)](repeating: (0.01, 0), count: 32))
        for _ in 0..<17 { meter.record(seconds: 0.5, inFlight: 0, instantNanoseconds: 1000) }
        #expect(meter.seconds(inFlight: 0, instantNanoseconds: 1000) == 0.5)
    }

    @Test func latency_withoutNewAnswers_falls() throws {
        let meter = meter([(1, 0)])
        let later = try #require(
            meter.seconds(inFlight: 0, instantNanoseconds: 10_000_001_000))
        #expect((0.36...0.38).contains(later))
        // Time that runs backwards stands still.
        #expect(meter.seconds(inFlight: 0, instantNanoseconds: 0) == 1)
    }

    @Test func figuresWithoutSense_areIgnored() {
        var meter = LatencyMeter()
        for seconds in [Double.nan, .infinity, -1] {
            meter.record(seconds: seconds, inFlight: -5, instantNanoseconds: 0)
        }
        #expect(meter.seconds(inFlight: .min, instantNanoseconds: 0) == nil)
        meter.record(seconds: 1, inFlight: .max, instantNanoseconds: 0)
        #expect(meter.seconds(inFlight: .max, instantNanoseconds: 0) == 1)
    }
}
