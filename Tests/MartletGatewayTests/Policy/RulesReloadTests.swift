import Testing

@testable import MartletGateway

@Suite("Rules that take the place of others")
struct RulesReloadTests {
    /// The rules of two texts, one after the other.
    private func rules(
        _ text: String, then other: String, now: Duration = .seconds(1)
    ) throws -> (before: GatewayRules, after: GatewayRules) {
        let before = GatewayRules(try readPolicy(text).policy, now: .zero)
        return (before, GatewayRules(try readPolicy(other).policy, after: before, now: now))
    }

    /// Nobody checks the endpoints of a pool that is no more, or finds others in its place.
    @Test func copies_goToThePoolAsItIsNow() throws {
        let text = """
            pools: [{name: p, endpoints: [a:1]}, {name: next, endpoints: [b:1]}]
            routes: [{name: r, pool: p, shadow: {pool: next}}]

            """
        let (before, after) = try rules(text, then: text.replacing("b:1", with: "c:1"))
        let shadow = try #require(after.routes.first?.shadow)
        #expect(before.pools.first === after.pools.first)
        #expect(shadow.pool != nil && shadow.pool === after.pools.last)
    }

    @Test func routeOfPoolsThatStay_staysItself() throws {
        let text = "endpoints: [a:1]\nroutes: [{name: s, match: {path_prefix: /s}}, {name: r}]\n"
        let (before, after) = try rules(text, then: text.replacing("/s", with: "/t"))
        #expect(before.routes.first !== after.routes.first)
        #expect(before.routes.last === after.routes.last)
    }
}
