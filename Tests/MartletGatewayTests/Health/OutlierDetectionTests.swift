import Testing

@testable import MartletGateway

private let a = EndpointID("a:1")
private let b = EndpointID("b:1")
private let c = EndpointID("c:1")

@Suite("Outlier detection")
struct OutlierDetectionTests {
    private let failed = EndpointOutcome.failed(.serverError)
    private let answered = EndpointOutcome.answered(latency: .milliseconds(5))

    /// What changes at each of these seconds.
    private func sweeps(
        _ detection: inout OutlierDetection, seconds: some Sequence<Int>
    ) -> [String] {
        seconds.flatMap { second in
            detection.sweep(now: .seconds(second)).map { "\(second): \($0.summary)" }
        }
    }

    // MARK: Failures in a row

    @Test(arguments: EndpointFailure.allCases)
    func endpoint_thatFailsFiveInARow_isEjectedAtOnce(failure: EndpointFailure) {
        var detection = OutlierDetection.watching([a, b, c])
        #expect(detection.record(4, .failed(failure), at: a).isEmpty)
        #expect(
            detection.record(.failed(failure), at: a, now: .seconds(1))
                == .ejected(a, .consecutiveFailures(5, last: failure), time: .seconds(30)))
        #expect(detection.ejected == [a])
    }

    @Test(arguments: [EndpointOutcome.answered(latency: .zero), .declined])
    func endpoint_thatAnswersInBetween_isNotEjected(outcome: EndpointOutcome) {
        var detection = OutlierDetection.watching([a, b, c])
        for _ in 0..<20 {
            #expect(detection.record(4, failed, at: a).isEmpty)
            #expect(detection.record(outcome, at: a, now: .zero) == nil)
        }
    }

    @Test func failuresInARow_areNotCountedIfNotAskedFor() {
        let configuration = OutlierDetectionConfiguration(consecutiveFailures: nil)
        var detection = OutlierDetection.watching([a, b, c], configuration: configuration)
        #expect(detection.record(1000, failed, at: a).isEmpty)
    }

    @Test func failuresInARow_acrossAnInterval_stillCount() {
        var detection = OutlierDetection.watching([a, b, c])
        #expect(detection.record(4, failed, at: a).isEmpty)
        #expect(detection.sweep(now: .seconds(10)).isEmpty)
        #expect(detection.record(1, failed, at: a, now: .seconds(11)).count == 1)
    }

    // MARK: How many

    @Test func secondOfThree_staysUntilTheFirstIsBack() {
        var detection = OutlierDetection.watching([a, b, c])
        #expect(detection.record(5, failed, at: a).count == 1)
        #expect(detection.record(50, failed, at: b, now: .seconds(29)).isEmpty)
        #expect(sweeps(&detection, seconds: [29, 30]) == ["30: a returned time_over"])
        #expect(
            detection.record(1, failed, at: b, now: .seconds(31)).map(\.summary)
                == ["b ejected consecutive_failures 30"])
    }

    @Test func lastEndpoint_isNeverEjected() {
        let all = OutlierDetectionConfiguration(ejectedShareMax: 1)
        var detection = OutlierDetection.watching([a, b, c], configuration: all)
        for id in [a, b, c] { _ = detection.record(100, failed, at: id) }
        #expect(detection.ejected == [a, b])
        var alone = OutlierDetection.watching([a], configuration: all)
        #expect(alone.record(100, failed, at: a).isEmpty)
    }

    @Test func endpointsThatChecksFindBad_doNotCountAmongThoseThatStay() {
        var detection = OutlierDetection.watching([a, b])
        #expect(detection.setHealthy(b, false) == nil)
        #expect(detection.record(100, failed, at: a).isEmpty)
        #expect(detection.setHealthy(b, true) == nil)
        #expect(detection.record(1, failed, at: a).count == 1)
    }

    @Test func endpointThatChecksFindBad_isNotEjectedToo() {
        var detection = OutlierDetection.watching([a, b, c])
        #expect(detection.setHealthy(a, false) == nil)
        #expect(detection.record(100, failed, at: a).isEmpty)
    }

    /// As after a crash that took sixty requests with it.
    @Test func endpointThatIsWellAgain_beginsAnew() {
        var detection = OutlierDetection.watching([a, b, c])
        #expect(detection.setHealthy(a, false) == nil)
        #expect(detection.record(60, failed, at: a).isEmpty)
        for id in [b, c] { #expect(detection.record(60, answered, at: id).isEmpty) }
        #expect(detection.setHealthy(a, true) == nil)
        #expect(detection.record(4, failed, at: a).isEmpty)
        #expect(detection.record(5, answered, at: a).isEmpty)
        #expect(detection.sweep(now: .seconds(10)).isEmpty)
    }

    @Test func ejectedEndpoint_whoseOthersAllGo_returns() {
        var detection = OutlierDetection.watching([a, b, c])
        _ = detection.record(5, failed, at: a)
        #expect(detection.remove(b) == nil)
        #expect(detection.setHealthy(c, false) == .returned(a, .lastLeft))
        #expect(detection.ejected.isEmpty)
    }

    @Test func ofTwoEjectedWhoseOthersGo_theOneToReturnFirstDoes() {
        let all = OutlierDetectionConfiguration(ejectedShareMax: 1)
        var detection = OutlierDetection.watching([a, b, c], configuration: all)
        _ = detection.record(5, failed, at: b, now: .seconds(1))
        _ = detection.record(5, failed, at: a, now: .seconds(2))
        #expect(detection.remove(c) == .returned(b, .lastLeft))
        #expect(detection.ejected == [a])
    }

    // MARK: How long

    @Test func ejections_inShortOrder_lastLongerEachUpToTheLongest() {
        let configuration = OutlierDetectionConfiguration(ejectionTimeMax: .seconds(70))
        var detection = OutlierDetection.watching([a, b], configuration: configuration)
        var now = Duration.seconds(1)
        var times: [Duration] = []
        for _ in 0..<4 {
            for case .ejected(_, _, let time) in detection.record(5, failed, at: a, now: now) {
                times.append(time)
                now += time
            }
            _ = detection.sweep(now: now)
        }
        #expect(times == [.seconds(30), .seconds(60), .seconds(70), .seconds(70)])
    }

    @Test func intervalWithoutEjection_takesOneBack() {
        var detection = OutlierDetection.watching([a, b])
        _ = detection.record(5, failed, at: a)
        _ = detection.sweep(now: .seconds(30))
        _ = detection.record(5, failed, at: a, now: .seconds(30))
        #expect(sweeps(&detection, seconds: stride(from: 40, through: 90, by: 10)).count == 1)
        // The interval in which it returned does not count; the two after it do.
        #expect(sweeps(&detection, seconds: [100]).isEmpty)
        var early = detection
        #expect(
            early.record(5, failed, at: a, now: .seconds(101)).map(\.summary)
                == ["a ejected consecutive_failures 60"])
        #expect(sweeps(&detection, seconds: [110, 120]).isEmpty)
        #expect(
            detection.record(5, failed, at: a, now: .seconds(121)).map(\.summary)
                == ["a ejected consecutive_failures 30"])
    }

    @Test func endpointThatReturns_beginsAnew() {
        var detection = OutlierDetection.watching([a, b, c])
        _ = detection.record(5, failed, at: a)
        // Those that were on their way, and those of a panic.
        _ = detection.record(50, failed, at: a, now: .seconds(1))
        #expect(sweeps(&detection, seconds: [30]) == ["30: a returned time_over"])
        #expect(detection.record(4, failed, at: a, now: .seconds(31)).isEmpty)
    }

    @Test func endpointThatLeavesAndComesBack_isNotEjected() {
        var detection = OutlierDetection.watching([a, b, c])
        _ = detection.record(5, failed, at: a)
        #expect(detection.remove(a) == nil)
        detection.add(a)
        #expect(detection.setHealthy(a, true) == nil)
        #expect(!detection.isEjected(a))
    }

    // MARK: Active checks

    @Test(arguments: [
        (OutlierDetectionConfiguration.EndedByCheck.none, EndpointFailure.timedOut, false),
        (.ofSilence, .timedOut, true),
        (.ofSilence, .connectionFailed, true),
        (.ofSilence, .serverError, false),
        (.all, .serverError, true),
        (.all, .timedOut, true),
    ])
    func successfulCheck_endsTheEjectionsItIsToEnd(
        ended: OutlierDetectionConfiguration.EndedByCheck, failure: EndpointFailure, returns: Bool
    ) {
        let configuration = OutlierDetectionConfiguration(endedByCheck: ended)
        var detection = OutlierDetection.watching([a, b, c], configuration: configuration)
        _ = detection.record(5, .failed(failure), at: a)
        let change = detection.checkSucceeded(a)
        #expect(change == (returns ? .returned(a, .checkSucceeded) : nil))
        #expect(detection.isEjected(a) == !returns)
    }

    @Test func successfulCheck_ofAnEndpointThatIsNotEjected_changesNothing() {
        let configuration = OutlierDetectionConfiguration(endedByCheck: .all)
        var detection = OutlierDetection.watching([a, b, c], configuration: configuration)
        _ = detection.record(4, failed, at: a)
        #expect(detection.checkSucceeded(a) == nil)
        #expect(detection.record(1, failed, at: a).count == 1)
    }

    // MARK: Comparison

    @Test func endpointWithALowSuccessRate_isEjectedOnceTheIntervalIsOver() {
        let ids = endpoints(5)
        var detection = OutlierDetection.watching(ids)
        for id in ids.dropLast() { detection.record(answers: 100, failures: 0, at: id) }
        detection.record(answers: 75, failures: 25, at: ids[4])
        #expect(sweeps(&detection, seconds: [1, 9]).isEmpty)
        #expect(sweeps(&detection, seconds: [10]) == ["10: e ejected success_rate 30"])
        #expect(sweeps(&detection, seconds: 11...39).isEmpty)
        #expect(sweeps(&detection, seconds: [40]) == ["40: e returned time_over"])
    }

    @Test func endpointThatAnswersSlowly_isEjected() {
        var detection = OutlierDetection.watching([a, b, c])
        for (id, latency) in [(a, 10), (b, 12), (c, 100)] {
            _ = detection.record(50, .answered(latency: .milliseconds(latency)), at: id)
        }
        #expect(sweeps(&detection, seconds: [10]) == ["10: c ejected latency 30"])
    }

    @Test func endpointThatRefusesFast_doesNotMakeTheOthersSlow() {
        let ids = endpoints(4)
        var detection = OutlierDetection.watching(ids)
        for id in ids {
            let isFull = id == ids[2] || id == ids[3]
            _ = detection.record(100, isFull ? .declined : .answered(latency: .seconds(1)), at: id)
        }
        #expect(sweeps(&detection, seconds: [10]).isEmpty)
    }

    @Test func countsOfAnInterval_doNotReachIntoTheNext() {
        var detection = OutlierDetection.watching([a, b, c])
        for id in [a, b] { _ = detection.record(100, answered, at: id) }
        _ = detection.record(49, .answered(latency: .seconds(1)), at: c)
        #expect(sweeps(&detection, seconds: [10]).isEmpty)
        for id in [a, b] { _ = detection.record(100, answered, at: id, now: .seconds(11)) }
        _ = detection.record(49, .answered(latency: .seconds(1)), at: c, now: .seconds(11))
        #expect(sweeps(&detection, seconds: [20]).isEmpty)
    }

    @Test func worstOutlier_isEjectedWhereNotAllMayBe() {
        let configuration = OutlierDetectionConfiguration(
            consecutiveFailures: nil, ejectedShareMax: 0)
        var detection = OutlierDetection.watching([a, b, c], configuration: configuration)
        detection.record(answers: 100, failures: 0, at: a)
        detection.record(answers: 10, failures: 90, at: b)
        detection.record(answers: 5, failures: 95, at: c)
        #expect(sweeps(&detection, seconds: [10]) == ["10: c ejected failure_share 30"])
    }

    @Test func equallyBadOutliers_areEjectedInOrderOfAddress() {
        let configuration = OutlierDetectionConfiguration(consecutiveFailures: nil)
        var detection = OutlierDetection.watching([c, b, a], configuration: configuration)
        for id in [c, b, a] { detection.record(answers: 0, failures: 100, at: id) }
        #expect(sweeps(&detection, seconds: [10]) == ["10: a ejected failure_share 30"])
    }

    @Test func comparisons_thatAreNotAskedFor_areNotMade() {
        let configuration = OutlierDetectionConfiguration(
            consecutiveFailures: nil, successRate: nil, failureShare: nil, latency: nil)
        let ids = endpoints(6)
        var detection = OutlierDetection.watching(ids, configuration: configuration)
        for id in ids.dropLast() { _ = detection.record(200, answered, at: id) }
        _ = detection.record(200, failed, at: ids[5])
        #expect(sweeps(&detection, seconds: [10]).isEmpty)
    }

    // MARK: Odd events

    @Test func eventsOfUnknownEndpoints_areIgnored() {
        var detection = OutlierDetection.watching([a, b])
        #expect(detection.record(100, failed, at: c).isEmpty)
        #expect(detection.checkSucceeded(c) == nil)
        #expect(detection.setHealthy(c, true) == nil)
        #expect(detection.remove(c) == nil)
        #expect(!detection.isEjected(c))
    }

    @Test func timeThatRunsBackwards_neitherReturnsNorCompares() {
        var detection = OutlierDetection.watching([a, b])
        _ = detection.record(5, failed, at: a, now: .seconds(100))
        #expect(sweeps(&detection, seconds: [-50, 5, 129]).isEmpty)
        #expect(sweeps(&detection, seconds: [130]) == ["130: a returned time_over"])
    }
}
