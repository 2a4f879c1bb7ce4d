/// Says when there are so few healthy endpoints that health is not to be believed any more.
///
/// Sending everything to the few that are left would take them down too, and what calls most
/// endpoints unhealthy may itself be wrong. Then all are used, and retries see to those that are
/// really dead. Source: Envoy's panic threshold, with its default of one half.
public struct PanicThreshold: Sendable, Equatable {
    /// The part of the endpoints below which health is ignored, from 0 to 1 (default 0.5); 0 for
    /// never.
    public let healthyShareMin: Double

    /// The default, or what is given, brought into its range.
    public init(healthyShareMin: Double = 0.5) {
        self.healthyShareMin = min(max(0, healthyShareMin), 1)
    }

    /// Whether fewer than the minimum are healthy.
    func isPanic(healthy: Int, of total: Int) -> Bool {
        total > 0 && Double(healthy) < Double(total) * healthyShareMin
    }
}
