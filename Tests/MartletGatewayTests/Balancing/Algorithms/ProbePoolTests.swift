import Testing

@testable import MartletGateway

@Suite("Prequal: the pool of replies")
struct ProbePoolTests {
    private var random = SplitMix(seed: 3)

    /// As in the paper, without a tolerance; and no reply leaves.
    private func pool(
        size: Int = 16, uses: Int = 100, dropped: Int = 0, quantile: Double = 0.84,
        tolerance: Double = 0
    ) -> ProbePool {
        ProbePool(
            configuration: PrequalConfiguration(
                poolSize: size, replyUsesMax: uses, repliesDroppedPerPick: dropped,
                hotQuantile: quantile, latencyTolerance: tolerance))
    }

    private func reply(
        _ place: Int, _ inFlight: Double, _ latency: Double, at time: Duration = .zero
    ) -> ProbePool.Reply {
        .init(place: place, running: inFlight, inFlight: inFlight, latency: latency, time: time)
    }

    private mutating func pick(_ pool: inout ProbePool) -> Int? {
        pool.pick(using: &random) { _ in true }
    }

    @Test mutating func pick_fromAnEmptyPool_isNil() {
        var pool = pool()
        #expect(pick(&pool) == nil)
    }

    @Test mutating func pick_amongCold_isTheFastest() {
        var pool = pool()
        pool.add(reply(0, 1, 0.03))
        pool.add(reply(1, 4, 0.01))
        pool.add(reply(2, 5, 0.02))
        pool.add(reply(3, 9, 0.001))
        // The quantile of 1, 4, 5, 9 is 5: the fastest of all is hot.
        #expect(pool.hotThreshold == 5)
        #expect(pick(&pool) == 1)
    }

    @Test mutating func pick_whereAllAllowedAreHot_isTheOneWithTheFewestRequests() {
        var pool = pool(quantile: 0)
        pool.add(reply(0, 1, 0.03))
        pool.add(reply(1, 5, 0.02))
        pool.add(reply(2, 4, 0.9))
        #expect(pool.pick(using: &random) { $0 != 0 } == 2)
    }

    @Test mutating func quantile_atItsEnds_leavesOneOfTheTwoSignals() {
        var byRequests = pool(quantile: 0)
        var byLatency = pool(quantile: 1)
        for reply in [reply(0, 1, 0.05), reply(1, 7, 0.01), reply(2, 3, 0.02)] {
            byRequests.add(reply)
            byLatency.add(reply)
        }
        #expect(pick(&byRequests) == 0)
        #expect(pick(&byLatency) == 1)
    }

    @Test mutating func pick_ofTwo_passesTheBusierBy() {
        var pool = pool()
        pool.add(reply(0, 2, 0.01))
        pool.add(reply(1, 1, 0.09))
        #expect(pick(&pool) == 1)
    }

    @Test mutating func pick_withinTheTolerance_isTheOneWithFewerRequests() {
        var pool = pool(tolerance: 0.25)
        pool.add(reply(0, 3, 0.010))
        pool.add(reply(1, 1, 0.012))
        pool.add(reply(2, 0, 0.013))
        pool.add(reply(3, 9, 0.010))
        #expect(pick(&pool) == 1)
    }

    @Test mutating func picks_ofEqualReplies_areLeftToChance() {
        var picks = Set<Int?>()
        for _ in 0..<100 {
            var pool = pool()
            for place in 0..<3 { pool.add(reply(place, 1, 0.01)) }
            picks.insert(pick(&pool))
        }
        #expect(picks == [0, 1, 2])
    }

    @Test mutating func reply_onceUsed_countsTheRequest() {
        var pool = pool(quantile: 0.5)
        pool.add(reply(0, 1, 0.01))
        pool.add(reply(1, 1, 0.02))
        pool.add(reply(2, 1, 0.03))
        #expect((0..<3).map { _ in pick(&pool) } == [0, 1, 2])
        #expect(pool.replies.map(\.inFlight) == [2, 2, 2])
    }

    @Test mutating func reply_usedUp_leaves() {
        var pool = pool(uses: 2)
        pool.add(reply(0, 0, 0.01))
        #expect((0..<3).map { _ in pick(&pool) } == [0, 0, nil])
    }

    @Test func reply_thatIsOld_leaves() {
        var pool = pool()
        pool.add(reply(0, 0, 0.01, at: .zero))
        pool.add(reply(1, 0, 0.01, at: .milliseconds(500)))
        pool.expire(now: .milliseconds(1000))
        #expect(pool.replies.map(\.place) == [0, 1])
        pool.expire(now: .milliseconds(1001))
        #expect(pool.replies.map(\.place) == [1])
    }

    @Test func newReply_takesThePlaceOfTheOldOneOrOfTheOldest() {
        var pool = pool(size: 3)
        for place in 0..<3 { pool.add(reply(place, 1, 0.01)) }
        pool.add(reply(0, 2, 0.01))
        #expect(pool.replies.map(\.place) == [1, 2, 0])
        pool.add(reply(3, 1, 0.01))
        #expect(pool.replies.map(\.place) == [2, 0, 3])
    }

    @Test mutating func replies_leaveByTurnsAsTheWorstAndAsTheOldest() {
        var pool = pool(dropped: 1)
        // The quantile is 2; the last is hot, and was added before the first is old.
        let figures: [(Double, Double)] = [(1, 0.02), (2, 0.01), (2, 0.05), (2, 0.04), (8, 0.03)]
        for (place, figure) in figures.enumerated() {
            pool.add(reply(place, figure.0, figure.1))
        }
        _ = pick(&pool)
        #expect(pool.replies.map(\.place) == [0, 1, 2, 3])
        _ = pick(&pool)
        #expect(pool.replies.map(\.place) == [1, 2, 3])
    }

    @Test func figuresOutOfRange_areBroughtIntoIt() {
        let odd = PrequalConfiguration(
            probesPerPick: .max, poolSize: -1, replyUsesMax: 0, repliesDroppedPerPick: -1,
            hotQuantile: .nan, latencyTolerance: -1, idleProbePeriod: .zero)
        #expect(odd.probesPerPick == 1000 && odd.poolSize == 1 && odd.replyUsesMax == 1)
        #expect(odd.repliesDroppedPerPick == 0 && odd.hotQuantile == 0)
        #expect(odd.latencyTolerance == 0 && odd.idleProbePeriod > .zero)
        #expect(PrequalConfiguration(hotQuantile: 7).hotQuantile == 1)
    }

    @Test mutating func endpointThatFails_isHotAndDoesNotLiftTheBarForOthers() {
        var pool = pool()
        pool.add(.init(place: 0, running: 0, inFlight: 10, latency: 0.001, time: .zero))
        pool.add(reply(1, 3, 0.02))
        pool.add(reply(2, 5, 0.01))
        #expect(pool.hotThreshold == 3)
        #expect(pick(&pool) == 1)
    }
}
