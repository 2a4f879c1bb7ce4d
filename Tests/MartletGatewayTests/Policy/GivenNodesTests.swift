import MartletConfiguration
import MartletTransport
import Testing

@testable import MartletGateway

@Suite("Policies of nodes that flags name")
struct GivenNodesTests {
    private static let told =
        "a cluster's nodes are not named here but started with it (or named by --endpoint); "
        + "remove it"
    private static let addresses =
        "is said by 'gateway' of the cluster (or by flags, where --endpoint is one); remove it"

    private var nodes: TrafficPolicy.GivenNodes {
        get throws {
            var flags = Gateway.Configuration(
                endpoints: [
                    UpstreamAddress(host: "127.0.0.1", port: 8501),
                    UpstreamAddress(host: "127.0.0.1", port: 8502),
                ],
                listen: UpstreamAddress(host: "127.0.0.1", port: 8080),
                admin: UpstreamAddress(host: "127.0.0.1", port: 8081))
            flags.balancing = .leastRequest
            flags.endpointTLS = .init(authorities: "pki/ca.pem", certificate: nil, key: nil)
            return try #require(flags.givenNodes)
        }
    }

    private func read(_ text: String) throws -> TrafficPolicy {
        try TrafficPolicy.parse(text, file: "/etc/martlet/gateway.yaml", nodes: try nodes) {
            $0.hasPrefix("/etc/martlet/")
        }.policy
    }

    private func faults(of text: String) -> [String] {
        do {
            _ = try read(text)
            return []
        } catch let error as ConfigurationError {
            return error.messages.map { $0.replacing("/etc/martlet/gateway.yaml:", with: "") }
        } catch {
            return ["\(error)"]
        }
    }

    private func ports(_ policy: TrafficPolicy) -> [Int] {
        policy.pools.flatMap { $0.endpoints.map(\.address.port) }
    }

    @Test(arguments: ["cache: {memory_bytes: 1MiB}", "pools: []", "admin: {token_file: t}"])
    func policyWithoutPools_hasThePoolOfTheFlags(text: String) throws {
        let policy = try read(text)
        #expect(policy.pools == [try nodes.pool])
        #expect(policy.pools[0].balancing == .leastRequest)
        // As the flag says it, not relative to the policy's file.
        #expect(policy.pools[0].tls?.caFile == "pki/ca.pem")
        #expect(ports(policy) == [8501, 8502])
        #expect(policy.routes == [TrafficPolicy.Route(name: "default", pool: "default")])
    }

    @Test func routesWithoutPool_goToTheNodes() throws {
        let policy = try read(
            """
            routes:
              - {name: a, match: {path_prefix: /v1}}
              - {name: b, pool: default}
            """)
        #expect(policy.routes.map(\.name) == ["a", "b"])
        #expect(policy.onlyPool == "default")
    }

    @Test func poolWithoutNodes_saysHowTheyAreUsed() throws {
        let policy = try read("pools:\n  - {name: main, balancing: prefix_aware}")
        #expect(policy.pools.map(\.name) == ["main"])
        #expect(policy.pools[0].balancing == .prefixAware)
        #expect(policy.pools[0].tls?.caFile == "pki/ca.pem")
        #expect(ports(policy) == [8501, 8502])
        #expect(policy.routes == [TrafficPolicy.Route(name: "default", pool: "main")])
    }

    @Test func whatFlagsSay_isRefusedWithItsPlace() {
        #expect(faults(of: "endpoints: [a:1]") == ["1:12: endpoints: \(Self.told)"])
        #expect(
            faults(of: "pools:\n  - {name: a, endpoints: [a:1]}")
                == ["2:26: pools[0].endpoints: \(Self.told)"])
        #expect(
            faults(of: "pools:\n  - {name: a, dns: {name: a, port: 1}}").contains {
                $0.hasPrefix("2:20: pools[0].dns: \(Self.told)")
            })
        #expect(
            faults(of: "pools:\n  - {name: a, tls: {}}") == [
                "2:20: pools[0].tls: is said by 'nodes.tls' of the cluster (or --upstream-tls-ca); "
                    + "remove it"
            ])
        #expect(
            faults(of: "pools: [{name: a}, {name: b}]\nroutes: [{name: r, pool: a}]") == [
                "1:20: pools[1]: a cluster has one pool, of all its nodes; remove this one"
            ])
        #expect(faults(of: "listen: {port: 1}") == ["1:9: listen: \(Self.addresses)"])
        #expect(
            faults(of: "admin: {token_file: t, port: 1}")
                == ["1:30: admin.port: \(Self.addresses)"])
    }

    @Test func mistakesOfThePolicy_areToldAsEver() {
        #expect(
            faults(of: "routes:\n  - {name: r, pool: mian}") == [
                "2:21: routes[0].pool: there is no pool 'mian'; expected one of 'default'"
            ])
        #expect(
            faults(of: "access: {api_keys_file: /missing}").first?.contains("there is no file")
                == true)
    }

    @Test func policyOfItsOwn_stillNeedsNodes() {
        #expect(throws: ConfigurationError.self) { try readPolicy("cache: {memory_bytes: 1MiB}") }
        #expect(throws: ConfigurationError.self) { try readPolicy("pools: [{name: a}]") }
    }
}
