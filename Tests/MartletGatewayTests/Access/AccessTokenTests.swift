import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Access by tokens")
struct AccessTokenTests {
    private let issuer: TestIssuer
    private let keys: TokenKeys

    init() async throws {
        issuer = try await TestIssuer()
        keys = try await TokenKeys(json: try issuer.set())
    }

    private func control(
        _ more: String = "", _ rest: String = "", limits: AccessControl.Limits = .init()
    ) throws -> AccessControl {
        let credentials = try readCredentials(issuerSettings(more) + "\n" + rest)
        let control = AccessControl(credentials, limits: limits)
        control.replaceKeys(keys, of: credentials.issuers[0])
        return control
    }

    @Test func token_speaksForItsTenant() throws {
        let control = try control("    tenant_claim: org")
        let token = try issuer.token(claims: TestIssuer.claims("org=\"team-a\""))
        let grant = try #require(control.ask(token).grant)
        #expect(grant.tenant == "team-a" && grant.identity.credential == "token:login:alice")
    }

    @Test func rememberedToken_isTheSameIdentityUntilItExpires() throws {
        let control = try control()
        let token = try issuer.token(claims: TestIssuer.claims())
        let first = try #require(control.ask(token).grant).identity
        #expect(try #require(control.ask(token).grant).identity === first)
        let end = TestIssuer.start + .seconds(3660)
        #expect(control.ask(token, unixTime: end - .nanoseconds(1)).grant != nil)
        let refusal = try #require(control.ask(token, unixTime: end).refusal)
        #expect(refusal.httpStatus == 401 && refusal.error.message.contains("expired"))
        #expect(
            refusal.field("www-authenticate")
                == #"Bearer realm="martlet", error="invalid_token", "#
                + #"error_description="The token has expired""#)
    }

    @Test func rememberedTokens_areBounded() throws {
        var limits = AccessControl.Limits()
        limits.tokensMax = 2
        let control = try control(limits: limits)
        let tokens = try (0..<3).map {
            try issuer.token(claims: TestIssuer.claims("sub=\"user-\($0)\""))
        }
        let first = try tokens.map { try #require(control.ask($0).grant).identity }
        // The first has been forgotten and is verified anew; that forgets the second.
        #expect(try #require(control.ask(tokens[2]).grant).identity === first[2])
        #expect(try #require(control.ask(tokens[0]).grant).identity !== first[0])
        #expect(try #require(control.ask(tokens[2]).grant).identity === first[2])
        #expect(try #require(control.ask(tokens[1]).grant).identity !== first[1])
    }

    @Test func scopeOfAToken_isWithinThatOfItsIssuer() throws {
        let control = try control(
            "    scope_claim: scope\n    scope: {models: ['a*'], verbs: [predict, status]}")
        func ask(_ scope: String, _ model: String, _ verb: AccessVerb = .predict) throws -> Int {
            let token = try issuer.token(claims: TestIssuer.claims("scope=\"\(scope)\""))
            return control.ask(token, model, verb: verb).refusal?.httpStatus ?? 200
        }
        #expect(try ask("martlet:predict", "ab") == 200)
        #expect(try ask("martlet:predict", "b") == 403)
        #expect(try ask("martlet:predict martlet:model:*b", "ab") == 200)
        #expect(try ask("martlet:predict martlet:model:*b", "a") == 403)
        #expect(try ask("martlet:any", "a", .chat) == 403)
        #expect(try ask("martlet:status", "a") == 403)
        #expect(try ask("predict", "a") == 403)
        let without = try issuer.token(claims: TestIssuer.claims())
        #expect(control.ask(without, "ab").refusal?.httpStatus == 403)
    }

    @Test func tenantsThatAreNotListed_areRefused() throws {
        let control = try control("", "tenants: [{name: alice}]")
        #expect(control.ask(try issuer.token(claims: TestIssuer.claims())).grant != nil)
        let bob = try issuer.token(claims: TestIssuer.claims("sub=\"bob\""))
        let refusal = try #require(control.ask(bob).refusal)
        #expect(refusal.httpStatus == 403 && refusal.error.message.contains("'bob'"))
    }

    @Test func quotas_areOfEachSubject() throws {
        let control = try control("    tenant_claim: org\n    quotas: {concurrent: 1}")
        let tokens = try ["alice", "bob"].map {
            try issuer.token(claims: TestIssuer.claims("org=\"t\"", "sub=\"\($0)\""))
        }
        #expect(control.ask(tokens[0]).grant != nil)
        #expect(control.ask(tokens[0]).refusal?.httpStatus == 429)
        #expect(control.ask(tokens[1]).grant != nil)
    }

    // MARK: Keys of the issuer

    @Test func unknownKey_isFetchedAfterAPauseAndThenTaken() async throws {
        let control = try control()
        #expect(control.dueKeys(now: .zero).map(\.name) == ["login"])
        let next = try await TestIssuer()
        let token = try next.token(kid: "next", claims: TestIssuer.claims())
        #expect(control.ask(token, at: 1).refusal?.httpStatus == 401)
        #expect(control.dueKeys(now: .seconds(9)).isEmpty)
        let due = control.dueKeys(now: .seconds(10))
        #expect(due.map(\.name) == ["login"])
        let set = try next.set(["ES256"]).replacing("\"kid\": \"ES256\"", with: "\"kid\": \"next\"")
        control.replaceKeys(try await TokenKeys(json: set), of: due[0])
        #expect(control.ask(token, at: 11).grant != nil)
    }

    @Test func tokensOfAKeyThatIsGone_areRefusedAtOnce() async throws {
        let control = try control()
        let issuers = control.dueKeys(now: .zero)
        let token = try issuer.token(claims: TestIssuer.claims())
        #expect(control.ask(token).grant != nil)
        control.replaceKeys(try await TokenKeys(json: try issuer.set(["RSA"])), of: issuers[0])
        #expect(control.ask(token).refusal?.reason == .token)
    }

    @Test func keysThatAreNotReadYet_areNoFaultOfTheToken() throws {
        let control = AccessControl(try readCredentials(issuerSettings()))
        let refusal = try #require(
            control.ask(try issuer.token(claims: TestIssuer.claims())).refusal)
        #expect(refusal.reason == .keys && refusal.httpStatus == 503)
        #expect(refusal.field("retry-after") == "1")
    }

    @Test func keysOfAnIssuer_stayWhenOtherCredentialsAreRead() throws {
        let control = try control()
        let token = try issuer.token(claims: TestIssuer.claims())
        #expect(control.ask(token).grant != nil)
        control.replace(try readCredentials(issuerSettings("    tenant_claim: iss")))
        #expect(control.ask(token).grant?.tenant == TestIssuer.name)
        let elsewhere = issuerSettings().replacing("/keys", with: "/others")
        control.replace(try readCredentials(elsewhere))
        #expect(control.ask(token).refusal?.reason == .keys)
    }

    /// Anybody can send tokens with a wrong signature, and each costs a verification.
    @Test func wrongSignatures_costABoundedTime() throws {
        var limits = AccessControl.Limits()
        limits.verifications = TokenRate(perSecond: 1, burst: 3)
        let control = try control(limits: limits)
        let good = try issuer.token(claims: TestIssuer.claims())
        #expect(control.ask(good).grant != nil)
        let bad = try (0..<5).map { number in
            try issuer.token(
                "none", claims: TestIssuer.claims("n=\(number)"),
                header: #"{"alg": "ES256", "kid": "ES256"}"#)
        }
        let statuses = bad.map { control.ask($0).refusal?.httpStatus }
        #expect(statuses == [401, 401, 429, 429, 429])
        // Those that were verified are still let in.
        #expect(control.ask(good).grant != nil)
    }
}
