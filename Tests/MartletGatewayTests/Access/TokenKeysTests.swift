import MartletCore
import Testing

@testable import MartletGateway

@Suite("Sets of JSON web keys")
struct TokenKeysTests {
    @Test func keysThatAreNotTaken_areLeftOut() async throws {
        let issuer = try await TestIssuer()
        let entry = try #require(try issuer.keyEntries["ES256"])
        let others = [
            #"{"kty": "oct", "kid": "h", "alg": "HS256", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMko"}"#,
            #"{"kty": "EC", "crv": "secp256k1", "kid": "k", "x": "AA", "y": "AA"}"#,
            #"{"kty": "EC", "crv": "P-256", "kid": "bad", "x": "AAAA", "y": "AAAA"}"#,
            #"{"kty": "RSA", "kid": "weak", "n": "3Q", "e": "AQAB"}"#,
            #"{"kty": "new"}"#, "7", "{}",
            entry.replacing("\"kty\"", with: "\"use\": \"enc\", \"kty\""),
            entry.replacing("\"kty\"", with: "\"key_ops\": [\"sign\"], \"kty\""),
            entry.replacing("\"kty\"", with: "\"alg\": \"RS256\", \"kty\""),
        ]
        let set = "{\"keys\": [\((others + [entry]).joined(separator: ", "))]}"
        let keys = try await TokenKeys(json: set)
        #expect(keys.count == 1)
        #expect(keys.key(id: "ES256", algorithm: .es256) != nil)
        for id in ["h", "k", "bad", "weak"] {
            for algorithm in TokenAlgorithm.allCases {
                #expect(keys.key(id: id, algorithm: algorithm) == nil)
            }
        }
    }

    @Test func keyThatNamesItsAlgorithm_isForThatAlone() async throws {
        let issuer = try await TestIssuer()
        let entry = try #require(try issuer.keyEntries["RSA"])
        let named = entry.replacing("\"kty\"", with: "\"alg\": \"PS256\", \"kty\"")
        let keys = try await TokenKeys(json: "{\"keys\": [\(named)]}")
        #expect(keys.key(id: "RSA", algorithm: .ps256) != nil)
        #expect(keys.key(id: "RSA", algorithm: .rs256) == nil)
    }

    @Test func keysPerSet_areBounded() async throws {
        let entry = try #require(try await TestIssuer().keyEntries["ES256"])
        let many = Array(repeating: entry, count: 200).joined(separator: ", ")
        #expect(try await TokenKeys(json: "{\"keys\": [\(many)]}").count == TokenKeys.Bounds.keys)
    }

    @Test(arguments: ["", "{}", "[]", #"{"keys": 7}"#, #"{"keys": []}"#, #"{"keys": [{}]}"#])
    func texts_thatAreNoSet_areRefused(json: String) async {
        await #expect(throws: ServingError.self) { try await TokenKeys(json: json) }
    }

    // MARK: When they are read again

    private func issuers(_ names: String...) throws -> [Credentials.Issuer] {
        let entries = names.map { name in
            "{name: \(name), issuer: \(name), audiences: [a], jwks_url: 'https://\(name)', "
                + "refresh_seconds: 300, refresh_pause_seconds: 10}"
        }
        return try readCredentials("issuers: [\(entries.joined(separator: ", "))]").issuers
    }

    @Test func keys_areFetchedAtOnceAndThenEverySoOften() throws {
        var schedule = KeyRefreshSchedule()
        let issuers = try issuers("a", "b")
        #expect(schedule.due(issuers, now: .zero).map(\.name) == ["a", "b"])
        #expect(schedule.due(issuers, now: .seconds(299)).isEmpty)
        #expect(schedule.due(issuers, now: .seconds(300)).map(\.name) == ["a", "b"])
        #expect(schedule.due(issuers, now: .seconds(300)).isEmpty)
    }

    @Test func unknownKeys_areAskedForAfterAPauseAndOnce() throws {
        var schedule = KeyRefreshSchedule()
        let issuers = try issuers("a", "b")
        _ = schedule.due(issuers, now: .zero)
        for _ in 0..<1000 { schedule.want("a") }
        #expect(schedule.due(issuers, now: .seconds(9)).isEmpty)
        #expect(schedule.due(issuers, now: .seconds(10)).map(\.name) == ["a"])
        #expect(schedule.due(issuers, now: .seconds(11)).isEmpty)
        schedule.want("a")
        #expect(schedule.due(issuers, now: .seconds(19)).isEmpty)
        #expect(schedule.due(issuers, now: .seconds(20)).map(\.name) == ["a"])
    }

    @Test func issuersThatAreGone_areForgotten() throws {
        var schedule = KeyRefreshSchedule()
        schedule.want("made-up")
        _ = schedule.due(try issuers("a"), now: .zero)
        _ = schedule.due([], now: .seconds(1))
        #expect(schedule.due(try issuers("a"), now: .seconds(2)).map(\.name) == ["a"])
    }
}
