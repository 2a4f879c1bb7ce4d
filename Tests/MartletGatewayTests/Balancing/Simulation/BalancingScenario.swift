/// A cluster and what goes wrong in it.
struct BalancingScenario: Sendable {
    let name: String
    var nodes: [SimulatedNode.Traits]
    /// Requests a second, of all gateways.
    var rate = 240.0
    /// Seconds that are not counted: until weights are known, and queues from before are empty.
    var warmUpSeconds = 30.0
    /// Seconds that are.
    var seconds = 60.0
    /// Gateways that share the requests, each with a balancer of its own.
    var gateways = 1
    /// Whether nodes report their load, once a second.
    var reportsLoad = true
    /// Whether nodes answer probes.
    var answersProbes = false
    /// How probes travel; nil where they are sent and answered in no time.
    var probing: Probing?

    /// Rounds of probes as the gateway's shell sends them.
    struct Probing: Sendable {
        /// Seconds from one round to the next.
        var spacing = 0.010
        /// The longest that an answer takes, in seconds.
        var delayMax = 0.020
        /// Nodes that answer without their load, by number.
        var silent: Set<Int> = []
    }

    private static let fine = SimulatedNode.Traits()

    /// Three endpoints, one of them ten times slower: it can carry 20 requests a second of the 240.
    static let slow: BalancingScenario = {
        var slow = fine
        slow.seconds *= 10
        return BalancingScenario(name: "one of three is 10x slower", nodes: [fine, fine, slow])
    }()

    /// The same, and none reports its load.
    static let slowAndSilent: BalancingScenario = {
        var scenario = BalancingScenario(name: "the same, without load reports", nodes: slow.nodes)
        scenario.reportsLoad = false
        return scenario
    }()

    /// Three endpoints, one of which answers with an error within a millisecond.
    static let failing: BalancingScenario = {
        var failing = fine
        failing.failsFast = true
        return BalancingScenario(name: "one of three fails fast", nodes: [fine, fine, failing])
    }()

    /// Three endpoints alike.
    static let equal = BalancingScenario(name: "all are equal", nodes: [fine, fine, fine])

    /// Three endpoints, one of which stands still for 5 s, and no health check notices.
    static let freezing: BalancingScenario = {
        let second = equal.warmUpSeconds + 10
        return BalancingScenario(
            name: "one of three freezes for 5 s", nodes: [fine, fine, frozen(at: second)])
    }()

    /// Twelve endpoints alike, busy to four fifths by as many gateways, and none reports its load.
    static let many: BalancingScenario = {
        var scenario = BalancingScenario(
            name: "twelve gateways", nodes: [SimulatedNode.Traits](repeating: fine, count: 12))
        (scenario.rate, scenario.gateways, scenario.reportsLoad) = (1920, 12, false)
        (scenario.warmUpSeconds, scenario.seconds) = (1, 3)
        return scenario
    }()

    /// The scenarios of `Benchmarks/balancers.py`.
    static let all = [slow, slowAndSilent, failing, freezing, equal]

    private static func frozen(at second: Double) -> SimulatedNode.Traits {
        var frozen = fine
        frozen.frozen = second..<second + 5
        return frozen
    }

    /// The same, short, for tests that run it with many seeds; goes with
    /// ``BalancingConfiguration/quick``.
    var brief: BalancingScenario {
        var brief = self
        for index in nodes.indices where nodes[index].frozen != nil {
            brief.nodes[index] = Self.frozen(at: 13)
        }
        (brief.warmUpSeconds, brief.seconds) = (12, 8)
        return brief
    }
}
