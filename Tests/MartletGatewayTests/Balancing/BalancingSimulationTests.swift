import MartletTestKit
import Testing

@testable import MartletGateway

/// Random events against the promises of ``DynamicWeightedRoundRobin``.
///
/// A failure names its seed, which ``SimulationSeeds`` replays.
@Suite("Dynamic weighted round robin: simulation")
struct BalancingSimulationTests {
    private static let seeds = SimulationSeeds.first(1000)

    @Test func randomOperations_neverBreakAnInvariant() {
        for seed in Self.seeds {
            var world = World(seed: seed)
            let violation = world.run(steps: 300)
            #expect(violation == nil, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func picksWithSteadyWeights_areNeverAWholePickOffTheirShare() {
        for seed in SimulationSeeds.first(5000) {
            var generator = SeededGenerator(seed: seed)
            var balancer = DynamicWeightedRoundRobin(configuration: immediate, seed: seed)
            for number in 0..<Int.random(in: 2...9, using: &generator) {
                let id = EndpointID("node-\(number):8501")
                balancer.add(id, now: .zero)
                balancer.setHealthy(id, true, now: .zero)
                balancer.report(id, .carrying(.random(in: 1...9, using: &generator)), now: .zero)
            }
            balancer.updateWeights(now: .zero)
            var worst = 0.0
            for _ in 0..<50 {
                _ = balancer.pick(now: .zero)
                worst = max(worst, balancer.credits.values.map(abs).max() ?? 0)
            }
            #expect(worst < 1, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func picksAfterRandomOperations_followWeightsWithinTwoPicks() {
        for seed in Self.seeds {
            var world = World(seed: seed)
            let error = world.run(steps: 100) ?? world.distributionViolation(picks: 200)
            #expect(error == nil, "\(SimulationSeeds.replay(seed))")
        }
    }
}

/// The policy, and beside it the least that is needed to judge its answers.
private struct World {
    private var generator: SeededGenerator
    private var balancer: DynamicWeightedRoundRobin
    private var now = Duration.zero
    private var healthy: [EndpointID: Bool] = [:]
    private let names = (0..<12).map { EndpointID("node-\($0):8501") }

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        balancer = DynamicWeightedRoundRobin(seed: generator.next())
    }

    /// Runs random steps, and answers with a description of the first broken promise.
    mutating func run(steps: Int) -> String? {
        for step in 0..<steps {
            if let violation = self.step() ?? stateViolation() {
                return "step \(step): \(violation)"
            }
        }
        return nil
    }

    private mutating func step() -> String? {
        let id = names[Int.random(in: 0..<names.count, using: &generator)]
        switch Int.random(in: 0..<20, using: &generator) {
        case 0, 1:
            balancer.add(id, now: now)
            healthy[id] = healthy[id] ?? false
        case 2:
            balancer.remove(id)
            healthy[id] = nil
        case 3, 4, 5:
            let isHealthy = Int.random(in: 0..<4, using: &generator) > 0
            balancer.setHealthy(id, isHealthy, now: now)
            if healthy[id] != nil { healthy[id] = isHealthy }
        case 6, 7, 8:
            balancer.report(id, randomSample(), now: now)
        case 9:
            balancer.updateWeights(now: now)
        case 10:
            now += .milliseconds(Int.random(in: 0...30_000, using: &generator))
        default:
            return pickViolation()
        }
        return nil
    }

    private mutating func randomSample() -> LoadSample {
        let odd: [Double] = [0, -1, .nan, .infinity, .leastNonzeroMagnitude, 1e300]
        var figures = (0..<3).map { _ in Double.random(in: 0.01...1000, using: &generator) }
        if Int.random(in: 0..<4, using: &generator) == 0 {
            let index = Int.random(in: 0..<3, using: &generator)
            figures[index] = odd[Int.random(in: 0..<odd.count, using: &generator)]
        }
        return LoadSample(rps: figures[0], eps: figures[1] / 100, utilization: figures[2])
    }

    private mutating func pickViolation() -> String? {
        var excluded: Set<EndpointID> = []
        if Int.random(in: 0..<4, using: &generator) == 0 {
            let count = Int.random(in: 1...3, using: &generator)
            excluded = Set(names.shuffled(using: &generator).prefix(count))
        }
        now += .milliseconds(Int.random(in: 0...200, using: &generator))
        let candidates = healthy.filter { $0.value && !excluded.contains($0.key) }
        guard let pick = balancer.pick(excluding: excluded, now: now) else {
            return candidates.isEmpty ? nil : "no pick, though there are candidates"
        }
        return candidates[pick] == nil ? "picked \(pick), which is no candidate" : nil
    }

    private func stateViolation() -> String? {
        if Set(balancer.weights.keys) != Set(healthy.keys) { return "wrong endpoints" }
        for (id, weight) in balancer.weights where !weight.isFinite || weight <= 0 {
            return "weight \(weight) of \(id)"
        }
        let credits = balancer.credits.values
        if abs(credits.reduce(0, +)) > 1e-6 { return "credits add up to \(credits.reduce(0, +))" }
        if let worst = credits.map(abs).max(), worst > 2 { return "a credit of \(worst)" }
        return nil
    }

    /// Picks on with nothing else happening, and compares the counts with the weights.
    mutating func distributionViolation(picks: Int) -> String? {
        now += .seconds(1)
        balancer.updateWeights(now: now)
        var counts: [EndpointID: Int] = [:]
        for _ in 0..<picks {
            guard let id = balancer.pick(now: now) else { return nil }
            counts[id, default: 0] += 1
        }
        let weights = balancer.weights.filter { healthy[$0.key] == true }
        let total = weights.values.reduce(0, +)
        for (id, weight) in weights {
            let expected = weight / total * Double(picks)
            let error = abs(Double(counts[id] ?? 0) - expected)
            if error > 2 { return "\(id) is \(error) picks off its share of \(expected)" }
        }
        return nil
    }
}
