/// What is fair among the endpoints of a pool with a prompt to come.
///
/// Stated weights say what endpoints carry relative to each other, in any unit, whereas costs and
/// bounds are in blocks and requests. So a weight counts here relative to the mean, which makes it
/// 1 where all are equal.
struct FairShare: Sendable {
    /// What one endpoint has to do.
    struct Load: Sendable {
        /// What it is said to carry, more than 0.
        var weight: Double
        /// Blocks that it was given lately.
        var recent: Double
        /// Its requests in flight.
        var requests: Int
    }

    /// Weights so far from the mean are no statements any more, and would make costs infinite.
    private static let weights = 1e-6...1e6

    private let meanWeight: Double
    /// Blocks of the prompt to come.
    private let work: Double
    /// The most that an endpoint of weight 1 may have, the prompt to come counted.
    private let recentMax: Double
    private let requestsMax: Double
    private let configuration: PrefixConfiguration

    /// The shares of endpoints that have so much to do.
    ///
    /// - Parameters:
    ///   - loads: of those that the prompt may go to. With others, which get none of what these get,
    ///     the mean would be too low, and none of these have room.
    ///   - work: what the prompt to come is, in blocks.
    ///   - configuration: how far above its share an endpoint may be.
    init(of loads: [Load], with work: Double, _ configuration: PrefixConfiguration) {
        let count = Double(max(loads.count, 1))
        meanWeight = loads.reduce(0) { $0 + $1.weight } / count
        let factor = configuration.loadFactor / count
        recentMax = factor * loads.reduce(work) { $0 + $1.recent }
        requestsMax = factor * loads.reduce(1) { $0 + Double($1.requests) }
        self.work = work
        self.configuration = configuration
    }

    /// A stated weight beside the mean of all.
    func weight(of load: Load) -> Double {
        min(max(load.weight / meanWeight, Self.weights.lowerBound), Self.weights.upperBound)
    }

    /// The requests that would be in flight with the one to come, for the weight.
    func crowd(of load: Load) -> Double { (Double(load.requests) + 1) / weight(of: load) }

    /// Whether an endpoint may be given the prompt.
    func hasRoom(_ load: Load) -> Bool {
        // Evenness is no end in itself: where nothing runs, nothing has to wait.
        guard load.requests > 0 else { return true }
        let weight = weight(of: load)
        let slack = configuration.blocks(ofTokens: configuration.slackTokens)
        return load.recent + work <= recentMax * weight + slack
            && Double(load.requests) + 1
                <= (requestsMax * weight).rounded(.up) + Double(configuration.slackRequests)
    }
}
