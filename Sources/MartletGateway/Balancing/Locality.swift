/// Where something stands, as its operator names it.
public struct Locality: Sendable, Hashable {
    /// A region, such as `eu-1`; nil where it is not said.
    public let region: String?
    /// A zone of that region, such as `eu-1a`; nil where it is not said.
    public let zone: String?

    /// A locality of which nothing is said, but for what is given.
    public init(region: String? = nil, zone: String? = nil) {
        self.region = region
        self.zone = zone
    }

    /// How near `other` is.
    ///
    /// What is not said is near nothing, so where no localities are configured all are equally far.
    func proximity(of other: Locality) -> Proximity {
        if let zone, zone == other.zone, region == other.region { return .sameZone }
        if let region, region == other.region { return .sameRegion }
        return .elsewhere
    }
}

/// How near an endpoint is to the gateway: the priority levels of traffic, the nearest first.
public enum Proximity: String, Sendable, Hashable, CaseIterable {
    /// In the gateway's own zone.
    case sameZone = "same_zone"
    /// In another zone of its region.
    case sameRegion = "same_region"
    /// In another region, or nobody knows where.
    case elsewhere

    /// The place in the order, the nearest being 0.
    var rank: Int {
        switch self {
        case .sameZone: 0
        case .sameRegion: 1
        case .elsewhere: 2
        }
    }
}

/// Which part of the traffic goes to each priority level.
///
/// A level gets all traffic as long as enough of its endpoints are healthy: a level is taken to have
/// more endpoints than it needs, by the overprovisioning factor. With fewer, what it cannot carry
/// goes on to the next level, and so forth. If all levels together cannot carry everything, each
/// gets its part in proportion to its health; if no endpoint is healthy, in proportion to its
/// endpoints, since then nothing better is known.
///
/// Source: Envoy's priority levels, with its default factor of 1.4: a level begins to overflow when
/// less than about 71 % of it is healthy.
struct LocalityShares: Sendable, Hashable {
    /// The endpoints of one level.
    struct Level: Sendable, Hashable {
        /// Those that can be used.
        var healthy: Int
        /// All of them.
        var total: Int

        /// A level; figures out of range are brought into it.
        init(healthy: Int, total: Int) {
            self.total = max(0, total)
            self.healthy = min(max(0, healthy), self.total)
        }
    }

    /// The part of each level, in the order of the levels.
    ///
    /// They add up to 1, unless there is no endpoint at all: then all are 0.
    let shares: [Double]
    /// How much of the traffic the levels can carry together, from 0 to 1.
    ///
    /// Below 1 there are too few healthy endpoints wherever one looks: only then is
    /// ``PanicThreshold`` to be asked about a level.
    let health: Double

    /// Shares traffic among levels, the first being preferred.
    init(of levels: [Level], overprovisioning: Double = 1.4) {
        let factor = max(1, overprovisioning)
        let healths = levels.map { level in
            level.total > 0 ? min(1, factor * Double(level.healthy) / Double(level.total)) : 0
        }
        let sum = healths.reduce(0, +)
        health = min(1, sum)
        if sum >= 1 {
            var left = 1.0
            shares = healths.map { health in
                let share = min(health, left)
                left -= share
                return share
            }
        } else if sum > 0 {
            shares = healths.map { $0 / sum }
        } else {
            let total = levels.reduce(0.0) { $0 + Double($1.total) }
            shares = levels.map { total > 0 ? Double($0.total) / total : 0 }
        }
    }

    /// The index of the level that a request goes to, given a number drawn evenly from 0 to 1, 1 not
    /// included; nil if there is no endpoint at all.
    func level(at point: Double) -> Int? {
        var left = point
        for (index, share) in shares.enumerated() where share > 0 {
            if left < share { return index }
            left -= share
        }
        // What is lost to rounding belongs to the last that has a share.
        return shares.lastIndex { $0 > 0 }
    }
}

extension LocalityShares {
    /// Shares traffic by how near endpoints are to the gateway; the levels are the cases of
    /// ``Proximity``, by rank.
    init(
        from own: Locality, to endpoints: [(locality: Locality, isHealthy: Bool)],
        overprovisioning: Double = 1.4
    ) {
        var levels = Proximity.allCases.map { _ in Level(healthy: 0, total: 0) }
        for endpoint in endpoints {
            let rank = own.proximity(of: endpoint.locality).rank
            levels[rank].total += 1
            if endpoint.isHealthy { levels[rank].healthy += 1 }
        }
        self.init(of: levels, overprovisioning: overprovisioning)
    }
}
