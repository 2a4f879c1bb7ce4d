import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Quotas of tokens")
struct TokenQuotaTests {
    private let perMinute = QuotaKey(key: "alice", model: "m", unit: .tokensPerMinute)
    /// A token a second, sixty at once.
    private let limits = QuotaLimits(rate: TokenRate(perSecond: 1, burst: 60))

    // MARK: Buckets

    @Test func request_isAdmittedWhileAnyTokenIsLeft() throws {
        var table = QuotaTable()
        #expect(table.admit(perMinute, limits, now: .zero) == .admitted(nil))
        // Nothing was taken yet.
        #expect(table.admit(perMinute, limits, now: .zero) == .admitted(nil))
        table.charge(perMinute, limits, cost: 59, now: .zero)
        #expect(table.admit(perMinute, limits, now: .zero) == .admitted(nil))
        table.charge(perMinute, limits, cost: 31, now: .zero)
        let refusal = try #require(table.admit(perMinute, limits, now: .zero).refusal)
        #expect(refusal.reason == .tokens && refusal.unit == .tokensPerMinute)
        #expect(refusal.wait == .seconds(31) && refusal.retryAfterSeconds == 31)
        #expect(refusal.balance == nil)
        #expect(table.admit(perMinute, limits, now: .milliseconds(30_999)).refusal != nil)
        #expect(table.admit(perMinute, limits, now: .seconds(31)) == .admitted(nil))
    }

    @Test func revoked_givesNothingBackThatWasNotTaken() {
        var table = QuotaTable()
        _ = table.admit(perMinute, limits, now: .zero)
        table.charge(perMinute, limits, cost: 60, now: .zero)
        _ = table.admit(perMinute, limits, now: .seconds(1))
        for _ in 0..<9 { table.revoke(perMinute, limits) }
        #expect(table.admit(perMinute, limits, now: .zero).refusal?.wait == .seconds(1))
    }

    @Test func costBelowOne_chargesNothing() {
        var bucket = TokenBucket()
        let rate = TokenRate(perSecond: 1, burst: 2)
        bucket.charge(0, rate, now: .zero)
        bucket.charge(.min, rate, now: .zero)
        #expect(bucket.isFull(now: .zero) && bucket.timeToOne(rate, now: .zero) == .zero)
        bucket.charge(TokenSpend.most, rate, now: .zero)
        #expect(bucket.timeToOne(rate, now: .zero) == .seconds(TokenSpend.most - 1))
    }

    @Test func units_countTheirOwn() {
        let spend = TokenSpend(input: 3, output: 4)
        #expect(QuotaUnit.allCases.map { $0.tokens(of: spend) } == [0, 7, 7, 3, 3, 4, 4])
        let limits = TokenLimits(
            perMinute: 60, perDay: 86_400, inputPerDay: 43_200, outputPerMinute: 120,
            outputPerDay: 172_800)
        let claims = limits.claims(of: "alice")
        #expect(
            claims.map(\.key.unit) == [
                .tokensPerMinute, .tokensPerDay, .inputTokensPerDay, .outputTokensPerMinute,
                .outputTokensPerDay,
            ])
        #expect(
            claims.map(\.limits.rate) == [
                TokenRate(perSecond: 1, burst: 60), TokenRate(perSecond: 1, burst: 86_400),
                TokenRate(perSecond: 0.5, burst: 43_200), TokenRate(perSecond: 2, burst: 120),
                TokenRate(perSecond: 2, burst: 172_800),
            ])
    }

    /// Over any time, no more is spent than came, a bucket besides, and what was under way when it ran
    /// dry.
    @Test func spending_staysWithinTheLimitButForWhatWasUnderWay() {
        for seed in SimulationSeeds.first(500) {
            var generator = SeededGenerator(seed: seed)
            var table = QuotaTable()
            let perSecond = Int.random(in: 1...20, using: &generator)
            let burst = Int.random(in: 1...500, using: &generator)
            let limits = QuotaLimits(
                rate: TokenRate(perSecond: Double(perSecond), burst: burst))
            var (now, spent, underWay, costMost) = (0, 0, 0, 0)
            for _ in 0..<300 {
                now += Int.random(in: 0...5, using: &generator)
                if Bool.random(using: &generator), underWay < 4 {
                    if table.admit(perMinute, limits, now: .seconds(now)).refusal == nil {
                        underWay += 1
                    }
                } else if underWay > 0 {
                    let cost = Int.random(in: 0...300, using: &generator)
                    table.charge(perMinute, limits, cost: cost, now: .seconds(now))
                    table.release(perMinute)
                    underWay -= 1
                    spent += cost
                    costMost = max(costMost, cost)
                }
            }
            #expect(
                spent <= burst + perSecond * now + 4 * costMost, "\(SimulationSeeds.replay(seed))")
        }
    }

    // MARK: Access

    private func control(_ quotas: String) throws -> AccessControl {
        AccessControl(
            try readCredentials(
                """
                keys:
                  - id: alice
                    sha256: \(SecretDigest(of: "secret").hex)
                    tenant: team-a
                    quotas: \(quotas)
                """))
    }

    /// What becomes of a chat with a model, from the head of its request on.
    private func chat(
        _ control: AccessControl, _ model: String = "m", at seconds: Int = 0
    ) -> AccessDecision {
        let request = AccessRequest(
            isGRPC: false, method: "POST", path: "/v1/chat/completions",
            fields: Fields(values: ["authorization": "Bearer secret"]), unixTime: TestIssuer.start)
        let first = control.admit(request, now: .seconds(seconds))
        guard let grant = first.grant else { return first }
        return control.admit(model: AskedModel(model), to: grant, now: .seconds(seconds))
    }

    private func spend(
        _ input: Int, _ output: Int, _ control: AccessControl, _ model: String = "m",
        at seconds: Int = 0
    ) throws {
        let grant = try #require(chat(control, model, at: seconds).grant)
        let spend = TokenSpend(input: input, output: output)
        control.charge(spend, to: grant.lease, now: .seconds(seconds))
        control.release(grant.lease)
    }

    @Test func chat_isRefusedWhenTheTokensOfTheMinuteAreSpent() throws {
        let control = try control("{tokens_per_minute: 600}")
        try spend(400, 199, control)
        try spend(20, 40, control)
        let refusal = try #require(chat(control).refusal)
        #expect(refusal.reason == .quota && refusal.httpStatus == 429)
        #expect(refusal.error.message == "The quota 'tokens_per_minute' is used up")
        #expect(refusal.field("retry-after") == "6")
        #expect(chat(control, at: 6).grant != nil)
    }

    @Test func everyQuotaOfTokens_isLookedAt() throws {
        let control = try control(
            "{tokens_per_day: 1000, input_tokens_per_minute: 100, output_tokens_per_minute: 100}")
        try spend(100, 0, control)
        #expect(chat(control).refusal?.error.message.contains("'input_tokens") == true)
        try spend(0, 100, control, at: 60)
        #expect(chat(control, at: 60).refusal?.error.message.contains("'output_tokens") == true)
        try spend(90, 1000, control, at: 120)
        // A day's thousand tokens come one in 86.4 s.
        let refusal = try #require(chat(control, at: 800).refusal)
        #expect(refusal.error.message.contains("'tokens_per_day'"))
        let wait = try #require(refusal.field("retry-after").flatMap { Int($0) })
        #expect(wait > 20_000)
    }

    @Test(arguments: ["input", "output"])
    func tokensOfADay_areCountedForTheirKind(kind: String) throws {
        let control = try control("{models: {m: {\(kind)_tokens_per_day: 1000}}}")
        let (input, output) = kind == "input" ? (500, 5000) : (5000, 500)
        try spend(input, output, control)
        try spend(input, output, control, at: 60)
        let refusal = try #require(chat(control, at: 60).refusal)
        #expect(refusal.error.message == "The quota '\(kind)_tokens_per_day' is used up")
        #expect(chat(control, "other", at: 60).grant != nil)
        // One comes in 86.4 s.
        #expect(chat(control, at: 160).grant != nil)
    }

    @Test func models_haveQuotasOfTheirOwn() throws {
        let control = try control("{models: {\"small*\": {tokens_per_minute: 60}}}")
        try spend(60, 60, control, "small-1")
        #expect(chat(control, "small-1").refusal?.httpStatus == 429)
        #expect(chat(control, "small-2").grant != nil)
        try spend(60, 60_000, control, "large")
        #expect(chat(control, "large").grant != nil)
    }

    @Test func adapterOfAVersion_isCountedForItsModelAndVersion() throws {
        let credentials = try readCredentials(
            """
            keys:
              - id: alice
                sha256: \(SecretDigest(of: "secret").hex)
                tenant: team-a
                quotas: {models: {small: {concurrent: 5}, "small:1": {concurrent: 3}}}
            """)
        let quotas = try #require(credentials.keys.first?.quotas)
        func limits(_ model: AskedModel) -> [String: Int?] {
            let found = quotas.limits(of: model).map { ($0.model, $0.limits.concurrent) }
            return Dictionary(uniqueKeysWithValues: found)
        }
        #expect(limits(AskedModel(ofOpenAI: "small:2:poet")) == ["small": 5])
        #expect(limits(AskedModel(ofOpenAI: "small:1:poet")) == ["small": 5, "small:1": 3])
        #expect(limits(AskedModel(ofOpenAI: "small:1")) == ["small": 5, "small:1": 3])
        #expect(limits(AskedModel(ofOpenAI: "small:1:poet", isBaseModel: true)) == ["small:1": 3])
        // Scopes are not wider for it.
        let scope = AccessScope(models: [[try #require(GlobPattern("small"))]])
        #expect(!scope.allows(AskedModel(ofOpenAI: "small:1:poet")))
    }

    @Test func predictions_goByNoQuotaOfTokens() throws {
        let control = try control("{tokens_per_minute: 60, requests_per_second: 1000}")
        try spend(60, 60, control)
        #expect(chat(control).refusal != nil)
        let grant = try #require(control.ask("secret").grant)
        #expect(!grant.spendsTokens && grant.lease.claims.map(\.key.unit) == [.requests])
    }

    @Test func refusalForTokens_takesNothingOfTheRequests() throws {
        let control = try control("{tokens_per_minute: 60, requests_per_second: 0.001, burst: 3}")
        try spend(60, 60, control)
        for _ in 0..<5 { #expect(chat(control).refusal?.error.message.contains("token") == true) }
        #expect(control.ask("secret").grant != nil)
        #expect(control.ask("secret").grant != nil)
        #expect(control.ask("secret").grant == nil)
    }

    // MARK: Sharing

    @Test func tokens_areToldToOtherGateways() throws {
        var pools = QuotaPools(configuration: .init(), sharing: .init())
        let claims = TokenLimits(perMinute: 60, outputPerDay: 60).claims(of: "key:alice")
        guard case .admitted = pools.take(claims, from: "p", now: .zero) else {
            Issue.record("refused")
            return
        }
        // It asks how the quota stands before there is anything to tell.
        #expect(pools.reports(now: .seconds(1)).map(\.tokens) == [0, 0])
        pools.charge(TokenSpend(input: 7, output: 5), to: claims, in: "p", now: .seconds(2))
        pools.release(claims, to: "p")
        let reports = pools.reports(now: .seconds(3))
        #expect(reports.map(\.tokens) == [12, 5] && reports.map(\.inFlight) == [nil, nil])
        #expect(Set(reports.map { QuotaScript.key(of: $0.quota) }).count == 2)
        let standing = QuotaStanding(
            timeToFull: .seconds(90), inFlightElsewhere: 0, gateways: 1)
        for report in reports { pools.settle(report, standing, now: .seconds(3)) }
        // What others have spent counts: thirty tokens are owed.
        guard case .refused(let refusal) = pools.take(claims, from: "p", now: .seconds(3)) else {
            Issue.record("admitted")
            return
        }
        #expect(refusal.wait == .seconds(31))
    }
}

extension QuotaDecision {
    fileprivate var refusal: QuotaRefusal? {
        guard case .refused(let refusal) = self else { return nil }
        return refusal
    }
}
