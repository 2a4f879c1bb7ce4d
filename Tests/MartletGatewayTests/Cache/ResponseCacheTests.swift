import Testing

@testable import MartletGateway

@Suite("Response cache")
struct ResponseCacheTests {
    @Test func answer_isFoundUntilItsTimeIsOver() throws {
        var cache = cache(life: .seconds(10), stale: .zero)
        cache.store(1, for: .predicting("x"), now: .zero)
        let answer = cache.lookup(.predicting("x"), now: .seconds(9)).answer
        #expect(answer?.value == 1 && answer?.age == .seconds(9) && answer?.isStale == false)
        #expect(cache.lookup(.predicting("x"), now: .seconds(10)).lead != nil)
        #expect(cache.counters.entries == 0 && cache.counters.bytes == 0)
        #expect(cache.counters.hits == 1 && cache.counters.expirations == 1)
    }

    /// RFC 9111, section 5.2.2.1.
    @Test func answerThatItsNodeBounds_isFoundNoLongerThanThat() throws {
        for (bound, life) in [
            (Duration.seconds(3), Duration.seconds(3)), (.seconds(3600), .seconds(10)),
        ] {
            var cache = cache(life: .seconds(10), stale: .zero)
            let ticket = try #require(cache.lookup(.predicting("x"), now: .zero).lead)
            _ = cache.fulfil(ticket, with: 1, bytes: 10, lifeMax: bound, now: .zero)
            let last = life - .milliseconds(1)
            #expect(cache.lookup(.predicting("x"), now: last).answer?.value == 1)
            #expect(cache.lookup(.predicting("x"), now: life).lead != nil)
        }
    }

    @Test func answerOfAnother_isNotFound() {
        var cache = cache()
        cache.store(1, for: .predicting("x", version: .number(1)), now: .zero)
        for other: CacheKey in [
            .predicting("y", version: .number(1)), .predicting("x", version: .number(2)),
            .predicting("x", version: .number(1), tenant: "other"),
            .predicting("x", version: .number(1), operation: "rest/v1:classify"),
        ] {
            #expect(cache.lookup(other, now: .zero).lead != nil)
        }
        #expect(cache.lookup(.predicting("x", version: .number(1)), now: .zero).answer?.value == 1)
    }

    @Test func answerThatIsTooOldForTheAsker_isAskedForAnew() {
        var cache = cache()
        cache.store(1, for: .predicting("x"), now: .zero)
        let now = Duration.seconds(5)
        #expect(cache.lookup(.predicting("x"), ageMax: .seconds(6), now: now).answer?.value == 1)
        let lead = cache.lookup(.predicting("x"), ageMax: .seconds(5), now: now).lead
        #expect(lead != nil)
        #expect(cache.lookup(.predicting("x"), ageMax: .zero, now: .zero).follow != nil)
        // Others still get the one that is there.
        #expect(cache.lookup(.predicting("x"), now: now).answer?.value == 1)
    }

    @Test func answerLargerThanTheCache_isNotTakenAndOustsTheOneBefore() throws {
        var cache = cache()
        cache.store(1, for: .predicting("x"), bytes: cache.configuration.capacityBytes, now: .zero)
        #expect(cache.counters.oversized == 1 && cache.counters.entries == 0)
        cache.store(2, for: .predicting("x"), now: .zero)
        let ticket = try #require(
            cache.lookup(.predicting("x"), ageMax: .zero, now: .zero).lead)
        _ = cache.fulfil(ticket, with: 3, bytes: .max, now: .zero)
        #expect(cache.counters.oversized == 2 && cache.counters.entries == 0)
        #expect(cache.lookup(.predicting("x"), now: .zero).lead != nil)
    }

    @Test func deadAnswers_areDroppedByLookupsOfOthers() {
        var cache = cache(life: .seconds(10), stale: .zero)
        for number in 0..<10 { cache.store(number, for: .predicting("\(number)"), now: .zero) }
        #expect(cache.counters.entries == 10)
        for _ in 0..<10 { _ = cache.lookup(.predicting("other"), now: .seconds(10)) }
        #expect(cache.counters.entries == 0 && cache.counters.bytes == 0)
        #expect(cache.counters.expirations == 10)
    }

    // MARK: One asks for many

    @Test func identicalMisses_waitForTheFirst() throws {
        var cache = cache()
        let key = CacheKey.predicting("x")
        let leader = try #require(cache.lookup(key, now: .zero).lead)
        let followers = (0..<3).compactMap { _ in cache.lookup(key, now: .zero).follow }
        #expect(followers.count == 3)
        #expect(cache.fulfil(leader, with: 1, bytes: 10, now: .zero) == followers)
        #expect(cache.lookup(key, now: .zero).answer?.value == 1)
        #expect(cache.flightCount == 0)
        #expect(cache.counters.misses == 1 && cache.counters.follows == 3)
    }

    @Test func leaderThatFails_handsOverToOneFollowerAtATime() throws {
        var cache = cache()
        let key = CacheKey.predicting("x")
        let leader = try #require(cache.lookup(key, now: .zero).lead)
        let first = try #require(cache.lookup(key, now: .zero).follow)
        let second = try #require(cache.lookup(key, now: .zero).follow)
        #expect(cache.fail(leader, now: .zero) == first)
        #expect(cache.fail(leader, now: .zero) == nil)
        #expect(cache.fulfil(leader, with: 9, bytes: 1, now: .zero) == [])
        #expect(cache.fulfil(first, with: 1, bytes: 1, now: .zero) == [second])
        #expect(cache.lookup(key, now: .zero).answer?.value == 1)
        #expect(cache.counters.handovers == 1)
    }

    @Test func lastToFail_leavesNothingBehind() throws {
        var cache = cache()
        let leader = try #require(cache.lookup(.predicting("x"), now: .zero).lead)
        #expect(cache.fail(leader, now: .zero) == nil)
        #expect(cache.flightCount == 0)
        #expect(cache.lookup(.predicting("x"), now: .zero).lead != nil)
    }

    @Test func followerThatGivesUp_getsNothing() throws {
        var cache = cache()
        let leader = try #require(cache.lookup(.predicting("x"), now: .zero).lead)
        let first = try #require(cache.lookup(.predicting("x"), now: .zero).follow)
        let second = try #require(cache.lookup(.predicting("x"), now: .zero).follow)
        #expect(cache.fail(first, now: .zero) == nil)
        #expect(cache.fulfil(leader, with: 1, bytes: 1, now: .zero) == [second])
    }

    @Test func answerThatMayNotBeKept_isSharedAndForgotten() throws {
        var cache = cache()
        let leader = try #require(cache.lookup(.predicting("x"), now: .zero).lead)
        let follower = try #require(cache.lookup(.predicting("x"), now: .zero).follow)
        #expect(cache.share(leader) == [follower])
        #expect(cache.share(leader) == [])
        #expect(cache.lookup(.predicting("x"), now: .zero).lead != nil)
        #expect(cache.counters.entries == 0)
    }

    @Test func requestsBeyondABound_goTheirOwnWay() {
        var configuration = CacheConfiguration()
        configuration.followersMax = 1
        configuration.flightsMax = 2
        var cache = ResponseCache<Int>(configuration: configuration, seed: 1)
        #expect(cache.lookup(.predicting("x"), now: .zero).lead != nil)
        #expect(cache.lookup(.predicting("x"), now: .zero).follow != nil)
        #expect(cache.lookup(.predicting("x"), now: .zero).isDetour)
        #expect(cache.lookup(.predicting("y"), now: .zero).lead != nil)
        #expect(cache.lookup(.predicting("z"), now: .zero).isDetour)
        #expect(cache.counters.detours == 2)
    }

    @Test func leaderThatHangs_holdsUpNobodyForLong() throws {
        var cache = cache()
        let key = CacheKey.predicting("x")
        let hung = try #require(cache.lookup(key, now: .zero).lead)
        let follower = try #require(cache.lookup(key, now: .seconds(9)).follow)
        let next = try #require(cache.lookup(key, now: .seconds(10)).lead)
        let newcomer = try #require(cache.lookup(key, now: .seconds(11)).follow)
        // Whoever waits for the one that hangs must not wait as long as that.
        #expect(cache.fulfil(next, with: 2, bytes: 1, now: .seconds(12)) == [newcomer, follower])
        // Nobody is answered twice, and what is late does not displace what is newer.
        #expect(cache.fulfil(hung, with: 1, bytes: 1, now: .seconds(13)) == [])
        #expect(cache.lookup(key, now: .seconds(13)).answer?.value == 2)
    }

    // MARK: Stale answers

    @Test func staleAnswer_isGivenWhileOneAsksForANewOne() throws {
        var cache = cache(life: .seconds(10), stale: .seconds(5))
        let key = CacheKey.predicting("x")
        cache.store(1, for: key, now: .zero)
        let first = try #require(cache.lookup(key, now: .seconds(11)).answer)
        let second = try #require(cache.lookup(key, now: .seconds(12)).answer)
        #expect(first.isStale && first.value == 1 && first.revalidation != nil)
        #expect(second.isStale && second.value == 1 && second.revalidation == nil)
        let ticket = try #require(first.revalidation)
        #expect(cache.fulfil(ticket, with: 2, bytes: 1, now: .seconds(13)) == [])
        let fresh = cache.lookup(key, now: .seconds(14)).answer
        #expect(fresh?.value == 2 && fresh?.isStale == false && fresh?.age == .seconds(1))
        #expect(cache.counters.revalidations == 1 && cache.counters.staleHits == 2)
        #expect(cache.counters.replacements == 1 && cache.counters.admissions == 1)
    }

    @Test func revalidationThatFails_isTriedAgainByTheNextAsker() throws {
        var cache = cache(life: .seconds(10), stale: .seconds(5))
        cache.store(1, for: .predicting("x"), now: .zero)
        let ticket = try #require(
            cache.lookup(.predicting("x"), now: .seconds(11)).answer?.revalidation)
        #expect(cache.fail(ticket, now: .seconds(12)) == nil)
        #expect(cache.lookup(.predicting("x"), now: .seconds(12)).answer?.revalidation != nil)
    }

    @Test func revalidationThatOutlastsTheStaleAnswer_isFollowed() throws {
        var cache = cache(life: .seconds(10), stale: .seconds(5))
        cache.store(1, for: .predicting("x"), now: .zero)
        let ticket = try #require(
            cache.lookup(.predicting("x"), now: .seconds(14)).answer?.revalidation)
        let follower = try #require(cache.lookup(.predicting("x"), now: .seconds(15)).follow)
        #expect(cache.fulfil(ticket, with: 2, bytes: 1, now: .seconds(16)) == [follower])
    }

    // MARK: Changes and removal

    @Test func modelThatChanges_losesItsAnswersAtOnce() {
        var cache = cache()
        cache.store(1, for: .predicting("x", model: "a"), now: .zero)
        cache.store(2, for: .predicting("x", model: "b"), now: .zero)
        cache.invalidate(model: "a", now: .zero)
        #expect(cache.lookup(.predicting("x", model: "a"), now: .zero).lead != nil)
        #expect(cache.lookup(.predicting("x", model: "b"), now: .zero).answer?.value == 2)
        #expect(cache.counters.invalidations == 1 && cache.counters.entries == 1)
    }

    @Test func answerUnderWayWhileItsModelChanges_isNotStored() throws {
        var cache = cache()
        let key = CacheKey.predicting("x")
        let old = try #require(cache.lookup(key, now: .zero).lead)
        let before = try #require(cache.lookup(key, now: .zero).follow)
        cache.invalidate(model: "pitch", now: .zero)
        // Who asks now must not get what was computed before.
        let new = try #require(cache.lookup(key, now: .zero).lead)
        #expect(cache.fulfil(old, with: 1, bytes: 1, now: .zero) == [before])
        #expect(cache.lookup(key, now: .zero).follow != nil)
        _ = cache.fulfil(new, with: 2, bytes: 1, now: .zero)
        #expect(cache.lookup(key, now: .zero).answer?.value == 2)
    }

    @Test func removal_takesWhatIsNamedAndWhatIsUnderWay() throws {
        for (tenant, model, left) in [
            ("t", nil, [2, 3]), (nil, "m", [1, 3]), ("t", "m", [1, 2, 3]), (nil, nil, []),
        ] as [(String?, String?, [Int])] {
            var cache = cache()
            let keys = ["t", "u"].flatMap { tenant in
                ["m", "n"].map { CacheKey.predicting("x", model: $0, tenant: tenant) }
            }
            for (number, key) in keys.enumerated() { cache.store(number, for: key, now: .zero) }
            let underWay = try #require(
                cache.lookup(.predicting("y", model: "m", tenant: "t"), now: .zero).lead)
            #expect(cache.remove(tenant: tenant, model: model) == 4 - left.count)
            #expect(cache.counters.removals == 4 - left.count)
            _ = cache.fulfil(underWay, with: 9, bytes: 1, now: .zero)
            #expect(cache.counters.entries == left.count)
            let found = keys.compactMap { cache.lookup($0, now: .zero).answer?.value }
            #expect(found == left)
        }
    }

    // MARK: Adaptation

    @Test func life_growsWithTheModelsAgeAndItsHits() throws {
        var cache = ResponseCache<Int>(seed: 1)
        let key = CacheKey.predicting("x")
        #expect(try life(of: key, in: &cache, now: .zero) == .seconds(10))
        for _ in 0..<1000 { _ = cache.lookup(key, now: .zero) }
        let later = try life(of: key, in: &cache, now: .seconds(1000))
        #expect(later > .seconds(90) && later <= .seconds(100))
        cache.invalidate(model: "pitch", now: .seconds(1001))
        #expect(try life(of: key, in: &cache, now: .seconds(1002)) == .seconds(10))
    }

    @Test func life_shrinksUnderPressure() throws {
        var cache = ResponseCache<Int>(seed: 1)
        let key = CacheKey.predicting("x")
        _ = try life(of: key, in: &cache, now: .zero)
        let before = try life(of: key, in: &cache, now: .seconds(1000))
        cache.memoryPressure = 1
        let after = try life(of: key, in: &cache, now: .seconds(1000))
        #expect(after < before && after > .seconds(10))
    }

    @Test func pressure_beginsWhereTheCacheIsNearlyFull() {
        let configuration = CacheConfiguration(capacityBytes: 1000, pressureFrom: 0.8)
        let pressures = [0, 800, 900, 1000, 2000].map { configuration.pressure(bytes: $0) }
        #expect(pressures[0] == 0 && pressures[1] == 0)
        #expect(abs(pressures[2] - 0.5) < 1e-9 && abs(pressures[3] - 1) < 1e-9)
        #expect(pressures[4] == 1)
        #expect(CacheConfiguration(capacityBytes: -1, pressureFrom: .nan).pressure(bytes: 0) == 0)
    }

    private func cache(
        life: Duration = .seconds(100), stale: Duration = .seconds(10)
    ) -> ResponseCache<Int> {
        ResponseCache(
            configuration: CacheConfiguration(
                capacityBytes: 100_000, timeToLive: .fixed(life), staleWindow: stale),
            seed: 1)
    }

    /// Stores an answer, and finds out how long it is fresh.
    private func life(
        of key: CacheKey, in cache: inout ResponseCache<Int>, now: Duration
    ) throws -> Duration {
        let ticket = try #require(cache.lookup(key, ageMax: .zero, now: now).lead)
        _ = cache.fulfil(ticket, with: 1, bytes: 1, now: now)
        var seconds = 0
        var probe = cache
        while probe.lookup(key, now: now + .seconds(seconds)).answer?.isStale == false {
            seconds += 1
        }
        return .seconds(seconds)
    }
}

extension ResponseCache {
    /// Asks for what is not there, and stores an answer to it.
    fileprivate mutating func store(
        _ value: Value, for key: CacheKey, bytes: Int = 10, now: Duration
    ) {
        guard let ticket = lookup(key, now: now).lead else { return }
        _ = fulfil(ticket, with: value, bytes: bytes, now: now)
    }
}

@Suite("What the cache knows of models")
struct ModelRecordsTests {
    @Test func modelThatNobodyHolds_isRememberedForAWhile() {
        var records = ModelRecords(idleMax: 2)
        let slot = records.hold("a", now: .seconds(5))
        records.release(slot)
        #expect(records.changedAt(records.hold("a", now: .seconds(9))) == .seconds(5))
    }

    @Test func modelsThatNobodyHolds_areForgottenOnceTheyAreTooMany() {
        var records = ModelRecords(idleMax: 2)
        let held = records.hold("held", now: .zero)
        let generation = records.generation(of: held)
        for number in 0..<100 {
            records.release(records.hold("\(number)", now: .zero))
            #expect(records.count <= 4)
        }
        #expect(records.generation(of: held) == generation)
        for number in 0..<100 { records.change("\(number)", now: .zero) }
        #expect(records.count <= 4)
    }

    @Test func change_makesAGenerationNeverUsedBefore() {
        var records = ModelRecords(idleMax: 0)
        var seen: Set<UInt64> = []
        for second in 0..<10 {
            let slot = records.hold("a", now: .seconds(second))
            #expect(seen.insert(records.generation(of: slot)).inserted)
            records.change("a", now: .seconds(second))
            #expect(seen.insert(records.generation(of: slot)).inserted)
            records.release(slot)
        }
    }

    @Test func recentRatio_followsWhatHappensNow() {
        var ratio = RecentRatio()
        #expect(ratio.ratio == 0.5)
        for _ in 0..<10_000 { ratio.record(isHit: true) }
        #expect(ratio.ratio > 0.99)
        for _ in 0..<10_000 { ratio.record(isHit: false) }
        #expect(ratio.ratio < 0.01)
    }
}
