import MartletCore
import Testing

@testable import MartletGateway

@Suite("Access")
struct AccessControlTests {
    private func control(_ more: String = "", _ rest: String = "") throws -> AccessControl {
        AccessControl(try credentials(more, rest))
    }

    /// The key `secret` of the tenant `team-a`.
    private func credentials(_ more: String = "", _ rest: String = "") throws -> Credentials {
        try readCredentials(
            """
            keys:
              - id: alice
                sha256: \(SecretDigest(of: "secret").hex)
                tenant: team-a
            \(more)
            \(rest)
            """)
    }

    // MARK: Who

    @Test func withoutCredentials_everybodyIsLetIn() throws {
        let control = AccessControl(nil)
        for verb in AccessVerb.allCases where verb != .any {
            let grant = try #require(control.ask("whatever", verb: verb).grant)
            #expect(grant.tenant == "anonymous" && grant.priority == .normal)
            #expect(!grant.awaitsModel && grant.lease.claims.isEmpty)
        }
        #expect(control.ask(nil, priority: "critical").grant?.priority == .critical)
    }

    @Test func key_speaksForItsTenant() throws {
        let grant = try #require(try control().ask("secret").grant)
        #expect(grant.tenant == "team-a" && grant.identity.credential == "key:alice")
    }

    @Test func noCredential_isToldWhatIsNeeded() throws {
        let refusal = try #require(try control().ask(nil).refusal)
        #expect(refusal.reason == .missing)
        #expect(refusal.error.code == .unauthenticated && refusal.httpStatus == 401)
        #expect(refusal.field("www-authenticate") == #"Bearer realm="martlet""#)
    }

    @Test(arguments: ["Secret", "secret ", "", "secre", "a.b.c"])
    func unknownKeys_areRefused(secret: String) throws {
        let refusal = try #require(try control().ask(secret).refusal)
        #expect(refusal.reason == .credential && refusal.httpStatus == 401)
        #expect(refusal.field("www-authenticate")?.contains("error=\"invalid_token\"") == true)
        #expect(!refusal.error.message.contains("secre"))
    }

    @Test func key_expiresAtItsMoment() throws {
        let control = try control("    expires: 2027-01-15T08:00:00Z")
        let before = TestIssuer.start - .nanoseconds(1)
        #expect(control.ask("secret", unixTime: before).grant != nil)
        let refusal = try #require(control.ask("secret").refusal)
        #expect(refusal.httpStatus == 401 && refusal.error.message.contains("expired"))
    }

    @Test func disabledKeysAndTenants_areRefused() throws {
        #expect(try control("    disabled: true").ask("secret").refusal?.httpStatus == 401)
        let disabled = try control("", "tenants: [{name: team-a, disabled: true}]")
        #expect(disabled.ask("secret").refusal?.httpStatus == 403)
    }

    @Test func certificate_isLetInWithoutAKey() throws {
        let control = try control(
            "",
            """
            certificates:
              - {name: edge, uri: "spiffe://a/ns/*/sa/gw", tenant: edge, scope: {verbs: [status]}}
              - {name: old, dns: old.example.com, tenant: old, disabled: true}
            """)
        let identities: [CertificateIdentity] = [.dns("x"), .uri("spiffe://a/ns/prod/sa/gw")]
        let grant = control.ask(nil, verb: .status, identities: identities).grant
        #expect(grant?.tenant == "edge" && grant?.identity.credential == "certificate:edge")
        #expect(control.ask(nil, identities: identities).refusal?.httpStatus == 403)
        #expect(control.ask(nil, identities: [.dns("x")]).refusal?.reason == .missing)
        #expect(
            control.ask(nil, identities: [.dns("old.example.com")]).refusal?.reason == .credential)
        // A wrong key is not made good by a certificate.
        #expect(control.ask("wrong", verb: .status, identities: identities).grant == nil)
    }

    /// The time a look-up takes must not tell how much of a digest is right: the same comparisons
    /// are made whether it is known, begins like one, or is like none.
    @Test func lookUps_compareAsMuchForAllKeys() throws {
        let index = CredentialIndex(try credentials())
        let known = SecretDigest(of: "secret")
        let alike = try #require(
            SecretDigest(hex: known.hex.prefix(63) + (known.hex.hasSuffix("0") ? "1" : "0")))
        #expect(index.key(digest: known).entry != nil)
        for digest in [known, alike, SecretDigest(of: "other"), .ofNothing] {
            #expect(index.key(digest: digest).comparisons == 1)
        }
        #expect(index.key(digest: alike).entry == nil)
        #expect(index.key(digest: .ofNothing).entry == nil)
        #expect(index.key(id: "alice")?.identity.tenant == "team-a")
        #expect(index.key(id: "bob") == nil)
    }

    @Test func health_needsNoCredential() throws {
        let request = AccessRequest(
            isGRPC: true, method: "POST", path: "/grpc.health.v1.Health/Check", fields: Fields(),
            unixTime: .zero)
        #expect(try control().admit(request, now: .zero).grant?.tenant == "anonymous")
    }

    // MARK: What

    @Test func verbsModelsAndPriorities_beyondTheScopeAreNamed() throws {
        let control = try control(
            "    scope: {models: [pitch, 'fraud-*'], verbs: [predict], priority_highest: normal}")
        #expect(control.ask("secret", "fraud-1").grant != nil)
        for (decision, name) in [
            (control.ask("secret", verb: .chat), "'chat'"),
            (control.ask("secret", "other"), "'other'"),
            (control.ask("secret", priority: "High"), "'high'"),
        ] {
            let refusal = try #require(decision.refusal)
            #expect(refusal.reason == .scope && refusal.httpStatus == 403)
            #expect(refusal.error.code == .permissionDenied)
            #expect(refusal.error.message.contains(name), "\(refusal.error.message)")
        }
        #expect(control.ask("secret", priority: "LOW").grant?.priority == .low)
        let refusal = try #require(control.ask("secret", priority: "urgent").refusal)
        #expect(refusal.httpStatus == 400 && refusal.error.code == .invalidArgument)
    }

    @Test func administration_hasToBeGranted() throws {
        #expect(try control().ask("secret", verb: .admin).refusal?.httpStatus == 403)
        let granted = try control("    scope: {verbs: [any]}")
        #expect(granted.ask("secret", verb: .admin).grant != nil)
        #expect(try control().ask("secret", priority: "critical").refusal?.httpStatus == 403)
    }

    @Test func pathsThatAreNotKnown_areRefusedWithTheReason() throws {
        let request = AccessRequest(
            isGRPC: false, method: "POST", path: "/v1/models/pitch:predicted",
            fields: Fields(values: ["x-api-key": "secret"]), unixTime: .zero)
        let refusal = try #require(try control().admit(request, now: .zero).refusal)
        #expect(refusal.httpStatus == 403 && refusal.error.message.contains("not known"))
    }

    // MARK: How much

    @Test func rate_isRefusedWithTheSecondsToWait() throws {
        let control = try control("    quotas: {requests_per_second: 0.5, burst: 2}")
        let first = try #require(control.ask("secret").grant)
        #expect(first.fields.map(\.value) == ["2", "1", "2"])
        #expect(control.ask("secret").grant != nil)
        let refusal = try #require(control.ask("secret").refusal)
        #expect(refusal.reason == .quota && refusal.httpStatus == 429)
        #expect(refusal.error.code == .resourceExhausted)
        #expect(refusal.field("retry-after") == "2")
        #expect(refusal.field("ratelimit-limit") == "2")
        #expect(refusal.field("ratelimit-remaining") == "0")
        #expect(refusal.field("ratelimit-reset") == "4")
        #expect(control.ask("secret", at: 2).grant != nil)
    }

    @Test func quotasOfModels_areApart() throws {
        let control = try control(
            "    quotas: {models: {'llm-*': {concurrent: 1}, '*': {concurrent: 2}}}")
        let lease = try #require(control.ask("secret", "llm-a").grant?.lease)
        #expect(control.ask("secret", "llm-a").refusal?.field("retry-after") == "1")
        #expect(control.ask("secret", "llm-b").grant != nil)
        #expect(control.ask("secret", "pitch").grant != nil)
        #expect(control.ask("secret", "pitch").grant != nil)
        #expect(control.ask("secret", "pitch").grant == nil)
        control.release(lease)
        #expect(control.ask("secret", "llm-a").grant != nil)
    }

    @Test func tenantsQuota_isSharedByItsKeys() throws {
        let control = try control(
            """
              - {id: bob, sha256: \(SecretDigest(of: "bobs").hex), tenant: team-a}
            """, "tenants: [{name: team-a, quotas: {concurrent: 2}}]")
        #expect(control.ask("secret").grant != nil)
        let lease = try #require(control.ask("bobs").grant?.lease)
        #expect(control.ask("secret").refusal?.httpStatus == 429)
        control.release(lease)
        #expect(control.ask("secret").grant != nil)
    }

    /// A request that one quota refuses must have taken nothing of the others.
    @Test func refusalByOneQuota_costsNothingOfTheOthers() throws {
        let control = try control(
            """
                quotas:
                  requests_per_second: 1
                  burst: 3
                  models: {pitch: {concurrent: 1}}
            """)
        #expect(control.ask("secret").grant != nil)
        for _ in 0..<9 { #expect(control.ask("secret").refusal?.httpStatus == 429) }
        #expect(control.ask("secret", "other").grant?.balance?.remaining == 1)
    }

    @Test func tenantThatUsesUpItsTable_isRefusedAlone() throws {
        let credentials = try credentials(
            """
                quotas: {models: {'*': {requests_per_second: 1}}}
              - id: bob
                sha256: \(SecretDigest(of: "bobs").hex)
                tenant: team-b
                quotas: {models: {'*': {requests_per_second: 1}}}
            """)
        var limits = AccessControl.Limits()
        limits.quotas.quotasMax = 4
        let control = AccessControl(credentials, limits: limits)
        let decisions = (0..<8).map { control.ask("secret", "model-\($0)") }
        #expect(decisions.count { $0.grant != nil } == 4)
        #expect(control.ask("bobs").grant != nil)
    }

    // MARK: Models in the body

    private func call(_ secret: String) -> AccessRequest {
        AccessRequest(
            AccessQuestion(AccessVerbs(.predict), model: .notYetKnown), secret: secret,
            unixTime: .zero)
    }

    @Test func modelInTheBody_isDecidedOnWhenItIsKnown() throws {
        let control = try control(
            """
                scope: {models: [pitch, slow]}
                quotas: {concurrent: 5, models: {slow: {concurrent: 1}}}
            """)
        let total = QuotaKey(key: "key:alice")
        func ask(_ model: String) throws -> AccessDecision {
            let head = try #require(control.admit(call("secret"), now: .zero).grant)
            #expect(head.awaitsModel)
            return control.admit(model: AskedModel(model), to: head, now: .zero)
        }
        #expect(try ask("other").refusal?.httpStatus == 403)
        #expect(control.inFlight(total, in: "tenant:team-a") == 0)
        let lease = try #require(try ask("slow").grant?.lease)
        #expect(try ask("slow").refusal?.httpStatus == 429)
        #expect(control.inFlight(total, in: "tenant:team-a") == 1)
        control.release(lease)
        #expect(control.inFlight(total, in: "tenant:team-a") == 0)
        #expect(try ask("slow").grant?.awaitsModel == false)
    }

    @Test func modelInTheBody_isNotWaitedForWhereItDoesNotMatter() throws {
        #expect(try control().admit(call("secret"), now: .zero).grant?.awaitsModel == false)
    }

    // MARK: Reading again

    @Test func otherCredentials_keepWhatWasSpent() throws {
        let quotas = "    quotas: {requests_per_second: 1, burst: 2, concurrent: 2}"
        let control = try control(quotas)
        let lease = try #require(control.ask("secret").grant?.lease)
        #expect(control.ask("secret").grant != nil)
        control.replace(try credentials(quotas + "\n    scope: {verbs: [predict]}"))
        #expect(control.ask("secret").refusal?.httpStatus == 429)
        control.release(lease)
        // Now the rate alone refuses.
        #expect(control.ask("secret").refusal?.field("ratelimit-remaining") == "0")
        #expect(control.ask("secret", at: 1).grant != nil)
    }

    @Test func keysThatAreGone_areRefusedAtOnce() throws {
        let control = try control("    quotas: {concurrent: 1}")
        let lease = try #require(control.ask("secret").grant?.lease)
        let other = SecretDigest(of: "new").hex
        control.replace(
            try readCredentials("keys: [{id: alice, sha256: \(other), tenant: team-b}]"))
        #expect(control.ask("secret").refusal?.httpStatus == 401)
        #expect(control.ask("new").grant?.tenant == "team-b")
        control.release(lease)
        control.replace(nil)
        #expect(control.ask("secret").grant?.tenant == "anonymous")
    }
}
