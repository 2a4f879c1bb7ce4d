import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Digests, moments and other values of credentials")
struct CredentialValueTests {
    // MARK: Digests

    @Test func digest_isSHA256() {
        // From FIPS 180-4's examples.
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(SecretDigest(of: "abc").hex == hex)
        #expect(SecretDigest(hex: hex) == SecretDigest(of: "abc"))
        #expect(SecretDigest(hex: hex.uppercased()) == SecretDigest(of: "abc"))
    }

    @Test(arguments: [
        "", "ab", String(repeating: "g", count: 64), String(repeating: "é", count: 32),
    ])
    func texts_thatAreNoDigest_areRefused(text: String) {
        #expect(SecretDigest(hex: text) == nil)
    }

    @Test func digests_thatDifferInOneBit_areNotTheSame() throws {
        let hex = Array(SecretDigest(of: "abc").hex)
        for place in hex.indices {
            var other = hex
            other[place] = other[place] == "0" ? "1" : "0"
            let changed = try #require(SecretDigest(hex: String(other)))
            #expect(!changed.isSame(as: SecretDigest(of: "abc")))
        }
        #expect(SecretDigest(of: "abc").isSame(as: SecretDigest(of: "abc")))
    }

    // MARK: Moments

    @Test(arguments: [
        ("1970-01-01", 0), ("1970-01-01T00:00:01Z", 1), ("2000-02-29", 951_782_400),
        ("2027-01-15T08:00:00Z", 1_800_000_000), ("2027-01-15T10:00:00+02:00", 1_800_000_000),
        ("2027-01-15t02:30:00-05:30", 1_800_000_000), ("9999-12-31", 253_402_214_400),
    ])
    func moments_areRead(text: String, seconds: Int) {
        #expect(Timestamp(text)?.sinceEpoch == .seconds(seconds))
    }

    @Test(arguments: [
        "", "2027", "2027-1-1", "2027-13-01", "2027-02-29", "1900-02-29", "2027-00-10",
        "2027-01-00", "2027-01-15T", "2027-01-15T08:00Z", "2027-01-15T24:00:00Z",
        "2027-01-15T08:00:00", "2027-01-15T08:00:00Zx", "2027-01-15T08:00:00+0200", "+027-01-01",
        "1969-12-31",
    ])
    func texts_thatAreNoMoment_areRefused(text: String) {
        #expect(Timestamp(text) == nil)
    }

    /// Days follow each other without gaps, which is checked without the formula.
    @Test func days_followEachOther() throws {
        var seconds = 0
        for year in 1970...2105 {
            for month in 1...12 {
                let isLeap = year % 4 == 0 && year != 2100
                let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
                let text = "\(year)-\(month < 10 ? "0" : "")\(month)-01"
                #expect(Timestamp(text)?.sinceEpoch == .seconds(seconds))
                seconds += days * 86_400
            }
        }
    }

    // MARK: Base64

    @Test(arguments: [
        ("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"),
    ])
    func base64_isThatOfTheRFC(text: String, encoded: String) {
        #expect(Base64URL.encode(text.utf8) == encoded)
        #expect(Base64URL.decode(encoded.utf8) == Array(text.utf8))
    }

    @Test(arguments: ["Z", "Zh", "Zm9", "Zg==", "Zm 8", "Zm+v", "Zm/v", "Zm9vY"])
    func base64_thatIsNotTheOneOfItsBytes_isRefused(text: String) {
        #expect(Base64URL.decode(text.utf8) == nil)
    }

    @Test func base64_comesBack() {
        for seed in SimulationSeeds.first(300) {
            var generator = SeededGenerator(seed: seed)
            let bytes = (0..<Int.random(in: 0...70, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            #expect(Base64URL.decode(Base64URL.encode(bytes).utf8) == bytes)
        }
    }

    // MARK: Scopes

    @Test func any_isAllAndTheStandardIsAllButAdmin() {
        #expect(AccessVerbs(.any).names.count == AccessVerb.allCases.count - 1)
        #expect(!AccessVerbs.standard.contains(AccessVerbs(.admin)))
        #expect(AccessVerbs.standard.union(AccessVerbs(.admin)) == AccessVerbs(.any))
    }

    @Test func wordsOfATokensScope_areVerbsModelsAndAPriority() throws {
        let scope = AccessScope(words: ["predict", "model:a*", "model:b", "priority:high", "odd"])
        #expect(scope.verbs == AccessVerbs(.predict))
        #expect(scope.allows(model: "abc") && scope.allows(model: "b"))
        #expect(!scope.allows(model: "c"))
        #expect(scope.priorities == .high ... .low)
        #expect(AccessScope(words: []).verbs == [])
    }

    /// A pattern that is refused must not open all models.
    @Test func wordWithABadPattern_allowsNoModel() {
        #expect(!AccessScope(words: ["any", "model:"]).allows(model: "a"))
    }

    @Test func intersection_allowsWhatBothAllow() throws {
        let one = AccessScope(
            models: [[try #require(GlobPattern("a*"))]], verbs: AccessVerbs([.predict, .chat]),
            priorities: .critical ... .normal)
        let other = AccessScope(
            models: [[try #require(GlobPattern("*b"))]], verbs: AccessVerbs([.chat, .admin]),
            priorities: .high ... .low)
        let both = try #require(one.intersection(other))
        #expect(both.verbs == AccessVerbs(.chat))
        #expect(both.priorities == .high ... .normal)
        #expect(both.allows(model: "ab") && !both.allows(model: "a") && !both.allows(model: "b"))
        #expect(
            AccessScope(priorities: .critical ... .critical).intersection(other) == nil)
    }

    @Test func standardPriority_isTheNearestToNormal() {
        #expect(AccessScope().standardPriority == .normal)
        #expect(AccessScope(priorities: .low ... .low).standardPriority == .low)
        #expect(AccessScope(priorities: .critical ... .high).standardPriority == .high)
    }
}
