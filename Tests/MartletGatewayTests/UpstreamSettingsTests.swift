import MartletTransport
import Testing

@testable import MartletGateway
@testable import MartletTransport

@Suite("How pools connect to their endpoints")
struct UpstreamSettingsTests {
    /// Runs `body` with the rules of a policy, applied to pools of connections.
    private func apply(
        _ text: String, _ body: (GatewayRules, UpstreamPools) throws -> Void
    ) async throws {
        let policy = try readPolicy(text).policy
        let eventLoops = EventLoops(count: 1)
        let upstreams = try await UpstreamPools(eventLoops: eventLoops, limits: ForwardingLimits())
        let rules = GatewayRules(policy, now: .zero)
        let result = Result {
            rules.apply(try policy.upstreamOptions(), to: upstreams)
            try body(rules, upstreams)
        }
        await eventLoops.shutDown()
        try result.get()
    }

    @Test(arguments: [
        "{name: s, endpoints: [a:1], tls: {server_name: a}}, {name: p, endpoints: [a:1]}",
        "{name: p, endpoints: [a:1]}, {name: s, endpoints: [a:1], tls: {server_name: a}}",
    ])
    func anAddressOfTwoPools_isSpokenToAsEachOfThemSays(pools: String) async throws {
        let routes = "[{name: r, split: [{pool: s, weight: 1}, {pool: p, weight: 1}]}]"
        try await apply("pools: [\(pools)]\nroutes: \(routes)\n") { rules, upstreams in
            for pool in rules.pools {
                let address = try #require(pool.directory.addresses.first)
                let isSecure = pool.settings.name == "s"
                #expect(address.isEncrypted == isSecure)
                #expect((upstreams.upstreams[address].options.encryption != nil) == isSecure)
            }
        }
    }

    @Test func aPoolThatIsEncryptedFromNowOn_usesNoConnectionFromBefore() throws {
        let before = GatewayRules(try readPolicy("endpoints: [a:1]").policy, now: .zero)
        let text = "pools: [{name: default, endpoints: [a:1], tls: {server_name: a}}]"
        let after = GatewayRules(try readPolicy(text).policy, after: before, now: .zero)
        let addresses = try [before, after].map { rules in
            try #require(rules.pools.first?.directory.addresses.first)
        }
        #expect(addresses[0] == addresses[1])
        #expect(addresses[0].connections != addresses[1].connections)
        #expect(addresses.map(\.isEncrypted) == [false, true])
    }

    @Test func endpointsThatDNSFound_areThoseOfTheirPoolAlone() throws {
        let text = "pools: [{name: s, dns: {name: a, port: 1}, tls: {server_name: a}}]"
        let pool = try #require(GatewayRules(try readPolicy(text).policy, now: .zero).pools.first)
        let found = DiscoveredEndpoint(address: UpstreamAddress(host: "1.2.3.4", port: 1))
        let own = pool.settings.own(EndpointSet([found]))
        #expect(own.endpoints.map(\.address.isEncrypted) == [true])
        #expect(own.endpoints.map(\.address) == [found.address])
    }
}
