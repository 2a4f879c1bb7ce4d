import MartletTestKit
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Key of a cached answer")
struct CacheKeyTests {
    @Test func keysThatDifferInOnePart_areDifferent() {
        let keys: [CacheKey] = [
            .predicting("x"), .predicting("y"), .predicting("x", tenant: "other"),
            .predicting("x", model: "other"), .predicting("x", version: .number(0)),
            .predicting("x", version: .number(1)), .predicting("x", version: .number(-1)),
            .predicting("x", version: .label("")), .predicting("x", version: .label("1")),
            .predicting("x", signature: "other"), .predicting("x", operation: "other"),
            .predicting("x", source: AnswerSource(pool: "other")),
            .predicting("x", source: source(removing: ["a"])),
            .predicting("x", source: source(removing: ["a", "b"])),
            .predicting("x", source: source(removing: ["ab"])),
            .predicting("x", source: source(adding: ["a": "b"])),
            .predicting("x", source: source(adding: ["a": "c"])),
            .predicting("x", source: source(removing: ["a"], adding: ["a": "b"])),
            .predicting("x", source: source(adding: ["a": "b", "c": "d"])),
            .predicting("x", source: source(adding: ["c": "d", "a": "b"])),
        ]
        #expect(Set(keys).count == keys.count)
        #expect(Set(keys.map { $0.hash(seed: 1) }).count == keys.count)
    }

    @Test func partsThatReadTheSameOneAfterAnother_areDifferent() {
        #expect(
            CacheKey.predicting("x", model: "b", tenant: "a")
                != .predicting("x", model: "", tenant: "ab"))
        #expect(
            CacheKey.predicting("x", model: "a\0", tenant: "")
                != .predicting("x", model: "", tenant: "a\0"))
    }

    @Test func namesThatSwiftTakesAsEqual_areDifferent() {
        let (one, other) = ("caf\u{E9}", "cafe\u{301}")
        #expect(one == other)
        #expect(CacheKey.predicting("x", tenant: one) != .predicting("x", tenant: other))
        #expect(CacheKey.predicting("x", model: one) != .predicting("x", model: other))
    }

    /// A source whose requests are changed so.
    private func source(
        removing removed: Set<String> = [], adding added: KeyValuePairs<String, String> = [:]
    ) -> AnswerSource {
        var changes = FieldChanges()
        changes.removed = removed
        changes.added = added.map { FieldChanges.Field($0.key, $0.value) }
        return AnswerSource(pool: "main", changes: changes)
    }

    @Test func orderOfRemovedNames_doesNotMatter() {
        let (one, other) = (source(removing: ["a", "b", "c"]), source(removing: ["c", "b", "a"]))
        #expect(CacheKey.predicting("x", source: one) == .predicting("x", source: other))
    }

    @Test func keysMadeAlike_areEqual() {
        let (one, other) = (CacheKey.predicting("x"), CacheKey.predicting("x"))
        #expect(one == other && one.hashValue == other.hashValue)
        #expect(one.hash(seed: 5) == other.hash(seed: 5))
    }

    @Test func hashesUnderOneSeed_sayNothingOfAnother() {
        let keys = (0..<8192).map { CacheKey.predicting("\($0)") }
        let colliding = keys.filter { $0.hash(seed: 1) & 15 == 0 }
        let elsewhere = Set(colliding.map { $0.hash(seed: 2) & 15 })
        #expect(colliding.count > 400 && elsewhere.count == 16)
    }
}

@Suite("Digest of an input")
struct InputDigestTests {
    @Test func bodiesThatDifferInSpaceAndOrderOnly_haveOneDigest() throws {
        let one = try #require(digest(#"{"inputs": [1.0], "signature_name": "s"}"#))
        let other = try #require(digest(#"{"signature_name":"s","inputs":[1.0]}"#))
        #expect(one == other)
        #expect(try one != #require(digest(#"{"signature_name":"s","inputs":[1]}"#)))
    }

    @Test func malformedBody_hasNoDigest() {
        #expect(digest(#"{"inputs": [1.0}"#) == nil)
    }

    @Test func jsonAndBytesAlike_haveDifferentDigests() throws {
        let bytes = Array("[1]".utf8)
        let json = try #require(InputDigester.test.digest(json: bytes))
        #expect(json != InputDigester.test.digest(bytes: bytes))
    }

    @Test func bytesThatDifferInOne_haveDifferentDigests() {
        let bodies: [[UInt8]] = [[], [0], [0, 0], [1], [0, 1], [UInt8](repeating: 0, count: 9)]
        #expect(Set(bodies.map { InputDigester.test.digest(bytes: $0) }).count == bodies.count)
    }

    @Test func words_holdAllBytesInOrder() {
        let words = InputDigest.Words((1...32).map { UInt8($0) })
        #expect(words.first == 0x0102_0304_0506_0708 && words.fourth == 0x191a_1b1c_1d1e_1f20)
        #expect(InputDigest.Words([0xFF]).first == 0xFF00_0000_0000_0000)
        #expect(InputDigest.Words([]).second == 0)
    }

    private func digest(_ body: String) -> InputDigest? {
        InputDigester.test.digest(json: Array(body.utf8))
    }
}
