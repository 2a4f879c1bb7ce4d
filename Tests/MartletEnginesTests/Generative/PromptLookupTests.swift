import Testing

@testable import MartletEngines

@Suite("Prompt lookup")
struct PromptLookupTests {
    private let lookup = PromptLookup(matchMin: 2, matchMax: 4, windowTokens: 100)

    @Test
    func whatFollowedTheSameTokens_isProposed() {
        #expect(lookup.propose(after: [1, 2, 3, 4, 5, 9, 1, 2], limit: 3) == [3, 4, 5])
    }

    @Test
    func theLongestAgreement_countsMoreThanTheLatest() {
        let tokens: [TokenID] = [7, 1, 2, 30, 0, 8, 1, 2, 40, 0, 7, 1, 2]
        #expect(lookup.propose(after: tokens, limit: 1) == [30])
    }

    @Test
    func ofEqualAgreements_theLatestCounts() {
        let tokens: [TokenID] = [1, 2, 30, 0, 1, 2, 40, 0, 1, 2]
        #expect(lookup.propose(after: tokens, limit: 1) == [40])
    }

    @Test(arguments: [[], [1], [1, 1], [1, 2, 3], [1, 2, 3, 2]] as [[TokenID]])
    func whenNothingLikeItOccurred_nothingIsProposed(tokens: [TokenID]) {
        #expect(lookup.propose(after: tokens, limit: 4).isEmpty)
    }

    @Test
    func whatLiesBeforeTheWindow_isNotFound() {
        let far = [1, 2, 3] + Array(repeating: TokenID(9), count: 100) + [1, 2]
        #expect(lookup.propose(after: far, limit: 1).isEmpty)
        let near = [1, 2, 3] + Array(repeating: TokenID(9), count: 90) + [1, 2]
        #expect(lookup.propose(after: near, limit: 1) == [3])
    }

    @Test
    func whatRepeatsItself_isProposedToGoOn() {
        #expect(lookup.propose(after: [4, 4, 4], limit: 5) == [4, 4, 4, 4, 4])
        #expect(lookup.propose(after: [9, 1, 2, 1, 2], limit: 5) == [1, 2, 1, 2, 1])
        #expect(lookup.propose(after: [4, 4, 4], limit: 0).isEmpty)
    }
}
