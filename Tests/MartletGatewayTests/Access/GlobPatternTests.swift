import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Patterns for names")
struct GlobPatternTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "ab", false), ("a", "A", false), ("*", "", true),
        ("*", "x/y", true), ("fraud-*", "fraud-", true), ("fraud-*", "fraud-v2", true),
        ("fraud-*", "xfraud-v2", false), ("*-v2", "a-v2-v2", true), ("a*b*c", "aXbYbZc", true),
        ("a*b*c", "aXbYbZ", false), ("a**c", "abc", true), ("*a*", "bbb", false),
    ])
    func stars_standForAnyRun(pattern: String, name: String, matches: Bool) throws {
        #expect(try #require(GlobPattern(pattern)).matches(name) == matches)
    }

    @Test(arguments: [
        ("*.example.com", "a.example.com", true), ("*.example.com", "a.b.example.com", false),
        ("*.example.com", "example.com", false), ("*.example.com", ".example.com", true),
        ("a*z.example.com", "a.z.example.com", false), ("a*z.example.com", "abz.example.com", true),
        ("*", "a.b", false),
    ])
    func stars_doNotPassSeparators(pattern: String, name: String, matches: Bool) throws {
        let pattern = try #require(GlobPattern(pattern, separator: 0x2E))
        #expect(pattern.matches(name) == matches)
    }

    @Test func patternsThatCostTooMuch_areRefused() {
        #expect(GlobPattern("") == nil)
        #expect(GlobPattern(String(repeating: "a", count: 257)) == nil)
        #expect(GlobPattern(String(repeating: "*a", count: 9)) == nil)
        #expect(GlobPattern(String(repeating: "*a", count: 8)) != nil)
    }

    @Test func longNames_matchNothingWithStars() throws {
        let pattern = try #require(GlobPattern("*"))
        #expect(pattern.matches(String(repeating: "a", count: 1024)))
        #expect(!pattern.matches(String(repeating: "a", count: 1025)))
    }

    /// A matcher that tries everything says the same.
    @Test func matching_isThatOfAPlainMatcher() throws {
        for seed in SimulationSeeds.first(3000) {
            var generator = SeededGenerator(seed: seed)
            func text(_ letters: String, _ length: ClosedRange<Int>) -> String {
                String(
                    (0..<Int.random(in: length, using: &generator)).compactMap { _ in
                        letters.randomElement(using: &generator)
                    })
            }
            let pattern = text("ab.**", 1...7)
            let name = text("ab.", 0...8)
            let separator: UInt8? = Bool.random(using: &generator) ? 0x2E : nil
            guard let glob = GlobPattern(pattern, separator: separator) else { continue }
            let expected = plainMatch(Array(pattern)[...], Array(name)[...], separator != nil)
            #expect(
                glob.matches(name) == expected,
                "\(pattern) \(name) \(SimulationSeeds.replay(seed))")
        }
    }

    private func plainMatch(
        _ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>, _ separates: Bool
    ) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            if plainMatch(pattern.dropFirst(), name, separates) { return true }
            guard let letter = name.first, !(separates && letter == ".") else { return false }
            return plainMatch(pattern, name.dropFirst(), separates)
        }
        return first == name.first && plainMatch(pattern.dropFirst(), name.dropFirst(), separates)
    }
}
