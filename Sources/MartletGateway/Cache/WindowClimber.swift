/// Finds how large the admission window of a cache should be, by trying.
///
/// Hill climbing, after Einziger, Eytan, Friedman and Manes, "Adaptive software cache management",
/// Middleware 2018: after each period the window changes by a step, on in the same direction if
/// hits became more frequent, and back if less.
///
/// Unlike there, only what chance does not explain counts as a change. Where there is none, the
/// window becomes smaller, since a small one is safe from scans; at its smallest it rests, for
/// longer each time that a larger one was tried in vain. So steps need not shrink, and the window
/// does not wander about where its size matters little, as it does by Zipf's law.
struct WindowClimber: Sendable {
    /// The smallest share: newcomers need some place to prove themselves.
    static let shareMin = 0.01
    /// The largest share: beyond it the policy would be no more than LRU.
    static let shareMax = 0.8
    /// The step, as a part of the cache; that of the paper.
    private static let step = 0.0625
    /// How many standard deviations of what chance does count as a change.
    private static let significance = 2.0
    /// By how much the share of hits must change to end a rest: the load is another.
    private static let upheaval = 0.05
    /// The longest rest, in periods.
    private static let restMax = 8

    /// The window's share of the cache (at first 1 %).
    private(set) var share = WindowClimber.shareMin
    private var isGrowing = true
    /// Periods yet to rest, and how long the last rest was.
    private var rest = 0
    private var lastRest = 0
    private var requests = 0
    private var hits = 0
    private var lastRatio: Double?

    /// Counts a request; after `period` of them the share changes.
    mutating func record(isHit: Bool, period: Int) {
        requests += 1
        if isHit { hits += 1 }
        guard requests >= max(period, 1) else { return }
        adapt(to: Double(hits) / Double(requests), of: requests)
        (requests, hits) = (0, 0)
    }

    /// Changes the share after a period in which this part of so many requests were hits.
    mutating func adapt(to ratio: Double, of requests: Int) {
        defer { lastRatio = ratio }
        // The first period is what the next is measured by.
        if let lastRatio {
            let gain = ratio - lastRatio
            // Of the difference of two binomial shares.
            let deviation = (2 * ratio * (1 - ratio) / Double(max(requests, 1))).squareRoot()
            let isChance = abs(gain) < Self.significance * deviation
            guard turn(gain: gain, isChance: isChance) else { return }
        }
        let changed = share + (isGrowing ? Self.step : -Self.step)
        share = min(max(changed, Self.shareMin), Self.shareMax)
        guard share == Self.shareMin else { return }
        lastRest = min(max(lastRest * 2, 1), Self.restMax)
        rest = lastRest
    }

    /// Decides on the direction of the next step; false to stay.
    private mutating func turn(gain: Double, isChance: Bool) -> Bool {
        if share == Self.shareMin {
            if abs(gain) >= Self.upheaval { (rest, lastRest) = (0, 0) }
            if rest > 0 {
                rest -= 1
                return false
            }
            isGrowing = true
        } else if isChance {
            isGrowing = false
        } else {
            isGrowing = (gain > 0) == isGrowing
            if isGrowing { lastRest = 0 }
        }
        return true
    }
}
