import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Locality")
struct LocalityTests {
    private let own = Locality(region: "eu", zone: "eu-a")

    @Test(arguments: [
        (Locality(region: "eu", zone: "eu-a"), Proximity.sameZone),
        (Locality(region: "eu", zone: "eu-b"), .sameRegion),
        (Locality(region: "eu"), .sameRegion),
        (Locality(region: "us", zone: "eu-a"), .elsewhere),
        (Locality(zone: "eu-a"), .elsewhere),
        (Locality(), .elsewhere),
    ])
    func proximity_isByZoneThenRegion(other: Locality, proximity: Proximity) {
        #expect(own.proximity(of: other) == proximity)
    }

    @Test func proximity_whereNothingIsSaid_isElsewhere() {
        #expect(Locality().proximity(of: own) == .elsewhere)
        #expect(Locality().proximity(of: Locality()) == .elsewhere)
        #expect(Locality(zone: "a").proximity(of: Locality(zone: "a")) == .sameZone)
    }

    // MARK: Shares

    /// Healthy endpoints of ten in each level, and the shares in per cent.
    @Test(arguments: [
        ([10, 10, 10], [100, 0, 0]),
        ([8, 10, 10], [100, 0, 0]),
        // 71.4 % are the least that carry everything.
        ([7, 10, 10], [98, 2, 0]),
        ([5, 10, 10], [70, 30, 0]),
        ([5, 2, 10], [70, 28, 2]),
        ([0, 10, 10], [0, 100, 0]),
        ([0, 5, 10], [0, 70, 30]),
        ([0, 0, 1], [0, 0, 100]),
        // Together they cannot carry everything.
        ([2, 2, 1], [40, 40, 20]),
        ([1, 0, 3], [25, 0, 75]),
        // Nobody is healthy: by number.
        ([0, 0, 0], [33, 33, 33]),
    ])
    func shares_followHealthAndOverflowToTheNextLevel(healthy: [Int], percent: [Int]) {
        let shares = LocalityShares(of: healthy.map { .init(healthy: $0, total: 10) })
        #expect(shares.shares.map { Int(($0 * 100).rounded()) } == percent)
    }

    @Test(arguments: [
        ([10, 10, 10], 100), ([5, 2, 10], 100), ([2, 2, 1], 70), ([0, 0, 0], 0), ([7, 0, 0], 98),
    ])
    func health_isWhatAllLevelsTogetherCarry(healthy: [Int], percent: Int) {
        let shares = LocalityShares(of: healthy.map { .init(healthy: $0, total: 10) })
        #expect(Int((shares.health * 100).rounded()) == percent)
    }

    @Test func levelsWithoutEndpoints_getNothing() {
        let empty = LocalityShares.Level(healthy: 0, total: 0)
        let full = LocalityShares.Level(healthy: 4, total: 4)
        #expect(LocalityShares(of: [empty, full, empty]).shares == [0, 1, 0])
        #expect(LocalityShares(of: [empty, empty]).shares == [0, 0])
        #expect(LocalityShares(of: []).shares.isEmpty)
        #expect(LocalityShares(of: [empty]).level(at: 0.5) == nil)
        #expect(LocalityShares(of: []).level(at: 0.5) == nil)
    }

    @Test func withNobodyHealthy_sharesFollowTheNumberOfEndpoints() {
        let levels = [1, 0, 3].map { LocalityShares.Level(healthy: 0, total: $0) }
        #expect(LocalityShares(of: levels).shares == [0.25, 0, 0.75])
    }

    @Test func overprovisioning_ofOne_overflowsFromTheFirstFailure() {
        let levels = [9, 10].map { LocalityShares.Level(healthy: $0, total: 10) }
        #expect(LocalityShares(of: levels, overprovisioning: 1).shares[0] == 0.9)
        #expect(LocalityShares(of: levels, overprovisioning: .nan).shares[0] == 0.9)
        #expect(LocalityShares(of: levels, overprovisioning: .infinity).shares == [1, 0])
    }

    @Test func figures_outOfRange_areBroughtIntoIt() {
        let level = LocalityShares.Level(healthy: 12, total: 10)
        #expect(level.healthy == 10)
        #expect(LocalityShares.Level(healthy: -1, total: -1) == .init(healthy: 0, total: 0))
        let huge = LocalityShares.Level(healthy: 0, total: .max)
        #expect(LocalityShares(of: [huge, huge]).shares == [0.5, 0.5])
    }

    @Test func level_isTheOneWhosePartThePointFallsInto() {
        let shares = LocalityShares(of: [5, 10, 10].map { .init(healthy: $0, total: 10) })
        #expect([0, 0.69, 0.71, 0.99999999].map { shares.level(at: $0) } == [0, 0, 1, 1])
        #expect([-1, 1, 2].map { shares.level(at: $0) } == [0, 1, 1])
    }

    @Test func endpoints_areSortedIntoLevelsByProximity() {
        let near = Locality(region: "eu", zone: "eu-a")
        let region = Locality(region: "eu", zone: "eu-b")
        let far = Locality(region: "us", zone: "us-a")
        let endpoints = [
            (near, true), (near, false), (region, true), (region, true), (far, true), (far, false),
        ].map { (locality: $0.0, isHealthy: $0.1) }
        let shares = LocalityShares(from: own, to: endpoints)
        let expected = LocalityShares(of: [
            .init(healthy: 1, total: 2), .init(healthy: 2, total: 2), .init(healthy: 1, total: 2),
        ])
        #expect(shares == expected)
        // A gateway that does not know where it stands makes no difference.
        #expect(LocalityShares(from: Locality(), to: endpoints).shares == [0, 0, 1])
    }

    // MARK: Properties

    private func randomLevels(_ generator: inout SeededGenerator) -> [LocalityShares.Level] {
        (0..<Int.random(in: 1...5, using: &generator)).map { _ in
            let total = Int.random(in: 0...12, using: &generator)
            return .init(healthy: Int.random(in: 0...total, using: &generator), total: total)
        }
    }

    @Test func shares_addUpToOneAndGoOnlyWhereEndpointsAre() {
        for seed in SimulationSeeds.first(10_000) {
            var generator = SeededGenerator(seed: seed)
            let levels = randomLevels(&generator)
            let factor = Double.random(in: 1...3, using: &generator)
            let result = LocalityShares(of: levels, overprovisioning: factor)
            let sum = result.shares.reduce(0, +)
            let expected = levels.contains { $0.total > 0 } ? 1.0 : 0
            #expect(abs(sum - expected) < 1e-9, "\(SimulationSeeds.replay(seed))")
            let isAnyHealthy = levels.contains { $0.healthy > 0 }
            let isKept = zip(result.shares, levels).allSatisfy { share, level in
                let isUsable = isAnyHealthy ? level.healthy > 0 : level.total > 0
                return (0...1).contains(share) && (isUsable || share == 0)
            }
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }

    /// One more healthy endpoint never costs its level traffic, nor wins any for another.
    @Test func shares_growWithTheHealthOfTheirLevelAlone() {
        for seed in SimulationSeeds.first(10_000) {
            var generator = SeededGenerator(seed: seed)
            var levels = randomLevels(&generator)
            // Where nobody is healthy, shares are by number instead.
            guard levels.contains(where: { $0.healthy > 0 }),
                let index = levels.indices.filter({ levels[$0].healthy < levels[$0].total })
                    .randomElement(using: &generator)
            else { continue }
            let before = LocalityShares(of: levels)
            levels[index].healthy += 1
            let after = LocalityShares(of: levels)
            #expect(after.health >= before.health, "\(SimulationSeeds.replay(seed))")
            let isKept = levels.indices.allSatisfy { place in
                let grown = after.shares[place] - before.shares[place]
                return place == index ? grown >= -1e-9 : grown <= 1e-9
            }
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }

    @Test func levels_areDrawnInProportionToTheirShares() {
        for seed in SimulationSeeds.first(300) {
            var generator = SeededGenerator(seed: seed)
            let shares = LocalityShares(of: randomLevels(&generator))
            var counts = [Int](repeating: 0, count: shares.shares.count)
            for point in 0..<1000 {
                guard let level = shares.level(at: (Double(point) + 0.5) / 1000) else { continue }
                counts[level] += 1
            }
            let isKept = zip(counts, shares.shares).allSatisfy { count, share in
                abs(Double(count) - share * 1000) <= 1
            }
            #expect(isKept, "\(SimulationSeeds.replay(seed))")
        }
    }
}
