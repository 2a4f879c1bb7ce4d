import MartletTestKit
import Testing

@testable import MartletEngines

@Suite("Prefixes of several tenants")
struct PrefixScopeTests {
    private static let tenants = 4
    private static let slots: SlotID = 48

    /// Few tokens and few beginnings, so that by chance most prompts begin as somebody's do.
    private func prompt(_ generator: inout SeededGenerator) -> [TokenID] {
        (0..<Int.random(in: 1...24, using: &generator)).map { _ in
            TokenID.random(in: 1...2, using: &generator)
        }
    }

    /// A probe finds as much as the tenant's own prompts explain, whatever others have in memory:
    /// what it finds is what it would find in a tree of its own.
    @Test(arguments: SimulationSeeds.first(10))
    func aProbe_findsWhatItsTenantHasLeft_andNothingElse(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var tree = PrefixTree()
        var owners: [SlotID: (tenant: Int, tokens: [TokenID])] = [:]
        var found = 0
        for _ in 0..<10_000 {
            let tenant = Int.random(in: 0..<Self.tenants, using: &generator)
            let scope = PrefixScope(adapter: nil, audience: "tenant \(tenant)")
            let tokens = prompt(&generator)
            let match = tree.match(tokens, limit: tokens.count, in: scope)
            let own = owners.values.filter { $0.tenant == tenant }.map { kept in
                zip(kept.tokens, tokens).prefix { $0 == $1 }.count
            }
            let holder = tree.holder(of: match).flatMap { owners[$0]?.tenant } ?? tenant
            guard match.length == own.max() ?? 0, holder == tenant else {
                Issue.record("tenant \(tenant): \(match); \(SimulationSeeds.replay(seed))")
                return
            }
            found += match.length
            keep(tokens, of: tenant, match, scope, &tree, &owners, &generator)
        }
        #expect(found > 0 && tree.complaint == nil)
    }

    /// A slot of a tenant decodes a prompt and is cached, in place of another.
    private func keep(
        _ tokens: [TokenID], of tenant: Int, _ match: PrefixMatch, _ scope: PrefixScope,
        _ tree: inout PrefixTree, _ owners: inout [SlotID: (tenant: Int, tokens: [TokenID])],
        _ generator: inout SeededGenerator
    ) {
        let slot = SlotID.random(in: 0..<Self.slots, using: &generator)
        var match = match
        if owners[slot] != nil {
            tree.remove(slot)
            owners[slot] = nil
            // A match is good until the tree changes.
            match = tree.match(tokens, limit: tokens.count, in: scope)
        }
        tree.begin(slot, at: match, in: scope)
        _ = tree.extend(slot, with: tokens[match.length...])
        _ = tree.settle(slot)
        owners[slot] = (tenant, tokens)
    }
}
