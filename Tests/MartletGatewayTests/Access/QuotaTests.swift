import MartletCore
import MartletTestKit
import Testing

@testable import MartletGateway

@Suite("Quotas")
struct QuotaTests {
    private let key = QuotaKey(key: "alice", model: "pitch")
    private let limits = QuotaLimits(rate: TokenRate(perSecond: 2, burst: 4))

    // MARK: Rate

    @Test func requests_withinTheRate_areToldWhatIsLeft() {
        var table = QuotaTable()
        let decisions = (0..<3).map { _ in table.admit(key, limits, now: .zero) }
        #expect(
            decisions == [
                .admitted(QuotaBalance(limit: 4, remaining: 3, reset: .milliseconds(500))),
                .admitted(QuotaBalance(limit: 4, remaining: 2, reset: .seconds(1))),
                .admitted(QuotaBalance(limit: 4, remaining: 1, reset: .milliseconds(1500))),
            ])
    }

    @Test func request_beyondTheRate_isToldHowLongToWait() throws {
        var table = QuotaTable()
        for _ in 0..<4 { _ = table.admit(key, limits, now: .zero) }
        let refusal = try #require(table.admit(key, limits, now: .milliseconds(100)).refusal)
        #expect(refusal.reason == .rate)
        #expect(refusal.wait == .milliseconds(400))
        #expect(refusal.retryAfterSeconds == 1)
        #expect(refusal.balance?.remaining == 0)
        #expect(refusal.balance?.resetSeconds == 2)
        #expect(table.inFlight(key) == 4)
    }

    @Test(arguments: [
        (Duration.zero, 1), (.nanoseconds(1), 1), (.milliseconds(999), 1), (.seconds(1), 1),
        (.milliseconds(1001), 2), (.seconds(90), 90), (.seconds(Int64.max), Int(Int64.max)),
    ])
    func retryAfter_isInWholeSecondsRoundedUp(wait: Duration, seconds: Int) {
        let refusal = QuotaRefusal(reason: .rate, wait: wait, balance: nil)
        #expect(refusal.retryAfterSeconds == seconds)
    }

    @Test func cost_isTakenInTokens() {
        var table = QuotaTable()
        #expect(
            table.admit(key, limits, cost: 3, now: .zero)
                == .admitted(QuotaBalance(limit: 4, remaining: 1, reset: .milliseconds(1500))))
        let refusal = table.admit(key, limits, cost: 3, now: .zero).refusal
        #expect(refusal?.wait == .seconds(1) && refusal?.balance?.remaining == 1)
    }

    @Test func cost_beyondTheBurst_isRefusedForGood() throws {
        var table = QuotaTable()
        let refusal = try #require(table.admit(key, limits, cost: 5, now: .zero).refusal)
        #expect(refusal.reason == .cost)
        #expect(refusal.wait == nil && refusal.retryAfterSeconds == nil)
        #expect(refusal.balance?.remaining == 4)
    }

    @Test func keysAndModels_doNotShare() {
        var table = QuotaTable()
        let others = [
            QuotaKey(key: "alice", model: "other"), QuotaKey(key: "bob", model: "pitch"),
            QuotaKey(key: "alice"), QuotaKey(key: "alicepitch", model: ""),
        ]
        for _ in 0..<4 { _ = table.admit(key, limits, now: .zero) }
        #expect(table.admit(key, limits, now: .zero).refusal != nil)
        for other in others {
            #expect(table.admit(other, limits, now: .zero).refusal == nil, "\(other)")
        }
    }

    @Test func names_thatAreLong_areKeptWithinBounds() {
        let long = String(repeating: "é", count: 200)
        let key = QuotaKey(key: long, model: long + "x")
        #expect(key.key.utf8.count <= 260 && key.model.utf8.count <= 260)
        #expect(key == QuotaKey(key: long + "a", model: long))
        let short = String(repeating: "x", count: 256)
        #expect(QuotaKey(key: short).key == short)
    }

    // MARK: Requests at once

    @Test func requestsAtOnce_areCountedUntilTheyAreReleased() {
        var table = QuotaTable()
        let two = QuotaLimits(concurrent: 2)
        #expect(table.admit(key, two, now: .zero) == .admitted(nil))
        #expect(table.admit(key, two, now: .zero) == .admitted(nil))
        let refusal = table.admit(key, two, now: .zero).refusal
        #expect(refusal?.reason == .concurrency && refusal?.retryAfterSeconds == 1)
        table.release(key)
        #expect(table.admit(key, two, now: .zero) == .admitted(nil))
    }

    @Test func refusalForRequestsAtOnce_costsNoTokens() {
        var table = QuotaTable()
        let both = QuotaLimits(rate: TokenRate(perSecond: 1, burst: 9), concurrent: 1)
        _ = table.admit(key, both, now: .zero)
        for _ in 0..<5 {
            #expect(table.admit(key, both, now: .zero).refusal?.balance?.remaining == 8)
        }
    }

    @Test func releaseTooMany_admitsNoMore() {
        var table = QuotaTable()
        let one = QuotaLimits(concurrent: 1)
        _ = table.admit(key, one, now: .zero)
        for _ in 0..<3 { table.release(key) }
        table.release(QuotaKey(key: "unknown"))
        #expect(table.admit(key, one, now: .zero).refusal == nil)
        #expect(table.admit(key, one, now: .zero).refusal != nil)
        #expect(table.count == 1)
    }

    @Test func requestsThatAreRevoked_giveBackWhatTheyTook() {
        var table = QuotaTable()
        let both = QuotaLimits(rate: TokenRate(perSecond: 4, burst: 5), concurrent: 1)
        let first = table.admit(key, both, cost: 2, now: .milliseconds(10))
        table.revoke(key, both, cost: 2)
        #expect(table.inFlight(key) == 0)
        #expect(table.admit(key, both, cost: 2, now: .milliseconds(10)) == first)
        table.revoke(key, both, cost: 2)
        // Giving back too much fills the bucket and no more.
        for _ in 0..<9 { table.revoke(key, both, cost: 2) }
        #expect(table.admit(key, both, cost: 6, now: .milliseconds(10)).refusal?.reason == .cost)
        #expect(
            table.admit(key, both, now: .milliseconds(10))
                == .admitted(QuotaBalance(limit: 5, remaining: 4, reset: .milliseconds(250))))
    }

    @Test func limits_ofNothing_admitAll() {
        var table = QuotaTable()
        for _ in 0..<1000 {
            #expect(table.admit(key, QuotaLimits(), now: .zero) == .admitted(nil))
        }
    }

    @Test func concurrent_belowOne_countsAsOne() {
        #expect(QuotaLimits(concurrent: 0).concurrent == 1)
        #expect(QuotaLimits(concurrent: .min).concurrent == 1)
    }

    // MARK: How many quotas

    private func names(_ count: Int) -> [QuotaKey] {
        (0..<count).map { QuotaKey(key: "key-\($0)") }
    }

    @Test func newQuota_takesThePlaceOfTheOneUsedLeastRecentlyThatIsFull() {
        var table = QuotaTable(configuration: .init(quotasMax: 3))
        let keys = names(4)
        for index in 0..<3 {
            _ = table.admit(keys[index], limits, now: .seconds(index))
            table.release(keys[index])
        }
        // Now all but the first are full again; it is used, so not the least recent any more.
        _ = table.admit(keys[0], limits, now: .seconds(10))
        #expect(table.admit(keys[3], limits, now: .seconds(10)).refusal == nil)
        #expect(table.count == 3)
        _ = table.admit(keys[2], limits, now: .seconds(10))
        #expect(table.inFlight(keys[0]) == 1 && table.inFlight(keys[2]) == 1)
    }

    @Test func quotaThatIsNotFull_isNotForgotten() {
        var table = QuotaTable(configuration: .init(quotasMax: 1))
        let keys = names(2)
        for _ in 0..<4 { _ = table.admit(keys[0], limits, now: .zero) }
        for _ in 0..<4 { table.release(keys[0]) }
        let refused = table.admit(keys[1], limits, now: .milliseconds(1999)).refusal
        #expect(refused?.reason == .tableFull && refused?.retryAfterSeconds == 1)
        #expect(table.count == 1)
        #expect(table.admit(keys[1], limits, now: .seconds(2)).refusal == nil)
        #expect(table.count == 1)
    }

    @Test func quotaInUse_isNotForgotten() {
        var table = QuotaTable(configuration: .init(quotasMax: 1))
        let keys = names(2)
        _ = table.admit(keys[0], limits, now: .zero)
        #expect(table.admit(keys[1], limits, now: .seconds(1000)).refusal?.reason == .tableFull)
        table.release(keys[0])
        #expect(table.admit(keys[1], limits, now: .seconds(1000)).refusal == nil)
    }

    @Test func quotasThatCannotBeForgotten_doNotHideOneThatCan() {
        var table = QuotaTable(configuration: .init(quotasMax: 20, searchMax: 4))
        let keys = names(21)
        for key in keys.prefix(20) { _ = table.admit(key, limits, now: .zero) }
        table.release(keys[19])
        // Nineteen stand before it, of which each new request looks at four.
        let reasons = (0..<5).map { _ in
            table.admit(keys[20], limits, now: .seconds(100)).refusal?.reason
        }
        #expect(reasons == [.tableFull, .tableFull, .tableFull, .tableFull, nil])
    }

    /// A small table beside one with room for all: what it forgets must never let a request in that
    /// the other refuses.
    @Test func forgetting_neverGrantsTokens() {
        for seed in SimulationSeeds.first(1000) {
            var world = QuotaWorld(seed: seed)
            for _ in 0..<150 where world.complaint == nil { world.step() }
            #expect(world.complaint == nil, "\(SimulationSeeds.replay(seed))")
            guard world.complaint == nil else { return }
        }
    }
}

extension QuotaDecision {
    fileprivate var refusal: QuotaRefusal? {
        guard case .refused(let refusal) = self else { return nil }
        return refusal
    }
}

private struct QuotaWorld {
    private var generator: SeededGenerator
    private var small: QuotaTable
    private var large = QuotaTable()
    private var now = Duration.zero
    private var inFlight: [QuotaKey] = []
    private let limits: [QuotaLimits]
    private(set) var complaint: String?

    init(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        small = QuotaTable(
            configuration: .init(
                quotasMax: Int.random(in: 1...6, using: &generator),
                searchMax: Int.random(in: 1...6, using: &generator)))
        limits = (0..<8).map { _ in
            QuotaLimits(
                rate: TokenRate(
                    perSecond: .random(in: 0.5...5, using: &generator),
                    burst: .random(in: 1...6, using: &generator)),
                concurrent: Bool.random(using: &generator)
                    ? nil : Int.random(in: 1...4, using: &generator))
        }
        self.generator = generator
    }

    mutating func step() {
        now += .milliseconds(Int.random(in: 0...400, using: &generator))
        if let index = inFlight.indices.randomElement(using: &generator),
            Bool.random(using: &generator)
        {
            let key = inFlight.remove(at: index)
            small.release(key)
            large.release(key)
            return
        }
        let number = Int.random(in: 0..<8, using: &generator)
        let key = QuotaKey(key: "key-\(number)")
        let cost = Int.random(in: 1...3, using: &generator)
        var expected = large
        let answer = small.admit(key, limits[number], cost: cost, now: now)
        switch (answer, expected.admit(key, limits[number], cost: cost, now: now)) {
        case (.admitted(let own), .admitted(let other)):
            if own != other { complaint = "\(String(describing: own)) is left" }
            inFlight.append(key)
            large = expected
        case (.refused(let own), .refused(let other)):
            if own.reason != .tableFull, own != other { complaint = "\(own), not \(other)" }
        case (.refused(let own), .admitted):
            // Nobody took anything: the large table stays as it was.
            if own.reason != .tableFull { complaint = "\(own)" }
        case (.admitted, .refused(let other)):
            complaint = "admitted in spite of \(other)"
        }
        if small.count > small.configuration.quotasMax { complaint = "\(small.count) quotas" }
        if small.inFlight(key) != inFlight.count(where: { $0 == key }) { complaint = "in flight" }
    }
}
