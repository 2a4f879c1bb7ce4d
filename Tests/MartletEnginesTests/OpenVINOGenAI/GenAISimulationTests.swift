import MartletTestKit
import Testing

@testable import MartletEngines

@Suite("Scheduler of OpenVINO GenAI, by the thousand")
struct GenAISimulationTests {
    static let worlds: [(name: String, traits: GenAITraits)] = [
        ("calm", GenAITraits()),
        ("tight", GenAITraits(cells: 8...60, priorities: 3)),
        ("tenants", GenAITraits(tenants: 3, priorities: 6)),
        ("impatient", GenAITraits(tenants: 2, priorities: 4, cancels: true, deadlines: true)),
        ("full", GenAITraits(tenants: 2, cancels: true, waitingMax: 2)),
        (
            "broken",
            GenAITraits(
                tenants: 2, priorities: 4, cancels: true, deadlines: true, crashes: true,
                quirks: true, waitingMax: 8)
        ),
        ("no sharing", GenAITraits(sharing: .none, cancels: true, crashes: true, quirks: true)),
    ]

    /// Without optimisation a world takes ten times as long.
    #if DEBUG
        static let seedCount: UInt64 = 100
    #else
        static let seedCount: UInt64 = 1000
    #endif

    @Test(arguments: Self.worlds.indices)
    func randomRequestsCrashesAndTimes_keepEveryPromise(world: Int) {
        let (name, traits) = Self.worlds[world]
        for seed in SimulationSeeds.first(Self.seedCount) {
            var world = GenAIWorld(seed: seed, traits: traits)
            for _ in 0..<150 where world.complaint == nil { world.act() }
            world.settle()
            #expect(world.complaint == nil, "\(name): \(SimulationSeeds.replay(seed))")
            guard world.complaint == nil else { return }
        }
    }

    @Test
    func simulatedWorlds_seeWhatTheyAreFor() {
        var sum = GenerationCounters()
        var (crashes, refused, full) = (0, 0, 0)
        for (_, traits) in Self.worlds {
            for seed in 0..<30 as Range<UInt64> {
                var world = GenAIWorld(seed: seed, traits: traits)
                for _ in 0..<150 { world.act() }
                world.settle()
                let counters = world.scheduler.load.counters
                sum.completed += counters.completed
                sum.cancelled += counters.cancelled
                sum.expired += counters.expired
                sum.failed += counters.failed
                sum.refused += counters.refused
                sum.prefixHitTokens += counters.prefixHitTokens
                crashes += world.crashes
                refused += world.worker.refused.count
                full += world.worker.ended.values.count { $0 == .full }
            }
        }
        #expect(sum.completed > 1000)
        #expect(sum.cancelled > 100)
        #expect(sum.expired > 20)
        #expect(sum.failed > 100)
        #expect(sum.refused > 20)
        #expect(sum.prefixHitTokens > 1000)
        #expect(crashes > 50)
        #expect(refused > 10)
        #expect(full > 10)
    }
}
