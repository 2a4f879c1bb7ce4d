import MartletTestKit

@testable import MartletGateway

/// A balancer under random events, and beside it the least that is needed to judge its answers.
struct BalancerWorld {
    private var generator: SeededGenerator
    private var balancer: any Balancer
    private var now = Duration.zero
    private var healthy: [EndpointID: Bool] = [:]
    private var begun: [EndpointID] = []
    private let names = (0..<8).map { EndpointID("node-\($0):8501") }
    /// All picks up to now.
    private(set) var picks: [EndpointID?] = []

    private static let oddNumbers: [Double] = [0, -1, .nan, .infinity, -.infinity, 1e300, 1e-300]
    private static let oddDurations: [Duration] = [
        .zero, .seconds(-1), .seconds(Int64.max), .seconds(Int64.min), .nanoseconds(1),
    ]

    init(_ algorithm: BalancingAlgorithm, seed: UInt64) {
        generator = SeededGenerator(seed: seed)
        balancer = algorithm.makeBalancer(seed: generator.next())
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
        switch Int.random(in: 0..<24, using: &generator) {
        case 0, 1, 2, 3, 4: changeMembers()
        case 5, 6: balancer.report(anyName, oddSample(), now: now)
        case 7: probe()
        case 8:
            balancer.updateWeights(now: now)
            balancer.setCacheTokens(
                anyName, [Int.min, 0, 7, 9000, Int.max].randomElement(using: &generator) ?? 0,
                now: now)
            balancer.setStatedWeight(
                anyName, [0, 0.5, 1, 3, .nan].randomElement(using: &generator) ?? 1, now: now)
            balancer.didRestart(anyName, now: now)
        case 9: passTime()
        case 10, 11: balancer.didEnd(anyName, oddResult(), now: now)
        case 12, 13, 14, 15: endOne()
        default: return pickViolation()
        }
        return nil
    }

    // MARK: Events

    private var anyName: EndpointID {
        mutating get { names[Int.random(in: 0..<names.count, using: &generator)] }
    }

    private mutating func changeMembers() {
        let id = anyName
        switch Int.random(in: 0..<5, using: &generator) {
        case 0, 1:
            balancer.add(id, now: now)
            healthy[id] = healthy[id] ?? false
        case 2:
            balancer.remove(id)
            healthy[id] = nil
        default:
            let isHealthy = Int.random(in: 0..<4, using: &generator) > 0
            balancer.setHealthy(id, isHealthy, now: now)
            if healthy[id] != nil { healthy[id] = isHealthy }
        }
    }

    /// Now and then backwards.
    private mutating func passTime() {
        now += .milliseconds(Int.random(in: -50...20_000, using: &generator))
    }

    private mutating func endOne() {
        guard !begun.isEmpty else { return }
        let id = begun.remove(at: Int.random(in: 0..<begun.count, using: &generator))
        let result = BalancedAttempt(
            latency: .milliseconds(Int.random(in: 0...500, using: &generator)),
            hasFailed: Int.random(in: 0..<5, using: &generator) == 0,
            wasAbandoned: Int.random(in: 0..<9, using: &generator) == 0)
        balancer.didEnd(id, result, now: now)
    }

    private mutating func probe() {
        for id in balancer.endpointsToProbe(now: now) {
            let inFlight = [Int.min, -1, 0, 3, Int.max].randomElement(using: &generator) ?? 0
            let latency = Self.oddDurations.randomElement(using: &generator)
            let isTold = Int.random(in: 0..<4, using: &generator) > 0
            balancer.probe(id, inFlight: inFlight, latency: isTold ? latency : nil, now: now)
        }
        balancer.probe(anyName, inFlight: 2, latency: .milliseconds(20), now: now)
    }

    private mutating func oddSample() -> LoadSample {
        let figures = (0..<3).map { _ in
            Int.random(in: 0..<4, using: &generator) == 0
                ? Self.oddNumbers.randomElement(using: &generator) ?? 0
                : Double.random(in: 0.01...1000, using: &generator)
        }
        return LoadSample(rps: figures[0], eps: figures[1] / 100, utilization: figures[2])
    }

    /// Of an attempt that may never have begun.
    private mutating func oddResult() -> BalancedAttempt {
        BalancedAttempt(
            latency: Self.oddDurations.randomElement(using: &generator) ?? .zero,
            hasFailed: Bool.random(using: &generator),
            wasAbandoned: Bool.random(using: &generator))
    }

    /// Half the time; of few, so that they meet again.
    private mutating func anyPrompt() -> PromptBlocks? {
        guard Bool.random(using: &generator) else { return nil }
        let family = generator.next() % 8
        let count = UInt64.random(in: 0..<40, using: &generator)
        return PromptBlocks(
            hashes: (0..<count).map { family << 32 | $0 },
            adapterKey: Bool.random(using: &generator) ? generator.next() % 3 : nil)
    }

    // MARK: Promises

    private mutating func pickViolation() -> String? {
        var excluded: Set<EndpointID> = []
        if Int.random(in: 0..<4, using: &generator) == 0 {
            let count = Int.random(in: 1...3, using: &generator)
            excluded = Set(names.shuffled(using: &generator).prefix(count))
        }
        let isKeyed = Bool.random(using: &generator)
        let request = PickRequest(
            affinityKey: isKeyed ? generator.next() % 50 : nil, prompt: anyPrompt())
        now += .milliseconds(Int.random(in: 0...200, using: &generator))
        let pick = balancer.pick(for: request, excluding: excluded, now: now)
        picks.append(pick)
        let candidates = healthy.filter { $0.value && !excluded.contains($0.key) }
        guard let pick else {
            return candidates.isEmpty ? nil : "no pick, though there are candidates"
        }
        if candidates[pick] == nil { return "picked \(pick), which is no candidate" }
        balancer.didBegin(pick, now: now)
        begun.append(pick)
        return nil
    }

    private mutating func stateViolation() -> String? {
        if Set(balancer.weights.keys) != Set(healthy.keys) { return "wrong endpoints" }
        for (id, weight) in balancer.weights where !weight.isFinite || weight <= 0 {
            return "weight \(weight) of \(id)"
        }
        let expected = healthy.filter(\.value).keys.sorted()
        let found = balancer.healthyEndpoints
        return found == expected ? nil : "healthy are \(found) and not \(expected)"
    }
}
