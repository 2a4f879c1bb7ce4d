import Testing

@testable import MartletConfiguration

@Suite("Nearest match")
struct NearestMatchTests {
    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "abc", 3), ("port", "port", 0), ("prot", "port", 1),
        ("cuont", "count", 1), ("kitten", "sitting", 3), ("ca", "abc", 3),
    ])
    func distance_countsEditsAndSwaps(first: String, second: String, distance: Int) {
        #expect(editDistance(first, second) == distance)
        #expect(editDistance(second, first) == distance)
    }

    @Test func match_isTheNearestThatIsNearEnough() {
        let keys = ["host", "port", "admin_port"]
        #expect(nearestMatch(to: "prt", among: keys) == "port")
        #expect(nearestMatch(to: "adminport", among: keys) == "admin_port")
        #expect(nearestMatch(to: "colour", among: keys) == nil)
        #expect(nearestMatch(to: "port", among: []) == nil)
    }
}
