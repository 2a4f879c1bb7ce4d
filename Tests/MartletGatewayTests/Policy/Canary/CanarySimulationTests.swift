import Foundation
import MartletTestKit
import Testing

@testable import MartletGateway

/// Whole canaries over many seeds: 100 requests/s with latencies that are log-normal around 20 ms
/// (σ = 0.5), of which 0.2 % fail; all settings by default.
///
/// `MARTLET_CANARY_RUNS=1000 swift test -c release -Xswiftc -enable-testing --filter
/// CanarySimulationTests` runs more seeds than usual and prints the figures of the reference.
@Suite("Canary: simulation")
struct CanarySimulationTests {
    private struct Candidate {
        var errorRate = 0.002
        var slowness = 1.0
    }

    private static let runs = ProcessInfo.processInfo.environment["MARTLET_CANARY_RUNS"]
        .flatMap { UInt64($0) }

    /// The canary of a candidate until it is over.
    private func run(
        _ candidate: Candidate, seed: UInt64,
        _ change: (inout TrafficPolicy.Canary) -> Void = { _ in }
    ) -> CanaryController {
        var generator = SeededGenerator(seed: seed)
        var settings = TrafficPolicy.Canary(
            model: "m", baseline: .number(1), candidate: .number(2))
        change(&settings)
        var controller = CanaryController(settings, seed: seed, now: .zero)
        var now = Duration.zero
        while !controller.state.isFinal, now < .seconds(40_000) {
            now += .milliseconds(10)
            let arm = controller.arm(of: generator.next())
            let isCandidate = arm == .candidate
            let rate = isCandidate ? candidate.errorRate : 0.002
            let isError = Double.random(in: 0..<1, using: &generator) < rate
            let slowness = isCandidate ? candidate.slowness : 1
            let latency = Duration.seconds(0.02 * exp(0.5 * normal(&generator)) * slowness)
            _ = controller.record(arm, isError: isError, latency: latency, now: now)
        }
        return controller
    }

    /// A normal number, by the method of Box and Muller.
    private func normal(_ generator: inout SeededGenerator) -> Double {
        let first = Double.random(in: Double.leastNonzeroMagnitude..<1, using: &generator)
        let second = Double.random(in: 0..<1, using: &generator)
        return (-2 * log(first)).squareRoot() * cos(2 * .pi * second)
    }

    /// Runs canaries that must be rolled back within so many answers of the candidate.
    private func expectRollback(
        of candidate: Candidate, within answersMax: Int, seeds: UInt64, _ name: String
    ) {
        var answers: [Int] = []
        for seed in SimulationSeeds.first(Self.runs ?? seeds) {
            let controller = run(candidate, seed: seed)
            guard case .rolledBack = controller.state else {
                Issue.record("\(SimulationSeeds.replay(seed)): \(controller.state)")
                continue
            }
            answers.append(controller.candidateAnswers)
            #expect(controller.candidateAnswers <= answersMax, "\(SimulationSeeds.replay(seed))")
        }
        report(name, answers)
    }

    private func report(_ name: String, _ answers: [Int]) {
        guard Self.runs != nil, let most = answers.max() else { return }
        let median = answers.sorted()[answers.count / 2]
        print("canary, \(name): \(answers.count) runs, median \(median), most \(most) answers")
    }

    /// Wrong in none of 10,000 runs.
    ///
    /// Steps are shorter than by default, and fewer.
    @Test func equalCandidate_isNotTakenBack() {
        var answers: [Int] = []
        for seed in SimulationSeeds.first(Self.runs.map { $0 * 10 } ?? 60) {
            let controller = run(Candidate(), seed: seed) { settings in
                settings.weightStart = 0.1
                settings.weightStep = 0.3
                settings.interval = .seconds(20)
            }
            #expect(controller.state == .completed, "\(SimulationSeeds.replay(seed))")
            answers.append(controller.candidateAnswers)
        }
        report("as good", answers)
    }

    @Test func candidateThatFailsAlways_isTakenBackWithin15Answers() {
        expectRollback(of: Candidate(errorRate: 1), within: 15, seeds: 200, "fails in 100 %")
    }

    @Test func candidateWith20PercentErrors_isTakenBackWithin250Answers() {
        expectRollback(of: Candidate(errorRate: 0.2), within: 250, seeds: 100, "fails in 20 %")
    }

    @Test func candidateWith5PercentErrors_isTakenBackWithin2000Answers() {
        expectRollback(of: Candidate(errorRate: 0.05), within: 2000, seeds: 60, "fails in 5 %")
    }

    @Test func candidateOfThreeTimesTheLatency_isTakenBackWithin600Answers() {
        expectRollback(of: Candidate(slowness: 3), within: 600, seeds: 100, "three times as long")
    }

    @Test func candidateOfTwiceTheLatency_isTakenBackWithin5000Answers() {
        expectRollback(of: Candidate(slowness: 2), within: 5000, seeds: 25, "twice as long")
    }
}
