import Foundation
import MartletConfiguration
import MartletGateway
import MartletOperations
import MartletTransport
import Testing

@testable import martlet

@Suite("Cluster plan")
struct ClusterPlanTests {
    @Test func processes_getTheConfigurationAsArguments() throws {
        var cluster = ClusterConfiguration()
        cluster.nodes.count = 2
        cluster.nodes.engineThreads = 3
        cluster.models = [
            .init(
                name: "bird", path: "/models/bird", targetLatencyMilliseconds: 20,
                draftModel: "/models/chick.gguf", expectedConcurrency: 1)
        ]
        cluster.modelRoot = "/root"
        let plan = try ClusterPlan(
            cluster, nodeArguments: ["--tensorflow-path=/tf"],
            commonArguments: ["--log-level=info"], freePorts: { _, _ in [] })
        #expect(plan.nodes.map(\.name) == ["node-1", "node-2"])
        #expect(
            plan.nodes[1].arguments == [
                "serve", "--model=bird=/models/bird", "--target-latency-ms-p99=bird=20",
                "--draft-model=bird=/models/chick.gguf", "--expected-concurrency=bird=1",
                "--model-root=/root",
                "--host=127.0.0.1", "--port=8502", "--engine-threads=3", "--trust-gateway",
                "--name=node-2",
                "--tensorflow-path=/tf", "--log-level=info", "--exit-with-parent",
            ])
        #expect(
            plan.gateway.arguments == [
                "gateway", "--endpoint=127.0.0.1:8501", "--endpoint=127.0.0.1:8502",
                "--host=127.0.0.1", "--port=8080", "--admin-port=8081", "--log-level=info",
                "--exit-with-parent",
            ])
        #expect(plan.gateway.healthAddress.description == "127.0.0.1:8081")
    }

    @Test func certificates_areShownByNodesAndGateway() throws {
        var cluster = ClusterConfiguration()
        cluster.nodes.count = 2
        let plan = try ClusterPlan(
            cluster, nodeArguments: [], commonArguments: [],
            certificates: ClusterCertificates(folder: "/pki"), freePorts: { _, _ in [] })
        for node in plan.nodes {
            #expect(
                node.arguments.filter { $0.hasPrefix("--tls") } == [
                    "--tls-certificate=/pki/node.pem", "--tls-key=/pki/node.key",
                    "--tls-client-ca=/pki/ca.pem",
                ])
        }
        let configuration = try plan.gatewayConfiguration()
        #expect(
            configuration.endpointTLS
                == Gateway.EndpointTLS(
                    authorities: "/pki/ca.pem", certificate: "/pki/gateway.pem",
                    key: "/pki/gateway.key"))
        #expect(configuration.tls == nil)
        #expect(plan.state(pid: 1, SupervisorSnapshot(processes: [])).certificates == "/pki")
    }

    @Test func policy_isReadAsTheGatewayWill() throws {
        let file = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-policy-\(UUID()).yaml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("cache: {memory_bytes: 1MiB}\n".utf8).write(to: file)
        var cluster = ClusterConfiguration()
        cluster.gateway.host = "0.0.0.0"
        cluster.gateway.policy = file.path
        let plan = try ClusterPlan(
            cluster, nodeArguments: [], commonArguments: [], freePorts: { _, _ in [] })
        #expect(plan.gateway.arguments.contains("--config=\(file.path)"))
        let configuration = try plan.gatewayConfiguration()
        #expect(configuration.listen.host == "0.0.0.0")
        #expect(configuration.policy?.policy.isEncrypted == false)
        try Data("endpoints: [127.0.0.1:8501]\n".utf8).write(to: file)
        let error = #expect(throws: ConfigurationError.self) { try plan.gatewayConfiguration() }
        #expect(error?.messages.first?.hasPrefix("\(file.path):1:12: endpoints: ") == true)
    }

    @Test func keysOfLanguageModels_areFlagsOfEveryNode() throws {
        var cluster = ClusterConfiguration()
        cluster.nodes.count = 2
        cluster.languageModels.set("kv_cache", "4GiB")
        cluster.languageModels.set("max_waiting_sequences", "8")
        let plan = try ClusterPlan(
            cluster, nodeArguments: [], commonArguments: [], freePorts: { _, _ in [] })
        for node in plan.nodes {
            #expect(node.arguments.contains("--kv-cache=4GiB"))
            #expect(node.arguments.contains("--max-waiting-sequences=8"))
        }
        #expect(!plan.gateway.arguments.contains { $0.hasPrefix("--kv-cache") })
    }

    @Test func portsOfZero_becomeFreeOnesThatNobodyElseHas() throws {
        var cluster = ClusterConfiguration()
        cluster.nodes.count = 2
        cluster.nodes.firstPort = 0
        cluster.gateway.port = 5001
        cluster.gateway.adminPort = 0
        let plan = try ClusterPlan(
            cluster, nodeArguments: [], commonArguments: [],
            freePorts: { count, _ in (0..<count).map { 5000 + $0 } })
        #expect(plan.nodes.map(\.address.port) == [5000, 5002])
        #expect(plan.gateway.address.port == 5001)
        #expect(plan.gateway.healthAddress.port == 5003)
    }

    @Test func listenersOnAllInterfaces_areReachedByTheLoopback() throws {
        var cluster = ClusterConfiguration()
        cluster.nodes.host = "::"
        cluster.gateway.host = "0.0.0.0"
        let plan = try ClusterPlan(
            cluster, nodeArguments: [], commonArguments: [], freePorts: { _, _ in [] })
        #expect(plan.nodes[0].arguments.contains("--host=::"))
        #expect(plan.gateway.arguments.contains("--endpoint=[::1]:8501"))
        #expect(plan.gateway.arguments.contains("--host=0.0.0.0"))
        #expect(plan.gateway.address.description == "127.0.0.1:8080")
    }

    @Test func state_isThatOfTheSnapshot() throws {
        let plan = try ClusterPlan(
            ClusterConfiguration(), nodeArguments: [], commonArguments: [],
            freePorts: { _, _ in [] })
        let snapshot = SupervisorSnapshot(processes: [
            ProcessSnapshot(
                name: "node-1", address: "127.0.0.1:8501", state: .backingOff(until: .zero),
                restarts: 2),
            ProcessSnapshot(name: "gateway", address: "127.0.0.1:8080", state: .ready, pid: 3),
        ])
        #expect(
            plan.state(pid: 1, snapshot)
                == ClusterState(
                    pid: 1,
                    gateway: .init(
                        pid: 3, address: "127.0.0.1:8080", adminAddress: "127.0.0.1:8081"),
                    nodes: [
                        .init(
                            name: "node-1", pid: nil, address: "127.0.0.1:8501", restarts: 2,
                            state: "backing-off")
                    ]))
    }
}
