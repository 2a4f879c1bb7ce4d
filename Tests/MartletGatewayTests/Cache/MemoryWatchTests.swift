import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Watch on memory")
struct MemoryWatchTests {
    private static let text = """
        endpoints: [a:1]
        routes: [{name: r, cache: true}]
        cache: {ttl_seconds_min: 0, ttl_seconds_max: 600}
        """

    @Test func cacheOfTheRulesInForce_isTold() throws {
        let policy = try CachedGateway(Self.text).policy
        #expect(policy.current.cache?.memoryPressure == 0)
        MemoryWatch(policy) { 0.75 }.look()
        #expect(policy.current.cache?.memoryPressure == 0.75)
        let larger = try TrafficPolicy.parse(
            Self.text.replacing("600", with: "900"), file: "g.yaml"
        ).policy
        policy.replace(GatewayRules(larger, after: policy.current, now: .zero))
        #expect(policy.current.cache?.memoryPressure == 0)
        MemoryWatch(policy) { 0.5 }.look()
        #expect(policy.current.cache?.memoryPressure == 0.5)
    }

    @Test func withoutACache_nothingIsRead() throws {
        let policy = try CachedGateway("endpoints: [a:1]").policy
        MemoryWatch(policy) {
            Issue.record("memory is looked at for nobody")
            return 1
        }.look()
    }

    @Test func pressure_makesAnswersLiveShorter() {
        func life(pressure: Double) -> Duration {
            var cache = ResponseCache<Int>(seed: 1)
            cache.memoryPressure = pressure
            _ = cache.timeToLive(of: "m", now: .zero)
            return cache.timeToLive(of: "m", now: .seconds(10_000))
        }
        #expect(life(pressure: 1) < life(pressure: 0.5))
        #expect(life(pressure: 0.5) < life(pressure: 0))
    }
}
