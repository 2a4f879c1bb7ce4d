import MartletTestKit

@testable import MartletGateway

/// Clients that go on with conversations at a few endpoints, and wait for each answer.
///
/// All conversations have a beginning in common. Each turn has them in an order of its own, and any
/// client that is free takes the next. An endpoint does one unit of work a second, shared evenly by
/// all requests that it has: prompts as far as its cache has not their beginning, then answers.
struct ConversationSimulation {
    /// Who asks what; lengths are in blocks.
    struct Load {
        var endpoints = 2
        var clients = 8
        var talks: UInt64 = 64
        var turns: UInt64 = 4
        /// 512 tokens that are everybody's.
        var common: UInt64 = 8
        /// What a turn adds: a question, and the answer to the one before.
        var question: UInt64 = 1
        var answer: UInt64 = 1
        /// Blocks in the cache of each endpoint.
        var cacheBlocks = 200
        /// Seconds that an endpoint takes for a block of a prompt, and for an answer, alone.
        var blockSeconds = 0.16
        var answerSeconds = 3.2

        func prompt(_ talk: UInt64, turn: UInt64) -> [UInt64] {
            let own = question * (turn + 1) + answer * turn
            return Array(0..<common) + (0..<own).map { (talk + 1) << 32 | $0 }
        }
    }

    /// What came of it.
    struct Outcome {
        /// Requests by endpoint, of the first so many that came at once and of all.
        var first: [Int]
        var all: [Int]
        var blocks = 0
        var hits = 0
        /// Of those behind the beginning that all have.
        var ownBlocks = 0
        var ownHits = 0
        /// Of the later turns those at the endpoint of the one before.
        var later = 0
        var kept = 0

        var hitRate: Double { Double(hits) / Double(max(blocks, 1)) }
        var ownHitRate: Double { Double(ownHits) / Double(max(ownBlocks, 1)) }
        var keptShare: Double { Double(kept) / Double(max(later, 1)) }

        /// How many times the mean the endpoint got that got the most.
        var imbalance: Double {
            Double((all.max() ?? 0) * all.count) / Double(max(all.reduce(0, +), 1))
        }
    }

    private let load: Load
    private let ids: [EndpointID]
    private var balancer: any Balancer
    private var caches: [SimulatedPrefixCache]
    /// Seconds of work left of each request, by endpoint.
    private var running: [[Double]]
    private var homes: [UInt64: Int] = [:]
    private var now = 0.0
    private var random: SeededGenerator
    private var outcome: Outcome

    init(_ load: Load, _ algorithm: BalancingAlgorithm, weight: Double = 1, seed: UInt64) {
        self.load = load
        ids = (0..<load.endpoints).map { EndpointID("node-\($0):8501") }
        random = SeededGenerator(seed: seed)
        balancer = algorithm.makeBalancer(seed: seed)
        for id in ids {
            balancer.add(id, now: .zero)
            balancer.setStatedWeight(id, weight, now: .zero)
            balancer.setHealthy(id, true, now: .zero)
            balancer.setCacheTokens(id, load.cacheBlocks * 64, now: .zero)
        }
        caches = ids.map { _ in SimulatedPrefixCache(capacity: load.cacheBlocks) }
        running = ids.map { _ in [] }
        outcome = Outcome(first: ids.map { _ in 0 }, all: ids.map { _ in 0 })
    }

    /// Has all conversations to their end.
    mutating func run() -> Outcome {
        for turn in 0..<load.turns {
            var left = (0..<load.talks).shuffled(using: &random)
            while !left.isEmpty || running.contains(where: { !$0.isEmpty }) {
                while running.reduce(0, { $0 + $1.count }) < load.clients,
                    let talk = left.popLast()
                {
                    ask(talk, turn: turn)
                }
                finishNext()
            }
        }
        return outcome
    }

    private mutating func ask(_ talk: UInt64, turn: UInt64) {
        let prompt = load.prompt(talk, turn: turn)
        let request = PickRequest(prompt: PromptBlocks(hashes: prompt))
        guard let id = balancer.pick(for: request, excluding: [], now: .seconds(now)),
            let node = ids.firstIndex(of: id)
        else { return }
        balancer.didBegin(id, now: .seconds(now))
        let hits = caches[node].serve(prompt)
        running[node].append(
            load.blockSeconds * Double(prompt.count + 1 - hits) + load.answerSeconds)
        if outcome.all.reduce(0, +) < load.clients { outcome.first[node] += 1 }
        outcome.all[node] += 1
        outcome.blocks += prompt.count
        outcome.hits += hits
        outcome.ownBlocks += prompt.count - Int(load.common)
        outcome.ownHits += max(hits - Int(load.common), 0)
        if let home = homes.updateValue(node, forKey: talk) {
            outcome.later += 1
            outcome.kept += home == node ? 1 : 0
        }
    }

    /// Goes on to when the next request is answered.
    private mutating func finishNext() {
        let next = running.enumerated().compactMap { node, left in
            left.min().map { (node: node, time: $0 * Double(left.count)) }
        }.min { $0.time < $1.time }
        guard let next else { return }
        now += next.time
        for node in running.indices {
            let done = next.time / Double(max(running[node].count, 1))
            for place in running[node].indices { running[node][place] -= done }
        }
        guard let least = running[next.node].min(),
            let place = running[next.node].firstIndex(of: least)
        else { return }
        running[next.node].remove(at: place)
        balancer.didEnd(
            ids[next.node], BalancedAttempt(latency: .seconds(1), hasFailed: false),
            now: .seconds(now))
    }
}
