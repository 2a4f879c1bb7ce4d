import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Outlier detection, by the thousand")
struct OutlierDetectionSimulationTests {
    @Test func randomEvents_neverBreakAPromise() {
        for seed in SimulationSeeds.first(1000) {
            var world = OutlierWorld(seed: seed)
            for _ in 0..<150 where world.complaint == nil { world.step() }
            #expect(world.complaint == nil, "\(SimulationSeeds.replay(seed))")
            guard world.complaint == nil else { return }
        }
    }

    /// Eight endpoints that differ by chance alone: one in a hundred requests fails anywhere, and
    /// latencies spread threefold.
    @Test func endpointsThatAreAllWell_areNotEjected() {
        for seed in SimulationSeeds.first(40) {
            let changes = traffic(seed: seed) { _, generator in
                Int.random(in: 0..<100, using: &generator) == 0
                    ? .failed(.serverError)
                    : .answered(
                        latency: .milliseconds(Int.random(in: 10...30, using: &generator)))
            }
            #expect(changes.isEmpty, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test(arguments: ["silent", "failing", "flaky", "slow"])
    func oneEndpointThatIsNotWell_isEjectedWithinTwoIntervalsAndNoOther(kind: String) {
        for seed in SimulationSeeds.first(16) {
            let bad = Int(seed % 8)
            let changes = traffic(seed: seed) { index, generator in
                let chance = Int.random(in: 0..<100, using: &generator)
                let latency = Int.random(in: 10...30, using: &generator)
                guard index == bad else { return .answered(latency: .milliseconds(latency)) }
                switch kind {
                case "silent": return .failed(.timedOut)
                case "failing": return .failed(.serverError)
                case "flaky" where chance < 40: return .failed(.serverError)
                case "slow": return .answered(latency: .milliseconds(latency * 10))
                default: return .answered(latency: .milliseconds(latency))
                }
            }
            let ejected = changes.compactMap { change -> EndpointID? in
                guard case .ejected(let id, _, _) = change else { return nil }
                return id
            }
            #expect(ejected.first == endpoints(8)[bad], "\(SimulationSeeds.replay(seed))")
            #expect(Set(ejected).count == 1, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// Two intervals of traffic: 400 requests a second, evenly over those of eight endpoints that
    /// are not ejected.
    private func traffic(
        seed: UInt64, _ outcome: (Int, inout SeededGenerator) -> EndpointOutcome
    ) -> [EjectionChange] {
        var generator = SeededGenerator(seed: seed)
        let ids = endpoints(8)
        var detection = OutlierDetection.watching(ids)
        var changes: [EjectionChange] = []
        for tick in 0...200 {
            let now = Duration.milliseconds(tick * 100)
            changes += detection.sweep(now: now)
            for number in 0..<40 {
                let index = (tick * 40 + number) % ids.count
                guard !detection.isEjected(ids[index]) else { continue }
                let outcome = outcome(index, &generator)
                if let change = detection.record(outcome, at: ids[index], now: now) {
                    changes.append(change)
                }
            }
        }
        return changes
    }
}

/// Endpoints, requests and a clock that behave at random, and the promises they see broken.
private struct OutlierWorld {
    private var generator: SeededGenerator
    private var detection: OutlierDetection
    private let configuration: OutlierDetectionConfiguration
    private var now = Duration.zero
    private let ids = endpoints(9)
    private var healthy: [EndpointID: Bool] = [:]
    /// When each ejection is to end at the latest.
    private var ends: [EndpointID: Duration] = [:]
    private(set) var complaint: String?

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        let checks = OutlierDetectionConfiguration.EndedByCheck.allCases
        configuration = OutlierDetectionConfiguration(
            consecutiveFailures: Int.random(in: 1...4, using: &generator),
            ejectionTimeMax: .seconds(Int.random(in: 30...100, using: &generator)),
            ejectedShareMax: .random(in: 0...1, using: &generator),
            successRate: .init(endpointsMin: 3, requestsMin: 3),
            failureShare: .init(threshold: 0.6, endpointsMin: 2, requestsMin: 3),
            latency: .init(factor: 2, endpointsMin: 2, requestsMin: 3),
            endedByCheck: checks[Int.random(in: 0..<checks.count, using: &generator)])
        detection = OutlierDetection(configuration: configuration)
    }

    mutating func step() {
        let id = ids[Int.random(in: 0..<ids.count, using: &generator)]
        var changes: [EjectionChange?] = []
        switch Int.random(in: 0..<16, using: &generator) {
        case 0:
            detection.add(id)
            healthy[id] = healthy[id] ?? false
        case 1 where Int.random(in: 0..<4, using: &generator) == 0:
            healthy[id] = nil
            ends[id] = nil
            changes = [detection.remove(id)]
        case 2, 3, 4:
            let isHealthy = Int.random(in: 0..<4, using: &generator) > 0
            if healthy[id] != nil { healthy[id] = isHealthy }
            changes = [detection.setHealthy(id, isHealthy)]
        case 5:
            changes = [detection.checkSucceeded(id)]
        case 6, 7:
            now += .milliseconds(Int.random(in: 0...12_000, using: &generator))
            changes = detection.sweep(now: now)
        default:
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                changes.append(detection.record(randomOutcome(), at: id, now: now))
            }
        }
        for case let change? in changes { check(change) }
        checkState()
    }

    private mutating func randomOutcome() -> EndpointOutcome {
        switch Int.random(in: 0..<10, using: &generator) {
        case 0...3:
            let failures = EndpointFailure.allCases
            return .failed(failures[Int.random(in: 0..<failures.count, using: &generator)])
        case 4: return .declined
        default:
            return .answered(
                latency: .milliseconds(Int.random(in: -5...500, using: &generator)))
        }
    }

    private mutating func check(_ change: EjectionChange) {
        switch change {
        case .ejected(let id, _, let time):
            if ends[id] != nil { complain("\(id) is ejected twice") }
            if healthy[id] != true { complain("\(id) is ejected, which is no choice anyway") }
            let most = configuration.ejectionTimeMax
            if time < configuration.baseEjectionTime || time > most { complain("for \(time)") }
            ends[id] = now + time
            let total = healthy.values.count { $0 }
            let ejected = healthy.count { $0.value && ends[$0.key] != nil }
            if ejected > configuration.ejectionsMax(of: total) {
                complain("\(ejected) of \(total) are ejected")
            }
        case .returned(let id, let cause):
            guard let end = ends.removeValue(forKey: id) else {
                complain("\(id) returns, which is not ejected")
                return
            }
            if cause == .timeOver, end > now { complain("\(id) returns too early") }
        }
    }

    private mutating func checkState() {
        let choices = healthy.filter(\.value).keys
        if !choices.isEmpty, choices.allSatisfy({ ends[$0] != nil }) {
            complain("no endpoint is left")
        }
        if Set(detection.ejected) != Set(ends.keys) { complain("untold changes") }
        if let late = ends.first(where: { $0.value <= now }) {
            complain("\(late.key) stays ejected")
        }
    }

    private mutating func complain(_ text: String) {
        if complaint == nil { complaint = text }
    }
}
