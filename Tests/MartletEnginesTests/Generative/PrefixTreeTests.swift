import MartletTestKit
import Testing

@testable import MartletEngines

@Suite("Prefix tree")
struct PrefixTreeTests {
    private let scope = PrefixScope(adapter: nil, audience: "")

    /// A slot decodes a prompt beside those before it, and shares what there is.
    private func decode(_ tokens: [TokenID], in slot: SlotID, _ tree: inout PrefixTree) -> Int {
        let match = tree.match(tokens, limit: tokens.count, in: scope)
        tree.begin(slot, at: match, in: scope)
        _ = tree.extend(slot, with: tokens[match.length...])
        return match.length
    }

    @Test
    func cellsThatAreShared_areCountedOnce() {
        var tree = PrefixTree()
        let found = [
            decode([1, 2, 3, 4], in: 0, &tree), decode([1, 2, 5], in: 1, &tree),
            decode([1, 2, 3, 4, 6], in: 2, &tree),
        ]
        #expect(found == [0, 2, 4])
        #expect(tree.cells == 6)
        #expect(tree.complaint == nil)
        let isOfUse = tree.settle(2)
        #expect(isOfUse)
        tree.remove(2)
        #expect(tree.cells == 5)
        #expect(tree.complaint == nil)
    }

    @Test
    func whatOnlyCachedSlotsHold_isNotNeeded() {
        var tree = PrefixTree()
        _ = decode([1, 2, 3], in: 0, &tree)
        _ = decode([1, 2, 4, 5], in: 1, &tree)
        #expect(tree.neededCells == 5)
        let isOfUse = tree.settle(1)
        #expect(isOfUse)
        #expect(tree.neededCells == 3)
        let match = tree.match([1, 2, 4, 9], limit: 3, in: scope)
        #expect(match.length == 3)
        #expect(match.idleCells == 1)
    }

    @Test
    func aSequenceThatAnotherHolds_isOfNoUse() {
        var tree = PrefixTree()
        _ = decode([1, 2, 3], in: 0, &tree)
        _ = decode([1, 2, 3, 4], in: 1, &tree)
        let areOfUse = [tree.settle(0), tree.settle(1)]
        #expect(areOfUse == [false, true])
    }

    @Test
    func whatWasDecodedTwice_isFound() {
        var tree = PrefixTree()
        tree.begin(0, at: PrefixMatch(), in: scope)
        tree.begin(1, at: PrefixMatch(), in: scope)
        _ = tree.extend(0, with: [1, 2, 3, 4])
        let found = tree.extend(1, with: [1, 2, 3, 5])
        #expect(found.duplicates == 3)
        #expect(found.source == 0)
        #expect(tree.cells == 5)
        #expect(tree.complaint == nil)
    }

    @Test
    func aCachedSlot_runsAgainWithAsMuchAsIsCommon() {
        var tree = PrefixTree()
        _ = decode([1, 2, 3, 4], in: 0, &tree)
        _ = tree.settle(0)
        let match = tree.match([1, 2, 9], limit: 2, in: scope)
        #expect(tree.cachedSlot(endingAt: match) == nil)
        tree.resume(0, at: match)
        #expect(tree.tokens(of: 0) == [1, 2])
        #expect(tree.cells == 2)
        #expect(tree.neededCells == 2)
        #expect(tree.complaint == nil)
    }

    @Test
    func theLeastRecentlyUsed_isThatWhichNobodyAskedFor() {
        var tree = PrefixTree()
        for slot in 0..<3 as Range<SlotID> {
            _ = decode([slot + 1, 2, 3], in: slot, &tree)
            _ = tree.settle(slot)
        }
        tree.touch(0)
        #expect(tree.leastRecentlyUsed == 1)
        tree.remove(1)
        #expect(tree.leastRecentlyUsed == 2)
    }

    @Test
    func otherScopes_areOtherTrees() {
        var tree = PrefixTree()
        _ = decode([1, 2, 3], in: 0, &tree)
        let other = PrefixScope(adapter: "a", audience: "")
        #expect(tree.match([1, 2, 3], limit: 3, in: other) == PrefixMatch())
        _ = tree.settle(0)
        tree.remove(0)
        #expect(tree.roots.isEmpty)
        #expect(tree.cells == 0)
    }

    @Test
    func slotsBeyondTheLast_areNeverInASet() {
        var set = SlotSet()
        for slot in [-1, 0, 63, 64, 255, 256, .max] as [SlotID] { set.insert(slot) }
        #expect(Array(set) == [0, 63, 64, 255])
        #expect(set.count == 4)
        set.remove(63)
        set.remove(-5)
        #expect(!set.contains(63) && set.contains(64) && !set.contains(1000))
    }

    /// Without optimisation a tree takes ten times as long.
    #if DEBUG
        private static let seedCount: UInt64 = 1000
    #else
        private static let seedCount: UInt64 = 10_000
    #endif

    @Test
    func randomUse_keepsTheTreeConsistent() {
        for seed in SimulationSeeds.first(Self.seedCount) {
            var random = SeededGenerator(seed: seed)
            var tree = PrefixTree()
            var sequences: [SlotID: [TokenID]] = [:]
            for _ in 0..<120 {
                Self.change(&tree, &sequences, scope, &random)
                for (slot, tokens) in sequences where tree.tokens(of: slot) != tokens {
                    Issue.record("slot \(slot): \(SimulationSeeds.replay(seed))")
                    return
                }
                let complaint = tree.complaint
                #expect(complaint == nil, "\(SimulationSeeds.replay(seed))")
                guard complaint == nil else { return }
            }
        }
    }

    private static func change(
        _ tree: inout PrefixTree, _ sequences: inout [SlotID: [TokenID]], _ scope: PrefixScope,
        _ random: inout SeededGenerator
    ) {
        let slot = SlotID.random(in: 0..<6, using: &random)
        let tokens = (0..<Int.random(in: 1...8, using: &random)).map { _ in
            TokenID.random(in: 0..<2, using: &random)
        }
        if tree.running.contains(slot) {
            if Bool.random(using: &random) {
                _ = tree.extend(slot, with: tokens[...])
                sequences[slot]? += tokens
            } else if !tree.settle(slot) {
                tree.remove(slot)
                sequences[slot] = nil
            }
            return
        }
        let match = tree.match(tokens, limit: tokens.count, in: scope)
        if tree.cached.contains(slot) {
            if tree.holds(slot, match) {
                tree.resume(slot, at: match)
                sequences[slot] = Array(tokens.prefix(match.length))
            } else {
                tree.remove(slot)
                sequences[slot] = nil
            }
        } else {
            tree.begin(slot, at: match, in: scope)
            sequences[slot] = Array(tokens.prefix(match.length))
        }
    }
}
