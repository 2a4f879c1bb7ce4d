import Testing

@testable import MartletModelServer

@Suite("Width of patterns")
struct PatternWidthTests {
    @Test(arguments: [
        ("", 0), ("^abc$", 1), ("^[a-z]{0,200}$", 1), (#"^\([0-9]{3}\) [0-9]{4}$"#, 1),
        ("^(jan|feb|mar|apr)$", 1), ("^a?b$", 2), ("^(foo-)?[0-9]{1,5}(,[0-9]+)?$", 2),
        // Of 19 places one is counted twice, within the group and behind it.
        ("^([a-z]+-?){1,30}$", 2), ("^(([a-z]{0,9}-){0,9}){0,9}b$", 20), ("^[]?*]{2}$", 1),
        (#"^\?\?\?$"#, 1), ("^a{b$", 1), ("^(?:a|bc)d$", 1),
    ])
    func pattern_thatIsUsual_isNarrow(_ pattern: String, _ width: Int) {
        #expect(PatternWidth(pattern).width == width)
    }

    @Test(arguments: [
        "^(a?){100}b$", "^((a?){10}){10}b$", "^(a|){100}b$", "^(a*){100}b$",
        "^" + String(repeating: "a?", count: 100) + "$",
        "^(b" + String(repeating: "a?", count: 50) + ")("
            + String(repeating: "a?", count: 50) + "b)$",
        "^(((((a?){1000}){1000}){1000}){1000}){1000}$",
    ])
    func pattern_ofManyPartsThatMayBeEmpty_isWide(_ pattern: String) {
        #expect(PatternWidth(pattern).width >= 100)
    }

    @Test(arguments: [
        "(", ")", "((((", "))))", "*", "a**", "[", "[^", #"\"#, "{", "a{", "a{,3}", "|",
    ])
    func pattern_thatIsNone_isMeasuredAllTheSame(_ pattern: String) {
        #expect(PatternWidth(pattern).width <= 3)
    }
}
