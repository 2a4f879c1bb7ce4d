import Testing

@testable import MartletEngines

struct GenAIPrefixesTests {
    private func tokens(_ count: Int, from first: TokenID = 0) -> [TokenID] {
        (0..<TokenID(count)).map { first + $0 }
    }

    @Test func wholeBlocksOfACommonBeginning_areKnown() {
        var prefixes = GenAIPrefixes(cells: 1024)
        #expect(prefixes.length(of: tokens(100)) == 0)
        prefixes.insert(tokens(100))
        #expect(prefixes.length(of: tokens(100)) == 96)
        #expect(prefixes.length(of: tokens(70) + [9999]) == 64)
        #expect(prefixes.length(of: tokens(31)) == 0)
        // The same block behind another one is another.
        #expect(prefixes.length(of: tokens(32, from: 500) + tokens(32)) == 0)
    }

    @Test func oneToken_isAlwaysComputed() {
        var prefixes = GenAIPrefixes(cells: 1024)
        prefixes.insert(tokens(64))
        #expect(prefixes.length(of: tokens(64)) == 63)
        #expect(prefixes.length(of: []) == 0)
    }

    @Test func leastRecentlyUsed_areGivenUp() {
        var prefixes = GenAIPrefixes(cells: 8 * 32)
        let kept = tokens(64)
        prefixes.insert(kept)
        for round in 1...20 {
            prefixes.insert(tokens(64, from: TokenID(round * 1000)))
            prefixes.insert(kept)
        }
        #expect(prefixes.length(of: kept) == 63)
        #expect(prefixes.length(of: tokens(64, from: 1000)) == 0)
    }
}
