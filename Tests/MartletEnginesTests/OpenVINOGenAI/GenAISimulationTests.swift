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

    /// What happens in each world before it settles.
    static let acts = 150

    /// Without optimisation a world takes ten times as long.
    #if DEBUG
        static let seedCount: UInt64 = 100
    #else
        static let seedCount: UInt64 = 1000
    #endif

    @Test(arguments: Self.worlds.indices)
    func randomRequestsCrashesAndTimes_keepEveryPromise(world: Int) {
        let (name, traits) = Self.worlds[world]
        let complaint = SimulationSeeds.complaint(first: Self.seedCount, acts: Self.acts) {
            GenAIWorld(seed: $0, traits: traits)
        }
        #expect(complaint == nil, "\(name)")
    }

    @Test
    func simulatedWorlds_seeWhatTheyAreFor() {
        var sum = GenerationCounters()
        var (crashes, refused, full) = (0, 0, 0)
        for (_, traits) in Self.worlds {
            for seed in 0..<30 as Range<UInt64> {
                let world = GenAIWorld(seed: seed, traits: traits).lived(acts: Self.acts)
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
