import Foundation
import MartletCore
import MartletTestKit

@testable import MartletGateway

/// Clients that ask at random times, whatever the answers, gateways that balance, and nodes that
/// answer: what clients get for it.
///
/// Arrivals are a Poisson process. Keys of affinity are of a Zipf distribution over a thousand.
/// Nodes report their load once a second. There are no retries and no health checks, so what a
/// balancer does is seen bare; the network takes no time.
struct BalancerSimulation {
    /// What came of the requests that are counted.
    struct Outcome {
        /// Seconds from a request to its answer, of those without an error.
        var latencies: [Double] = []
        var errors = 0
        /// Requests by node.
        var picks: [Int] = []
        /// Requests for which there was no pick.
        var unpicked = 0

        var requests: Int { picks.reduce(unpicked, +) }
        var errorShare: Double { Double(errors + unpicked) / Double(max(requests, 1)) }
        var shares: [Double] { picks.map { Double($0) / Double(max(requests, 1)) } }

        /// The latency that a share of the answers keep.
        func latency(_ share: Double) -> Double {
            guard !latencies.isEmpty else { return 0 }
            let sorted = latencies.sorted()
            return sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]
        }
    }

    private enum Event {
        case arrival
        case end(Int, hasFailed: Bool)
        case report
        case round(gateway: Int)
        case probed(gateway: Int, node: Int)
    }

    private struct Request {
        let begin: Double
        let gateway: Int
        let node: Int
        let isCounted: Bool
    }

    private let scenario: BalancingScenario
    private let ids: [EndpointID]
    private var balancers: [any Balancer]
    private var nodes: [SimulatedNode]
    private var requests: [Request] = []
    private var events = EventQueue<Event>()
    private var gates: [ProbeGate]
    /// Probes that were sent.
    private(set) var probes = 0
    private var random: SeededGenerator
    private var outcome = Outcome()

    init(
        _ scenario: BalancingScenario, _ algorithm: BalancingAlgorithm,
        configuration: BalancingConfiguration = BalancingConfiguration(), seed: UInt64
    ) {
        self.scenario = scenario
        var random = SeededGenerator(seed: seed)
        let ids = scenario.nodes.indices.map { EndpointID("node-\($0):8501") }
        balancers = (0..<scenario.gateways).map { _ in
            var balancer = algorithm.makeBalancer(seed: random.next(), configuration: configuration)
            for id in ids {
                balancer.add(id, now: .zero)
                balancer.setHealthy(id, true, now: .zero)
            }
            return balancer
        }
        nodes = scenario.nodes.map(SimulatedNode.init)
        gates = balancers.map { _ in ProbeGate() }
        outcome.picks = ids.map { _ in 0 }
        self.ids = ids
        self.random = random
    }

    /// Runs to the last answer.
    mutating func run() -> Outcome {
        events.schedule(.arrival, at: random.interval(rate: scenario.rate))
        if scenario.reportsLoad { events.schedule(.report, at: 1) }
        if let probing = scenario.probing {
            for gateway in balancers.indices {
                events.schedule(.round(gateway: gateway), at: random.unit() * probing.spacing)
            }
        }
        let end = scenario.warmUpSeconds + scenario.seconds
        while let (now, event) = events.next() {
            switch event {
            case .arrival:
                guard now < end else { continue }
                arrive(now: now)
                events.schedule(.arrival, at: now + random.interval(rate: scenario.rate))
            case .end(let request, let hasFailed):
                finish(request, hasFailed: hasFailed, now: now)
            case .report:
                report(now: now)
                if now < end { events.schedule(.report, at: now + 1) }
            case .round(let gateway):
                guard let probing = scenario.probing, now < end else { continue }
                sendProbes(from: gateway, probing, now: now)
                events.schedule(.round(gateway: gateway), at: now + probing.spacing)
            case .probed(let gateway, let node): endProbe(from: gateway, of: node, now: now)
            }
        }
        return outcome
    }

    // MARK: Events

    private mutating func arrive(now: Double) {
        let time = Duration.seconds(now)
        let isCounted = now >= scenario.warmUpSeconds
        let gateway = Int.random(in: 0..<balancers.count, using: &random)
        let request = PickRequest(affinityKey: Self.keys.draw(&random))
        guard
            let id = balancers[gateway].pick(for: request, excluding: [], now: time),
            let node = ids.firstIndex(of: id)
        else {
            outcome.unpicked += isCounted ? 1 : 0
            return
        }
        balancers[gateway].didBegin(id, now: time)
        if isCounted { outcome.picks[node] += 1 }
        requests.append(
            Request(begin: now, gateway: gateway, node: node, isCounted: isCounted))
        follow(nodes[node].arrive(requests.count - 1, now: now, random: &random))
        if scenario.answersProbes { probe(from: gateway, now: now) }
    }

    /// What happens next to the request that came last.
    private mutating func follow(_ fate: SimulatedNode.Fate) {
        switch fate {
        case .runs(let until):
            events.schedule(.end(requests.count - 1, hasFailed: false), at: until)
        case .refused(let time):
            events.schedule(.end(requests.count - 1, hasFailed: true), at: time)
        case .waits:
            break
        }
    }

    private mutating func finish(_ index: Int, hasFailed: Bool, now: Double) {
        let request = requests[index]
        let seconds = now - request.begin
        if hasFailed {
            nodes[request.node].didRefuse()
        } else if let (next, until) = nodes[request.node].didRun(
            seconds: seconds, now: now, random: &random)
        {
            events.schedule(.end(next, hasFailed: false), at: until)
        }
        balancers[request.gateway].didEnd(
            ids[request.node],
            BalancedAttempt(latency: .seconds(seconds), hasFailed: hasFailed), now: .seconds(now))
        guard request.isCounted else { return }
        if hasFailed {
            outcome.errors += 1
        } else {
            outcome.latencies.append(seconds)
        }
    }

    private mutating func report(now: Double) {
        for (index, id) in ids.enumerated() {
            guard let sample = nodes[index].report(now: now) else { continue }
            for gateway in balancers.indices {
                balancers[gateway].report(id, sample, now: .seconds(now))
            }
        }
    }

    private mutating func probe(from gateway: Int, now: Double) {
        for id in balancers[gateway].endpointsToProbe(now: .seconds(now)) {
            guard let node = ids.firstIndex(of: id) else { continue }
            balancers[gateway].probe(
                id, inFlight: nodes[node].inFlight, latency: nodes[node].latency(now: now),
                now: .seconds(now))
        }
    }

    private mutating func sendProbes(
        from gateway: Int, _ probing: BalancingScenario.Probing, now: Double
    ) {
        let wanted = balancers[gateway].endpointsToProbe(now: .seconds(now))
        for id in gates[gateway].admit(wanted, now: .seconds(now)) {
            guard let node = ids.firstIndex(of: id) else { continue }
            probes += 1
            let delay = random.unit() * probing.delayMax
            events.schedule(.probed(gateway: gateway, node: node), at: now + delay)
        }
    }

    /// Nodes say what they run when they answer; a frozen one answers late, which is too late.
    private mutating func endProbe(from gateway: Int, of node: Int, now: Double) {
        let time = Duration.seconds(now)
        let isFrozen = nodes[node].traits.frozen?.contains(now) ?? false
        let isSilent = scenario.probing?.silent.contains(node) ?? true
        gates[gateway].didEnd(
            ids[node], isFrozen ? .failed : isSilent ? .silent : .taken, now: time)
        guard !isFrozen, !isSilent else { return }
        balancers[gateway].probe(
            ids[node], inFlight: nodes[node].inFlight, latency: nodes[node].latency(now: now),
            now: time)
    }

    private static let keys = ZipfKeys(count: 1000)
}

/// Keys of which the first is asked for most, the second half as often, the third a third as often.
struct ZipfKeys: Sendable {
    private let sums: [Double]

    init(count: Int) {
        var sum = 0.0
        sums = (1...count).map { rank in
            sum += 1 / Double(rank)
            return sum
        }
    }

    func draw(_ random: inout SeededGenerator) -> UInt64 {
        let place = random.unit() * (sums.last ?? 0)
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] <= place { low = middle + 1 } else { high = middle }
        }
        return UInt64(low)
    }
}
