import MartletCore
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Cached answers of models that change")
struct CachedModelsTests {
    private static let text = """
        endpoints: [a:1, b:1]
        routes: [{name: r, cache: true}]
        cache: {ttl_seconds_min: 60, ttl_seconds_max: 60}
        """
    private static let stable = "/v1/models/m/labels/stable:predict"

    private func note(
        _ labels: [String: Int64]?, at host: String = "a", _ gateway: CachedGateway
    ) throws {
        let states = ["1", "2"].map { ModelVersionStatus(version: $0, state: "AVAILABLE") }
        gateway.policy.note(
            [ModelStatus(name: "m", versions: states, labels: labels)],
            at: UpstreamAddress(host: host, port: 1),
            of: try #require(gateway.policy.current.pools.first))
    }

    @Test func labelThatMovesBetweenLoadedVersions_makesAnswersOfThePast() throws {
        let gateway = try CachedGateway(Self.text)
        try note(["stable": 1], gateway)
        try gateway.answer(gateway.ask(path: Self.stable), "first")
        #expect(gateway.ask(path: Self.stable).text == "first")
        try note(["stable": 1], gateway)
        #expect(gateway.ask(path: Self.stable).text == "first")
        try note(["stable": 2], gateway)
        #expect(gateway.ask(path: Self.stable).plan != nil)
    }

    @Test(arguments: [
        stable, "/v2/models/m/versions/stable/infer",
    ])
    func requestsByLabel_areNotKeptWhereNobodyTellsOfLabels(path: String) throws {
        let gateway = try CachedGateway(Self.text)
        // As with checks by gRPC and TCP.
        try gateway.answer(gateway.ask(path: path), "a")
        #expect(gateway.ask(path: path).plan != nil)
        try note(nil, gateway)
        try gateway.answer(gateway.ask(path: path), "b")
        #expect(gateway.ask(path: path).plan != nil)
        // Those by number are.
        let number = "/v1/models/m/versions/1:predict"
        try gateway.answer(gateway.ask(path: number), "c")
        #expect(gateway.ask(path: number).text == "c")
    }

    // MARK: Endpoints that go

    @Test func endpointsThatAreGone_areForgotten() throws {
        let gateway = try CachedGateway(Self.text)
        let policy = gateway.policy
        let pool = try #require(policy.current.pools.first)
        try note([:], at: "a", gateway)
        try note([:], at: "b", gateway)
        // Those that are part of the pool stay, also behind a reload that keeps them.
        policy.forgetModels(of: UpstreamAddress(host: "b", port: 1), in: pool)
        #expect(policy.current.cache?.memberCount == 2)
        let less = try TrafficPolicy.parse(
            Self.text.replacing("[a:1, b:1]", with: "[a:1]"), file: "g.yaml"
        ).policy
        policy.replace(GatewayRules(less, after: policy.current, now: .zero))
        for host in ["a", "b"] {
            policy.forgetModels(of: UpstreamAddress(host: host, port: 1), in: pool)
        }
        #expect(policy.current.cache?.memberCount == 1)
    }

    @Test func endpointThatTheNameNoLongerLeadsTo_isForgotten() throws {
        let gateway = try CachedGateway(Self.text)
        let pool = try #require(gateway.policy.current.pools.first)
        try note([:], at: "a", gateway)
        try note([:], at: "b", gateway)
        let left = DiscoveredEndpoint(address: UpstreamAddress(host: "a", port: 1))
        let difference = pool.directory.update(to: EndpointSet([left]))
        for endpoint in difference.removed {
            gateway.policy.forgetModels(of: endpoint.address, in: pool)
        }
        #expect(gateway.policy.current.cache?.memberCount == 1)
    }
}
