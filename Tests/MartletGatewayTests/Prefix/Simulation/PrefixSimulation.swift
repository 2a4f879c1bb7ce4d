import MartletTestKit

@testable import MartletGateway

/// Endpoints that serve a trace of requests, with a cache of prefixes each.
///
/// An endpoint computes prompts one after the other, all that its cache has not; answers are written
/// beside that, however many. Its cache is a list by recency of its own, which knows nothing of the
/// balancer's index.
struct PrefixSimulation {
    /// What the endpoints are like.
    struct Cluster: Sendable {
        var endpoints = 8
        /// Tokens in the cache of each; nil for no bound.
        var cacheTokens: Int?
        /// Gateways that share the requests at random.
        var gateways = 1
        /// Tokens of prompts that all compute together in a second, each its part.
        var promptTokensPerSecond = 40_000.0
        /// Tokens of an answer in a second.
        var answerTokensPerSecond = 40.0

        var cacheBlocks: Int { cacheTokens.map { $0 / PrefixTrace.blockTokens } ?? .max }
    }

    /// What came of it.
    struct Outcome: Sendable {
        var blocks = 0
        var hits = 0
        /// Tokens of the prompts that each endpoint was given, and of those it had to compute.
        var given: [Double]
        var computed: [Double]
        /// Seconds to the first token.
        var firstTokens: [Double] = []

        /// Blocks that a cache had, of all.
        var hitRate: Double { blocks > 0 ? Double(hits) / Double(blocks) : 0 }

        /// How many times the mean the endpoint that was given the most was given.
        var imbalance: Double { Self.imbalance(of: given) }

        /// The same, of what was computed.
        var computedImbalance: Double { Self.imbalance(of: computed) }

        private static func imbalance(of shares: [Double]) -> Double {
            (shares.max() ?? 0) * Double(shares.count) / max(shares.reduce(0, +), 1)
        }
    }

    private let trace: PrefixTrace
    private let cluster: Cluster
    private let ids: [EndpointID]
    private var balancers: [any Balancer]
    private var caches: [SimulatedPrefixCache]
    /// When each has computed all that it was given.
    private var freeAt: [Double]
    private var random: SeededGenerator
    private var ends = EventQueue<(gateway: Int, node: Int)>()
    private var nextEnd: (time: Double, event: (gateway: Int, node: Int))?
    private var outcome: Outcome

    init(
        _ trace: PrefixTrace, _ cluster: Cluster, _ algorithm: BalancingAlgorithm, seed: UInt64,
        configuration: PrefixConfiguration = .trace
    ) {
        self.trace = trace
        self.cluster = cluster
        var random = SeededGenerator(seed: seed)
        let ids = (0..<cluster.endpoints).map { EndpointID("node-\($0):8501") }
        balancers = (0..<cluster.gateways).map { _ in
            var balancer = algorithm.makeBalancer(
                seed: random.next(), configuration: BalancingConfiguration(prefix: configuration))
            for id in ids {
                balancer.add(id, now: .zero)
                balancer.setHealthy(id, true, now: .zero)
                balancer.setCacheTokens(id, cluster.cacheTokens ?? 1 << 40, now: .zero)
            }
            return balancer
        }
        caches = ids.map { _ in SimulatedPrefixCache(capacity: cluster.cacheBlocks) }
        freeAt = ids.map { _ in 0 }
        outcome = Outcome(given: ids.map { _ in 0 }, computed: ids.map { _ in 0 })
        self.ids = ids
        self.random = random
    }

    /// Serves all requests.
    mutating func run() -> Outcome {
        for request in trace.requests { arrive(request, now: request.timestamp / 1000) }
        return outcome
    }

    private mutating func arrive(_ request: PrefixTrace.Request, now: Double) {
        end(before: now)
        let gateway =
            balancers.count > 1 ? Int.random(in: balancers.indices, using: &random) : 0
        // The first block is everybody's, so what a session would be known by is the next ones.
        let pick = PickRequest(
            affinityKey: request.blocks.dropFirst().first,
            prompt: PromptBlocks(hashes: request.blocks))
        let time = Duration.seconds(now)
        guard let id = balancers[gateway].pick(for: pick, excluding: [], now: time),
            let node = ids.firstIndex(of: id)
        else { return }
        balancers[gateway].didBegin(id, now: time)
        let hits = caches[node].serve(request.blocks)
        let computed = Double((request.blocks.count - hits) * PrefixTrace.blockTokens)
        outcome.blocks += request.blocks.count
        outcome.hits += hits
        outcome.given[node] += Double(request.inputTokens)
        outcome.computed[node] += computed
        let speed = cluster.promptTokensPerSecond / Double(cluster.endpoints)
        freeAt[node] = max(freeAt[node], now) + computed / speed
        outcome.firstTokens.append(freeAt[node] - now)
        let answer = Double(request.outputTokens) / cluster.answerTokensPerSecond
        ends.schedule((gateway, node), at: freeAt[node] + answer)
    }

    private mutating func end(before now: Double) {
        while let (time, event) = nextEnd ?? ends.next() {
            guard time <= now else {
                nextEnd = (time, event)
                return
            }
            nextEnd = nil
            balancers[event.gateway].didEnd(
                ids[event.node], BalancedAttempt(latency: .seconds(1), hasFailed: false),
                now: .seconds(time))
        }
    }
}

/// A cache of prefixes that forgets what was used least recently, the ends of prompts first.
struct SimulatedPrefixCache {
    private let capacity: Int
    private var blocks = RecencyMap<UInt64, Bool>()

    init(capacity: Int) { self.capacity = capacity }

    /// Takes a prompt in; how many of its blocks were there, from the first on.
    mutating func serve(_ prompt: [UInt64]) -> Int {
        let hits = prompt.prefix { blocks[$0] != nil }.count
        for block in prompt.reversed() { blocks.use(block, true) }
        while blocks.count > capacity, let oldest = blocks.leastRecent { blocks.remove(oldest.key) }
        return hits
    }
}

extension PrefixConfiguration {
    /// The defaults, with blocks of as many tokens as a trace's.
    static let trace = PrefixConfiguration(
        blockBytes: PrefixTrace.blockTokens * bytesPerToken)
}
