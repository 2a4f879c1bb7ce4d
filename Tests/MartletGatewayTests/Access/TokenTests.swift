import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("JSON web tokens")
struct TokenTests {
    private let issuer: TestIssuer
    private let keys: TokenKeys
    private let verifier: TokenVerifier

    init() async throws {
        issuer = try await TestIssuer()
        keys = try await TokenKeys(json: try issuer.set())
        verifier = TokenVerifier(try readCredentials(issuerSettings()).issuers)
    }

    /// Why a token is not taken; nil if it is.
    private func fault(
        of token: String, at unixTime: Duration = TestIssuer.start, _ verifier: TokenVerifier? = nil
    ) -> TokenFault? {
        do throws(TokenFault) {
            let pending = try (verifier ?? self.verifier)
                .check(token, unixTime: unixTime) { $0 == "login" ? keys : nil }
            return pending.isSigned() ? nil : .signature
        } catch {
            return error
        }
    }

    private func verifier(_ more: String) throws -> TokenVerifier {
        TokenVerifier(try readCredentials(issuerSettings(more)).issuers)
    }

    // MARK: Signatures

    @Test(arguments: [
        ("ES256", "ES256"), ("ES384", "ES384"), ("EdDSA", "EdDSA"), ("RS256", "RSA"),
        ("PS256", "RSA"),
    ])
    func tokens_ofEachAlgorithm_areTaken(algorithm: String, kid: String) throws {
        let token = try issuer.token(algorithm, kid: kid, claims: TestIssuer.claims())
        #expect(fault(of: token) == nil)
    }

    @Test(arguments: ["ES256", "ES384", "EdDSA", "RS256"])
    func tokens_whoseClaimsWereChanged_areRefused(algorithm: String) throws {
        let kid = algorithm == "RS256" ? "RSA" : algorithm
        let good = try issuer.token(algorithm, kid: kid, claims: TestIssuer.claims())
        let bad = try issuer.token(
            algorithm, kid: kid, claims: TestIssuer.claims("sub=\"mallory\""))
        let parts = good.split(separator: "."), others = bad.split(separator: ".")
        #expect(fault(of: "\(parts[0]).\(others[1]).\(parts[2])") == .signature)
    }

    @Test func everyBitOfASignature_matters() throws {
        let token = try issuer.token(claims: TestIssuer.claims())
        let parts = token.split(separator: ".").map(String.init)
        let signature = try #require(Base64URL.decode(parts[2].utf8))
        for place in stride(from: 0, to: signature.count, by: 7) {
            var changed = signature
            changed[place] ^= 1 << UInt8(place % 8)
            let text = "\(parts[0]).\(parts[1]).\(Base64URL.encode(changed))"
            #expect(fault(of: text) == .signature)
        }
        #expect(fault(of: "\(parts[0]).\(parts[1]).") == .signature)
    }

    @Test func tokens_signedByNobody_areRefused() throws {
        let token = try issuer.token("none", kid: nil, claims: TestIssuer.claims())
        #expect(fault(of: token) == .algorithm)
        // Without a signature, but with the header of one that has it.
        let header = "{\"alg\": \"ES256\", \"kid\": \"ES256\"}"
        let unsigned = try issuer.token("none", claims: TestIssuer.claims(), header: header)
        #expect(fault(of: unsigned) == .signature)
        for name in ["None", "NONE", ""] {
            let header = "{\"alg\": \"\(name)\", \"kid\": \"ES256\"}"
            let token = try issuer.token("none", claims: TestIssuer.claims(), header: header)
            #expect(fault(of: token) == .algorithm)
        }
    }

    /// The public key is known to all; who verifies an HMAC with it lets everybody in.
    @Test func tokens_signedWithThePublicKeyAsASecret_areRefused() throws {
        let token = try issuer.token("HS256", kid: "RSA", claims: TestIssuer.claims())
        #expect(fault(of: token) == .algorithm)
        for name in ["RS256", "PS256"] {
            let header = "{\"alg\": \"\(name)\", \"kid\": \"RSA\"}"
            let token = try issuer.token("HS256", claims: TestIssuer.claims(), header: header)
            #expect(fault(of: token) == .signature)
        }
    }

    @Test func tokens_ofAnAlgorithmThatTheIssuerDoesNotUse_areRefused() throws {
        let verifier = try verifier("    algorithms: [ES384, EdDSA]")
        let token = try issuer.token(claims: TestIssuer.claims())
        #expect(fault(of: token, at: TestIssuer.start, verifier) == .algorithm)
    }

    /// A key is good for the algorithms of its type alone, whatever the header says.
    @Test func keys_ofAnotherType_areNotKnown() throws {
        let token = try issuer.token("RS256", kid: "ES256", claims: TestIssuer.claims())
        #expect(fault(of: token) == .unknownKey(issuer: "login"))
    }

    @Test func unknownKey_isToldApart() throws {
        let token = try issuer.token(kid: "rotated", claims: TestIssuer.claims())
        #expect(fault(of: token) == .unknownKey(issuer: "login"))
    }

    @Test func tokenWithoutAKeysID_isOfTheOnlyKeyForItsAlgorithm() async throws {
        let token = try issuer.token(kid: nil, claims: TestIssuer.claims())
        #expect(fault(of: token) == nil)
        let entries = [try issuer.set(["ES256"]), try await TestIssuer().set(["ES256"])]
        let two = entries.map { $0.dropFirst(#"{"keys": ["#.count).dropLast(2) }
        let keys = try await TokenKeys(json: "{\"keys\": [\(two.joined(separator: ","))]}")
        #expect(keys.count == 2 && keys.key(id: nil, algorithm: .es256) == nil)
    }

    // MARK: Claims

    @Test(arguments: [
        ("exp=1799999939", TokenFault.expired), ("exp=1799999940", .expired), ("exp", .noExpiry),
        ("exp=\"1900000000\"", .noExpiry), ("exp=true", .noExpiry), ("exp=-1e308", .expired),
        ("nbf=1800000061", .notYetValid), ("nbf=1e308", .notYetValid), ("nbf=\"0\"", .malformed),
        ("aud=\"another\"", .audience), ("aud=[]", .audience), ("aud", .audience),
        ("aud=[\"another\", \"martle\"]", .audience), ("iss=\"https://evil.example.com\"", .issuer),
        ("iss", .issuer), ("sub", .tenant), ("sub=\"\"", .tenant), ("sub=7", .tenant),
        ("sub=\"a\\nb\"", .tenant),
    ])
    func claims_thatAreNotGood_areRefused(claim: String, expected: TokenFault) throws {
        let token = try issuer.token(claims: TestIssuer.claims(claim))
        #expect(fault(of: token) == expected)
    }

    @Test(arguments: [
        "exp=1799999941", "exp=1e308", "exp=1800000000.5", "nbf=1800000060",
        "aud=[\"x\", \"other\"]", "iat=1900000000",
    ])
    func claims_thatAreGoodWithTheClocksSkew_areTaken(claim: String) throws {
        #expect(fault(of: try issuer.token(claims: TestIssuer.claims(claim))) == nil)
    }

    @Test func tokens_expireAsTimeGoesBy() throws {
        let token = try issuer.token(claims: TestIssuer.claims())
        let end = TestIssuer.start + .seconds(3600 + 60)
        #expect(fault(of: token, at: end - .nanoseconds(1)) == nil)
        #expect(fault(of: token, at: end) == .expired)
    }

    @Test func tenantAndScope_areThoseOfTheClaims() throws {
        let verifier = try verifier("    tenant_claim: org\n    scope_claim: scope")
        let token = try issuer.token(
            claims: TestIssuer.claims(
                "org=\"team-a\"", "scope=\"openid martlet:predict martlet:model:a*\""))
        let pending = try verifier.check(token, unixTime: TestIssuer.start) { _ in keys }
        #expect(pending.tenant == "team-a" && pending.subject == "alice")
        #expect(pending.words == ["predict", "model:a*"])
        #expect(pending.expires == TestIssuer.start + .seconds(3660))
    }

    // MARK: Form

    @Test(arguments: ["logout+jwt", "dpop+jwt", "secevent+jwt", ""])
    func tokens_forSomethingElse_areRefused(type: String) throws {
        let header = "{\"alg\": \"ES256\", \"kid\": \"ES256\", \"typ\": \"\(type)\"}"
        let token = try issuer.token(claims: TestIssuer.claims(), header: header)
        #expect(fault(of: token) == .kind)
    }

    @Test(arguments: ["JWT", "jwt", "at+jwt", "application/at+JWT"])
    func accessTokens_areTaken(type: String) throws {
        let header = "{\"alg\": \"ES256\", \"kid\": \"ES256\", \"typ\": \"\(type)\"}"
        #expect(fault(of: try issuer.token(claims: TestIssuer.claims(), header: header)) == nil)
    }

    @Test func criticalExtensions_areRefused() throws {
        let header = "{\"alg\": \"ES256\", \"kid\": \"ES256\", \"crit\": [\"b64\"], \"b64\": false}"
        let token = try issuer.token(claims: TestIssuer.claims(), header: header)
        #expect(fault(of: token) == .kind)
    }

    @Test(arguments: ["", ".", "..", "...", "a.b.c", "e30.e30.", "e30.e30.AA", "bnVsbA.W10.AA"])
    func texts_thatAreNoToken_areRefused(text: String) {
        #expect(fault(of: text) == .malformed)
    }

    @Test func tokensThatAreTooLong_areRefused() throws {
        let long = String(repeating: "a", count: CompactToken.Bounds.bytes)
        let token = try issuer.token(claims: TestIssuer.claims("x=\"\(long)\""))
        #expect(fault(of: token) == .malformed)
    }

    /// No change of a token goes unnoticed: each bit of its text means something.
    @Test func tokensThatWereDamaged_areRefused() throws {
        let token = Array(try issuer.token(claims: TestIssuer.claims()).utf8)
        let letters = Array("ABab01-_.=+/".utf8)
        for seed in SimulationSeeds.first(400) {
            var generator = SeededGenerator(seed: seed)
            var damaged = token
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<damaged.count, using: &generator)
                let letter = letters[Int.random(in: 0..<letters.count, using: &generator)]
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: damaged[place] = letter
                case 1: damaged.insert(letter, at: place)
                default: damaged.remove(at: place)
                }
            }
            let isTaken = fault(of: String(decoding: damaged, as: UTF8.self)) == nil
            #expect(isTaken == (damaged == token), "\(SimulationSeeds.replay(seed))")
        }
    }
}
