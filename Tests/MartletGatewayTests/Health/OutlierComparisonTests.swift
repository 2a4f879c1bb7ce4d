import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Comparison of endpoints")
struct OutlierComparisonTests {
    private let ids = endpoints(12)

    /// Tallies of a hundred requests each, with these failures.
    private func tallies(failures: [Int], requests: Int = 100) -> [OutlierTally] {
        failures.enumerated().map { index, failures in
            OutlierTally(
                id: ids[index], requests: requests, failures: failures,
                answers: requests - failures, latencyMedian: .milliseconds(5))
        }
    }

    private func tallies(medians: [Int], answers: Int = 100) -> [OutlierTally] {
        medians.enumerated().map { index, median in
            OutlierTally(
                id: ids[index], requests: answers, failures: 0, answers: answers,
                latencyMedian: .milliseconds(median))
        }
    }

    // MARK: Success rate

    @Test(arguments: [
        ([0, 0, 0, 0, 50], ["e"]),
        ([0, 0, 0, 0, 100], ["e"]),
        ([0, 0, 0, 0, 0], []),
        // All equally bad: nobody stands out.
        ([60, 60, 60, 60, 60], []),
        // Far apart from each other, but none from all.
        ([0, 20, 40, 60, 80], []),
        // 1.9 deviations, but too little to matter.
        ([0, 0, 0, 0, 5], []),
        ([0, 0, 0, 0, 6], []),
        ([0, 0, 0, 0, 7], ["e"]),
        ([0, 0, 0, 0, 0, 0, 0, 0, 30, 30], ["i", "j"]),
    ])
    func successRate_farBelowTheMean_isAnOutlier(failures: [Int], expected: [String]) {
        let found = OutlierDetectionConfiguration.SuccessRate().outliers(
            among: tallies(failures: failures))
        #expect(found.map { String($0.id.address.prefix(1)) } == expected)
    }

    @Test func successRate_boundIsTheMeanLessTheDeviations() throws {
        let found = OutlierDetectionConfiguration.SuccessRate().outliers(
            among: tallies(failures: [0, 0, 0, 0, 100]))
        guard case .successRate(let rate, let bound) = try #require(found.first).cause else {
            Issue.record("another cause")
            return
        }
        // Mean 0.8, deviation of the population 0.4.
        #expect(rate == 0)
        #expect(abs(bound - (0.8 - 1.9 * 0.4)) < 1e-12)
    }

    @Test func successRate_withTooFewEndpointsOrRequests_comparesNobody() {
        let comparison = OutlierDetectionConfiguration.SuccessRate()
        #expect(comparison.outliers(among: tallies(failures: [0, 0, 0, 100])).isEmpty)
        let few = tallies(failures: [0, 0, 0, 0, 99], requests: 99)
        #expect(comparison.outliers(among: few).isEmpty)
        #expect(comparison.outliers(among: []).isEmpty)
    }

    // MARK: Share of failures

    @Test(arguments: [
        ([0, 0, 84], []), ([0, 0, 85], ["c"]), ([90, 85, 100], ["a", "b", "c"]), ([0, 100], []),
    ])
    func failureShare_fromTheThresholdOn_isAnOutlier(failures: [Int], expected: [String]) {
        let found = OutlierDetectionConfiguration.FailureShare().outliers(
            among: tallies(failures: failures))
        #expect(found.map { String($0.id.address.prefix(1)) } == expected)
    }

    @Test func failureShare_withTooFewRequests_judgesNobody() {
        let few = tallies(failures: [49, 49, 49], requests: 49)
        #expect(OutlierDetectionConfiguration.FailureShare().outliers(among: few).isEmpty)
    }

    // MARK: Latency

    @Test(arguments: [
        ([10, 10, 50], ["c"]),
        ([10, 10, 49], []),
        // Five times as long, but not by ten milliseconds.
        ([2, 2, 11], []),
        ([2, 2, 12], ["c"]),
        // Two outliers do not hide each other while they are the fewer.
        ([10, 10, 10, 60, 500], ["d", "e"]),
        ([100, 100, 100], []),
        ([10, 500], []),
        ([0, 0, 10], ["c"]),
    ])
    func latency_manyTimesThatOfTheOthers_isAnOutlier(medians: [Int], expected: [String]) {
        let found = OutlierDetectionConfiguration.Latency().outliers(
            among: tallies(medians: medians))
        #expect(found.map { String($0.id.address.prefix(1)) } == expected)
    }

    @Test func latency_withTooFewAnswers_comparesNobody() {
        let few = tallies(medians: [10, 10, 500], answers: 49)
        #expect(OutlierDetectionConfiguration.Latency().outliers(among: few).isEmpty)
    }

    @Test func medianWithoutOne_isThatOfTheRemaining() {
        for seed in SimulationSeeds.first(1000) {
            var generator = SeededGenerator(seed: seed)
            let sorted = (0..<Int.random(in: 2...9, using: &generator)).map { _ in
                Duration.milliseconds(Int.random(in: 0...20, using: &generator))
            }.sorted()
            for left in sorted.indices {
                var remaining = sorted
                remaining.remove(at: left)
                let middle = remaining.count / 2
                let expected =
                    remaining.count % 2 == 1
                    ? remaining[middle] : (remaining[middle - 1] + remaining[middle]) / 2
                #expect(
                    OutlierDetectionConfiguration.Latency.median(of: sorted, without: left)
                        == expected, "\(SimulationSeeds.replay(seed))")
            }
        }
    }

    @Test func configuration_outOfRange_isBroughtIntoIt() {
        let configuration = OutlierDetectionConfiguration(
            consecutiveFailures: 0, interval: .seconds(-1), baseEjectionTime: .zero,
            ejectionTimeMax: .zero, ejectedShareMax: .nan,
            successRate: .init(deviations: -1, marginMin: .nan, endpointsMin: 0, requestsMin: -3),
            failureShare: .init(threshold: 0, endpointsMin: 0, requestsMin: 0),
            latency: .init(
                factor: .infinity, marginMin: .seconds(-1), endpointsMin: 0, requestsMin: 0))
        #expect(configuration.consecutiveFailures == 1)
        #expect(configuration.interval == .milliseconds(1))
        #expect(configuration.ejectionTimeMax == configuration.baseEjectionTime)
        #expect(configuration.ejectedShareMax == 0)
        #expect(configuration.successRate?.deviations == 0)
        #expect(configuration.successRate?.marginMin == 0)
        #expect(configuration.latency?.factor == 1e6)
        #expect(configuration.ejectionTime(number: .max) == configuration.ejectionTimeMax)
        #expect(configuration.ejectionTime(number: .min) == configuration.baseEjectionTime)
    }

    @Test(arguments: [
        (0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (8, 4), (100, 50),
    ])
    func ejectionsMax_isHalfByDefaultAndAlwaysLeavesOne(endpoints: Int, most: Int) {
        #expect(OutlierDetectionConfiguration().ejectionsMax(of: endpoints) == most)
    }

    @Test func ejectionsMax_atTheEnds_isOneAndAllButOne() {
        let none = OutlierDetectionConfiguration(ejectedShareMax: 0)
        let all = OutlierDetectionConfiguration(ejectedShareMax: 1)
        #expect((0...5).map { none.ejectionsMax(of: $0) } == [0, 0, 1, 1, 1, 1])
        #expect((0...5).map { all.ejectionsMax(of: $0) } == [0, 0, 1, 2, 3, 4])
    }
}
