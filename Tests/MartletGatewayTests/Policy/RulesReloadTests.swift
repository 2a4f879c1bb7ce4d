import MartletCore
import Testing

@testable import MartletGateway
@testable import MartletTransport

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

    /// A candidate that was worse must not come back since a node was added.
    @Test func routeOfAPoolThatChanges_keepsItsCanaryAndItsLimits() throws {
        let text = """
            pools: [{name: p, endpoints: [a:1]}]
            routes:
              - name: r
                pool: p
                limits: {concurrent_requests: 1}
                canary: {model: m, baseline: {version: 1}, candidate: {version: 2}}

            """
        let (before, after) = try rules(text, then: text.replacing("a:1", with: "a:1, b:1"))
        let old = try #require(before.routes.first)
        let new = try #require(after.routes.first)
        #expect(old !== new && new.pools.first === after.pools.first)
        #expect(old.rollBack() == .rolledBack(.byOperator, answers: 0))
        #expect(new.canaryState?.state == .rolledBack(.byOperator))
        #expect(new.canaryState?.weight == 0)
        // What is under way by the old rules counts.
        #expect(old.admit(now: .zero) == nil)
        #expect(new.admit(now: .zero) != nil)
        old.release()
        #expect(new.admit(now: .zero) == nil)
    }

    /// Nor must an endpoint that fails.
    @Test func endpointThatIsEjected_staysSoWhenANodeIsAdded() throws {
        let text = "pools: [{name: p, endpoints: [a:1, b:1, c:1]}]\n"
        let before = GatewayRules(try readPolicy(text).policy, now: .zero)
        let directory = try #require(before.pools.first).directory
        for address in directory.addresses {
            _ = directory.checkEnded(address, .well, begunAt: directory.checkBegins(address))
        }
        for _ in 0..<5 {
            _ = directory.didEnd(
                EndedAttempt(
                    upstream: UpstreamAddress(host: "a", port: 1),
                    result: .answered(httpStatus: 500, grpcStatus: nil),
                    duration: .milliseconds(1)))
        }
        func after(_ other: String) throws -> EndpointDirectory {
            let rules = GatewayRules(try readPolicy(other).policy, after: before, now: .zero)
            return try #require(rules.pools.first).directory
        }
        let larger = try after(text.replacing("c:1", with: "c:1, d:1"))
        #expect(larger.status.endpoints.map(\.ejected) == [true, false, false, false])
        #expect(Set((0..<20).map { _ in larger.pickFirst().address?.host }) == ["b", "c"])
        let judged = try after(
            text.replacing("c:1]", with: "c:1], outliers: {consecutive_failures: 6}"))
        #expect(judged.status.endpoints.map(\.ejected) == [false, false, false])
    }

    @Test func routeThatChanges_beginsItsCanaryAnew() throws {
        let text = """
            endpoints: [a:1]
            routes:
              - name: r
                canary: {model: m, baseline: {version: 1}, candidate: {version: 2}}

            """
        let other = text.replacing("version: 2", with: "version: 3")
        let (before, after) = try rules(text, then: other)
        _ = try #require(before.routes.first).rollBack()
        #expect(after.routes.first?.canaryState?.state == .progressing)
    }

    @Test func routeOfPoolsThatStay_staysItself() throws {
        let text = "endpoints: [a:1]\nroutes: [{name: s, match: {path_prefix: /s}}, {name: r}]\n"
        let (before, after) = try rules(text, then: text.replacing("/s", with: "/t"))
        #expect(before.routes.first !== after.routes.first)
        #expect(before.routes.last === after.routes.last)
    }
}
