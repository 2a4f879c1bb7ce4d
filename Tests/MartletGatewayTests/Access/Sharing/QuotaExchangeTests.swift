import MartletCore
import Testing

@testable import MartletGateway

@Suite("What gateways tell each other of quotas")
struct QuotaExchangeTests {
    private let rate = TokenRate(perSecond: 10, burst: 5)
    private let pool = "tenant:a"

    private func claim(_ name: String = "key:alice", concurrent: Int? = nil) -> QuotaClaim {
        QuotaClaim(
            key: QuotaKey(key: name), limits: QuotaLimits(rate: rate, concurrent: concurrent))
    }

    private func pools(_ configuration: QuotaExchange.Configuration = .init()) -> QuotaPools {
        QuotaPools(configuration: .init(), sharing: configuration)
    }

    private func standing(
        _ timeToFull: Duration = .zero, elsewhere: Int = 0, gateways: Int = 1
    ) -> QuotaStanding {
        QuotaStanding(
            timeToFull: timeToFull, inFlightElsewhere: elsewhere, gateways: gateways)
    }

    // MARK: Telling

    @Test func quotasThatWereUsed_areToldOnce() {
        var pools = pools()
        for _ in 0..<3 { _ = pools.take([claim()], from: pool, now: .seconds(7)) }
        let reports = pools.reports(now: .seconds(8))
        #expect(
            reports == [
                QuotaReport(
                    quota: SharedQuota(pool: pool, key: QuotaKey(key: "key:alice")),
                    limits: QuotaLimits(rate: rate), tokens: 3, since: .seconds(7), inFlight: nil,
                    sentAt: .seconds(8))
            ])
        #expect(pools.reports(now: .seconds(8)) == [])
    }

    @Test func requestsThatAreRefused_areNotTold() {
        var pools = pools()
        for _ in 0..<9 { _ = pools.take([claim()], from: pool, now: .zero) }
        #expect(pools.reports(now: .zero).map(\.tokens) == [5])
        _ = pools.take([claim()], from: pool, now: .zero)
        #expect(pools.reports(now: .zero) == [])
    }

    @Test func requestsThatAreRevoked_areTakenBack() {
        var pools = pools()
        for _ in 0..<2 { _ = pools.take([claim()], from: pool, now: .zero) }
        pools.revoke([claim()], to: pool, now: .zero)
        #expect(pools.reports(now: .zero).map(\.tokens) == [1])
        pools.revoke([claim()], to: pool, now: .zero)
        #expect(pools.reports(now: .zero).map(\.tokens) == [-1])
    }

    @Test func quotasThatAreNotShared_areNotTold() {
        var pools = QuotaPools(configuration: .init())
        _ = pools.take([claim()], from: pool, now: .zero)
        #expect(pools.reports(now: .zero) == [])
    }

    @Test func quotasWithoutLimits_areNotTold() {
        var exchange = QuotaExchange()
        let quota = SharedQuota(pool: pool, key: QuotaKey(key: "a"))
        exchange.note(quota, QuotaLimits(), tokens: 1, now: .zero)
        #expect(exchange.count == 0)
    }

    @Test func manyQuotas_areToldInBatchesInTheOrderOfTheirUse() {
        var pools = pools(QuotaExchange.Configuration(batchMax: 2))
        let names = ["c", "a", "b"]
        for name in names + ["c"] { _ = pools.take([claim(name)], from: pool, now: .zero) }
        #expect(pools.reports(now: .zero).map(\.quota.key.key) == ["c", "a"])
        _ = pools.take([claim("c")], from: pool, now: .zero)
        #expect(pools.reports(now: .zero).map(\.quota.key.key) == ["b", "c"])
        #expect(pools.reports(now: .zero) == [])
    }

    @Test func moreQuotasThanAreKept_areHeldToTheirLimitsAllTheSame() {
        var pools = pools(QuotaExchange.Configuration(quotasMax: 2))
        for name in ["a", "b", "c"] {
            for _ in 0..<6 { _ = pools.take([claim(name)], from: pool, now: .zero) }
        }
        #expect(pools.reports(now: .zero).map(\.quota.key.key) == ["a", "b"])
        guard case .refused = pools.take([claim("c")], from: pool, now: .zero) else {
            Issue.record("a quota that is not told has no limit")
            return
        }
    }

    // MARK: Learning

    private func told(_ pools: inout QuotaPools, _ standing: QuotaStanding?, at now: Duration) {
        for report in pools.reports(now: now) { pools.settle(report, standing, now: now) }
    }

    @Test func whatOthersSpent_isTakenOutOfTheBucket() {
        var pools = pools()
        _ = pools.take([claim()], from: pool, now: .zero)
        // Three tokens are gone in all.
        told(&pools, standing(.milliseconds(300)), at: .zero)
        #expect(
            pools.take([claim()], from: pool, now: .zero)
                == .admitted(QuotaBalance(limit: 5, remaining: 1, reset: .milliseconds(400))))
    }

    @Test func bucketThatOwes_letsNobodyInUntilThatHasCome() throws {
        var pools = pools()
        _ = pools.take([claim()], from: pool, now: .zero)
        // A burst and four tokens more.
        told(&pools, standing(.milliseconds(900)), at: .zero)
        guard case .refused(let refusal) = pools.take([claim()], from: pool, now: .zero) else {
            Issue.record("let in")
            return
        }
        #expect(refusal.reason == .rate && refusal.wait == .milliseconds(500))
        #expect(
            refusal.balance == QuotaBalance(limit: 5, remaining: 0, reset: .milliseconds(900)))
        let then = pools.take([claim()], from: pool, now: .milliseconds(500))
        #expect(
            then == .admitted(QuotaBalance(limit: 5, remaining: 0, reset: .milliseconds(500))))
    }

    @Test func whatIsSpentWhileTheAnswerIsOnItsWay_isAdded() throws {
        var pools = pools()
        _ = pools.take([claim()], from: pool, now: .zero)
        let report = try #require(pools.reports(now: .zero).first)
        _ = pools.take([claim()], from: pool, now: .milliseconds(10))
        pools.settle(report, standing(.milliseconds(200)), now: .milliseconds(20))
        #expect(
            pools.take([claim()], from: pool, now: .milliseconds(20))
                == .admitted(QuotaBalance(limit: 5, remaining: 1, reset: .milliseconds(380))))
    }

    @Test func answersThatAreFullerThanTheBucket_changeNothing() {
        for answer in [standing(), nil] {
            var pools = pools()
            for _ in 0..<3 { _ = pools.take([claim()], from: pool, now: .zero) }
            told(&pools, answer, at: .zero)
            #expect(
                pools.take([claim()], from: pool, now: .zero)
                    == .admitted(QuotaBalance(limit: 5, remaining: 1, reset: .milliseconds(400))))
        }
    }

    @Test func answersWithoutBound_shutAQuotaForABoundedTime() {
        var pools = pools()
        _ = pools.take([claim()], from: pool, now: .zero)
        told(&pools, standing(.seconds(Int64.max)), at: .zero)
        let most = QuotaExchange.Configuration().timeToFullMax(rate)
        #expect(most == .milliseconds(500 + 16 * 700))
        guard case .admitted = pools.take([claim()], from: pool, now: most) else {
            Issue.record("shut for good")
            return
        }
    }

    @Test(arguments: [1e-9, 1, 1e9], [1, 1_000_000_000])
    func extremeRates_doNotOverflow(perSecond: Double, burst: Int) {
        let claim = QuotaClaim(
            key: QuotaKey(key: "a"),
            limits: QuotaLimits(rate: TokenRate(perSecond: perSecond, burst: burst)))
        var pools = pools()
        let script = QuotaScript(gateway: "a", configuration: .init())
        for _ in 0..<2 {
            _ = pools.take([claim], from: pool, now: .zero)
            for report in pools.reports(now: .zero) {
                _ = script.command(report)
                pools.settle(report, standing(.seconds(Int64.max)), now: .zero)
            }
        }
    }

    @Test func answersOfWhatIsForgotten_areIgnored() throws {
        var pools = pools()
        _ = pools.take([claim()], from: pool, now: .zero)
        pools.release([claim()], to: pool)
        let report = try #require(pools.reports(now: .zero).first)
        pools.keep([])
        pools.settle(report, standing(.seconds(1)), now: .zero)
        #expect(pools.count == 0)
    }

    // MARK: Requests at once

    @Test func requestsUnderWay_areToldAgainAndOnceMoreWhenTheyAreOver() {
        var pools = pools()
        _ = pools.take([claim(concurrent: 3)], from: pool, now: .zero)
        for answer in [standing(), nil, standing()] {
            let reports = pools.reports(now: .zero)
            #expect(reports.map(\.inFlight) == [1])
            for report in reports { pools.settle(report, answer, now: .zero) }
        }
        pools.release([claim(concurrent: 3)], to: pool)
        let last = pools.reports(now: .zero)
        #expect(last.map(\.inFlight) == [0])
        for report in last { pools.settle(report, standing(), now: .zero) }
        #expect(pools.reports(now: .zero) == [])
    }

    @Test func requestThatEndsWhileItIsTold_isToldToBeOver() throws {
        var pools = pools()
        _ = pools.take([claim(concurrent: 3)], from: pool, now: .zero)
        let report = try #require(pools.reports(now: .zero).first)
        pools.release([claim(concurrent: 3)], to: pool)
        pools.settle(report, standing(), now: .zero)
        #expect(pools.reports(now: .zero).map(\.inFlight) == [0])
    }

    @Test(arguments: [(0, 1, 10), (4, 2, 6), (9, 2, 5), (10, 2, 5), (50, 3, 3), (2, 11, 8)])
    func requestsElsewhere_leaveAShare(elsewhere: Int, gateways: Int, share: Int) {
        var pools = pools()
        let limited = QuotaClaim(
            key: QuotaKey(key: "key:alice"), limits: QuotaLimits(concurrent: 10))
        _ = pools.take([limited], from: pool, now: .zero)
        told(&pools, standing(elsewhere: elsewhere, gateways: gateways), at: .zero)
        var admitted = 1
        while case .admitted = pools.take([limited], from: pool, now: .milliseconds(1999)) {
            admitted += 1
        }
        #expect(admitted == share)
        // What was heard long ago counts no more.
        while case .admitted = pools.take([limited], from: pool, now: .seconds(2)) {
            admitted += 1
        }
        #expect(admitted == 10)
    }

    @Test func refusalForWhatOthersHave_asksAgain() {
        var pools = pools()
        let one = QuotaClaim(key: QuotaKey(key: "key:alice"), limits: QuotaLimits(concurrent: 1))
        _ = pools.take([one], from: pool, now: .zero)
        pools.release([one], to: pool)
        told(&pools, standing(elsewhere: 1, gateways: 2), at: .zero)
        #expect(pools.reports(now: .zero) == [])
        guard case .refused(let refusal) = pools.take([one], from: pool, now: .zero) else {
            Issue.record("let in")
            return
        }
        #expect(refusal.reason == .concurrency)
        told(&pools, standing(), at: .milliseconds(100))
        guard case .admitted = pools.take([one], from: pool, now: .milliseconds(100)) else {
            Issue.record("refused")
            return
        }
    }
}
