import MartletTestKit
import Testing

@testable import MartletEngines

@Suite("Generation scheduler, by the thousand")
struct GenerationSimulationTests {
    static let worlds: [(name: String, traits: WorldTraits)] = [
        ("calm", WorldTraits()),
        ("tight", WorldTraits(cells: 8...48, priorities: 3)),
        ("tenants and adapters", WorldTraits(adapters: 3, tenants: 3, priorities: 6)),
        (
            "impatient",
            WorldTraits(
                adapters: 2, tenants: 2, priorities: 4, cancels: true, deadlines: true, drafts: true
            )
        ),
        (
            "broken",
            WorldTraits(
                cells: 8...80, adapters: 2, tenants: 2, priorities: 4, cancels: true,
                deadlines: true, failures: true, drafts: true, waitingMax: 6)
        ),
        ("guessing", WorldTraits(cells: 30...300, drafts: true)),
        (
            "copies",
            WorldTraits(
                sharing: .byCopy, tenants: 2, priorities: 4, cancels: true, failures: true,
                drafts: true)
        ),
        ("no sharing", WorldTraits(sharing: .none, cancels: true, failures: true)),
    ]

    /// What happens in each world before it settles.
    static let acts = 80

    /// Without optimisation a world takes ten times as long.
    #if DEBUG
        static let seedCount: UInt64 = 150
    #else
        static let seedCount: UInt64 = 1250
    #endif

    @Test(arguments: Self.worlds.indices)
    func randomRequestsFailuresAndTimes_keepEveryPromise(world: Int) {
        let (name, traits) = Self.worlds[world]
        let complaint = SimulationSeeds.complaint(first: Self.seedCount, acts: Self.acts) {
            GenerationWorld(seed: $0, traits: traits)
        }
        #expect(complaint == nil, "\(name)")
    }

    @Test
    func simulatedWorlds_seeWhatTheyAreFor() {
        var sum = GenerationCounters()
        for (_, traits) in Self.worlds {
            for seed in 0..<40 as Range<UInt64> {
                let world = GenerationWorld(seed: seed, traits: traits).lived(acts: Self.acts)
                let counters = world.scheduler.counters
                sum.prefixHitTokens += counters.prefixHitTokens
                sum.preemptions += counters.preemptions
                sum.evictions += counters.evictions
                sum.draftsAccepted += counters.draftsAccepted
                sum.modelDraftsAccepted += counters.modelDraftsAccepted
                sum.failedSteps += counters.failedSteps
                sum.recomputedTokens += counters.recomputedTokens
                sum.expired += counters.expired
                sum.refused += counters.refused
            }
        }
        #expect(sum.prefixHitTokens > 1000)
        #expect(sum.preemptions > 100)
        #expect(sum.evictions > 100)
        #expect(sum.draftsAccepted > 100)
        #expect(sum.modelDraftsAccepted > 100)
        #expect(sum.failedSteps > 100)
        #expect(sum.recomputedTokens > 100)
        #expect(sum.expired > 10)
        #expect(sum.refused > 10)
    }
}
