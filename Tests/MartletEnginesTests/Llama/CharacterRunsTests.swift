import Testing

@testable import MartletEngines

@Suite("Runs of characters of one kind")
struct CharacterRunsTests {
    @Test(arguments: [
        "a", " ", "\n", "!", "1", "\u{e9}", "\u{5b57}", "\u{ff0c}", "\u{300}", "\u{a0}",
    ])
    func run_isLong_fromOneMoreThanIsBorne(character: String) {
        let most = Int(CharacterRuns.most)
        #expect(!CharacterRuns.areLong(in: String(repeating: character, count: most)))
        let run = String(repeating: character, count: most + 1)
        #expect(CharacterRuns.areLong(in: run))
        #expect(CharacterRuns.areLong(in: "1 \(run) 1"))
    }

    /// Some expressions take these together.
    @Test(arguments: ["a\u{44f}", "a,", "e\u{301}", " \n", "!\u{301}"])
    func charactersThatAWordMayHaveTogether_areOfOneKind(pair: String) {
        #expect(CharacterRuns.areLong(in: String(repeating: pair, count: 4096)))
    }

    @Test(arguments: ["a ", "ab1+c2", "12 ", "\u{5b57}\u{5b57}\u{ff0c}", "word, and word\n"])
    func usualText_hasNoLongRun(part: String) {
        #expect(!CharacterRuns.areLong(in: String(repeating: part, count: 20_000)))
    }
}
