/// Something, and all around it, that behaves at random, and sees which promises are broken.
public protocol SimulatedWorld {
    /// The first promise that was broken; nil while all are kept.
    var complaint: String? { get }

    /// One thing happens.
    mutating func act()

    /// Lets everything come to its end.
    mutating func settle()
}

extension SimulatedWorld {
    /// The world at its end: it has acted so often, or until a promise was broken, and settled.
    public consuming func lived(acts: Int) -> Self {
        var world = self
        for _ in 0..<acts where world.complaint == nil { world.act() }
        world.settle()
        return world
    }
}

extension SimulationSeeds {
    /// The first broken promise in worlds of the first so many seeds, or of the one that the
    /// environment names, and how to see it again; nil if all were kept.
    ///
    /// - Parameters:
    ///   - count: how many worlds.
    ///   - acts: how much happens in each before it settles.
    ///   - world: begins the world of a seed.
    /// - Returns: a complaint with the seed's environment, or nil.
    public static func complaint(
        first count: UInt64, acts: Int, in world: (UInt64) -> some SimulatedWorld
    ) -> String? {
        for seed in first(count) {
            if let complaint = world(seed).lived(acts: acts).complaint {
                return "\(complaint); \(replay(seed))"
            }
        }
        return nil
    }
}
