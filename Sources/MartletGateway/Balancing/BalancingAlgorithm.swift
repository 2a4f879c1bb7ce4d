/// The balancing algorithms by the names of their flag.
public enum BalancingAlgorithm: String, CaseIterable, Sendable {
    /// To each what it can carry, by its load reports: ``DynamicWeightedRoundRobin``.
    case dynamicWeightedRoundRobin = "dynamic-weighted-round-robin"
    /// To each in turn: ``RoundRobin``.
    case roundRobin = "round-robin"
    /// To the less loaded of two: ``LeastRequest``.
    case leastRequest = "least-request"
    /// To the one of two with the lower latency for its load: ``PeakEWMA``.
    case peakEWMA = "peak-ewma"
    /// To the fastest of those that are not hot: ``Prequal``.
    case prequal = "prequal"
    /// To where requests of the same key went, while it is not overloaded: ``ConsistentHashing``.
    case consistentHash = "consistent-hash"
    /// To where the beginning of the prompt is computed already, while that is worth it:
    /// ``PrefixAware``.
    case prefixAware = "prefix-aware"

    /// A balancer without endpoints.
    ///
    /// Gateways should have different seeds, so that they do not march in step.
    public func makeBalancer(
        seed: UInt64, configuration: BalancingConfiguration = BalancingConfiguration()
    ) -> any Balancer {
        switch self {
        case .dynamicWeightedRoundRobin:
            DynamicWeightedRoundRobin(configuration: configuration, seed: seed)
        case .roundRobin: RoundRobin(seed: seed)
        case .leastRequest: LeastRequest(configuration: configuration, seed: seed)
        case .peakEWMA: PeakEWMA(configuration: configuration, seed: seed)
        case .prequal: Prequal(configuration: configuration, seed: seed)
        case .consistentHash: ConsistentHashing(configuration: configuration, seed: seed)
        case .prefixAware: PrefixAware(configuration: configuration, seed: seed)
        }
    }
}
