import Testing

@testable import MartletGateway

@Suite("Answers that have lived elsewhere before")
struct CachedPastTests {
    private func cache(
        life: Duration, past: CachedPast, stale: Duration = .zero
    ) throws -> ResponseCache<Int> {
        var cache = ResponseCache<Int>(
            configuration: CacheConfiguration(timeToLive: .fixed(life), staleWindow: stale),
            seed: 1)
        let ticket = try #require(cache.lookup(.predicting("x"), now: .seconds(5)).lead)
        _ = cache.fulfil(ticket, with: 1, bytes: 10, past: past, now: .seconds(5))
        return cache
    }

    @Test func ageAndLife_goOnWhereTheyWere() throws {
        let past = CachedPast(age: .seconds(40), left: .seconds(20))
        var cache = try cache(life: .seconds(60), past: past)
        #expect(cache.lookup(.predicting("x"), now: .seconds(6)).answer?.age == .seconds(41))
        #expect(cache.lookup(.predicting("x"), now: .seconds(24)).answer?.isStale == false)
        #expect(cache.lookup(.predicting("x"), now: .seconds(25)).lead != nil)
    }

    @Test func ageCounts_forThoseWhoWantAYoungOne() throws {
        let past = CachedPast(age: .seconds(40), left: .seconds(20))
        var cache = try cache(life: .seconds(60), past: past)
        let now = Duration.seconds(5)
        #expect(cache.lookup(.predicting("x"), ageMax: .seconds(41), now: now).answer != nil)
        #expect(cache.lookup(.predicting("x"), ageMax: .seconds(40), now: now).lead != nil)
    }

    /// Another gateway may keep answers for longer than this one.
    @Test func wholeLife_isBoundedHereToo() throws {
        let past = CachedPast(age: .seconds(25), left: .seconds(500))
        var cache = try cache(life: .seconds(30), past: past)
        #expect(cache.lookup(.predicting("x"), now: .seconds(9)).answer != nil)
        #expect(cache.lookup(.predicting("x"), now: .seconds(10)).lead != nil)
    }

    @Test(arguments: [
        CachedPast(age: .seconds(30), left: .seconds(500)),
        CachedPast(age: .zero, left: .zero),
    ])
    func answerWithNoTimeLeft_isNotKept(past: CachedPast) throws {
        let cache = try cache(life: .seconds(30), past: past, stale: .seconds(100))
        #expect(cache.counters.entries == 0)
    }

    @Test func keyOfWhoLeads_isKnownUntilItsModelChanges() throws {
        var cache = ResponseCache<Int>(seed: 1)
        let key = CacheKey.predicting("x")
        let ticket = try #require(cache.lookup(key, now: .zero).lead)
        let follower = try #require(cache.lookup(key, now: .zero).follow)
        #expect(cache.keyKept(by: ticket) == key)
        #expect(cache.keyKept(by: follower) == nil)
        cache.invalidate(model: key.model, now: .zero)
        #expect(cache.keyKept(by: ticket) == nil)
    }
}
