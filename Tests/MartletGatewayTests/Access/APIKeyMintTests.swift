import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Making API keys")
struct APIKeyMintTests {
    private func mint(
        _ seed: UInt64 = 1, id: String = "alice", tenant: String = "team-a",
        models: [String] = [], verbs: [String] = [], expires: String? = nil
    ) throws -> APIKeyMint.Minted {
        var generator = SeededGenerator(seed: seed)
        return try APIKeyMint().mint(
            id: id, tenant: tenant, models: models, verbs: verbs, expires: expires,
            using: &generator)
    }

    @Test func key_isThatOfItsEntry() throws {
        let minted = try mint(
            models: ["fraud-*", "a\"b\\c"], verbs: ["predict"], expires: "2027-01-31")
        let credentials = try readCredentials("keys:\n" + minted.entry)
        let key = try #require(credentials.keys.first)
        #expect(key.id == "alice" && key.tenant == "team-a")
        #expect(key.digest == SecretDigest(of: minted.secret))
        #expect(key.scope.allows(model: "fraud-1") && key.scope.allows(model: "a\"b\\c"))
        #expect(key.scope.verbs == AccessVerbs(.predict))
        #expect(key.expires == Timestamp("2027-01-31"))
        let control = AccessControl(credentials)
        #expect(control.ask(minted.secret, "fraud-1").grant?.tenant == "team-a")
    }

    @Test func entry_doesNotHoldTheKey() throws {
        let minted = try mint()
        #expect(!minted.entry.contains(minted.secret.dropFirst(3)))
        #expect(!minted.entry.contains("scope") && !minted.entry.contains("expires"))
    }

    @Test func keys_have256BitsBehindTheirPrefix() throws {
        var seen: Set<String> = []
        for seed in SimulationSeeds.first(200) {
            let secret = try mint(seed).secret
            #expect(secret.hasPrefix("mk_"))
            #expect(Base64URL.decode(secret.dropFirst(3).utf8)?.count == 32)
            seen.insert(secret)
        }
        #expect(seen.count == SimulationSeeds.first(200).count)
    }

    @Test func namesThatTheFileDoesNotTake_areRefused() {
        for (id, tenant, verbs, expires) in [
            ("a b", "t", [], nil), ("", "t", [], nil), ("a", "t/u", [], nil),
            ("a", "t", ["predicted"], nil), ("a", "t", [], "tomorrow"),
            ("a\"\n    disabled: true\n#", "t", [], nil),
        ] as [(String, String, [String], String?)] {
            #expect(throws: ServingError.self) {
                try mint(id: id, tenant: tenant, verbs: verbs, expires: expires)
            }
        }
    }

    @Test func prefixes_areShortAndPlain() {
        #expect(throws: ServingError.self) { try APIKeyMint(prefix: "a b") }
        #expect(throws: ServingError.self) { try APIKeyMint(prefix: "é") }
        #expect(throws: ServingError.self) {
            try APIKeyMint(prefix: String(repeating: "a", count: 17))
        }
        #expect(throws: Never.self) { try APIKeyMint(prefix: "") }
    }
}
