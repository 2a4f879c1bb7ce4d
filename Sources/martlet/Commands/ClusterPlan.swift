import ArgumentParser
import MartletCore
import MartletEngines
import MartletGateway
import MartletOperations

/// The processes of a cluster: their addresses and their command lines.
struct ClusterPlan: Sendable, Equatable {
    /// One process.
    struct Process: Sendable, Equatable {
        /// What users call it.
        let name: String
        /// Where others reach it.
        let address: NetworkAddress
        /// Where its health is asked for.
        let healthAddress: NetworkAddress
        /// The arguments behind the executable's name.
        let arguments: [String]
    }

    /// The nodes, in order.
    let nodes: [Process]
    /// The gateway.
    let gateway: Process
    /// The certificates by which these know each other; nil if they speak in the clear.
    let certificates: ClusterCertificates?

    /// Plans the processes of a configuration.
    ///
    /// - Parameters:
    ///   - cluster: what to run.
    ///   - nodeArguments: added to every node's.
    ///   - commonArguments: added to every process's.
    ///   - certificates: those of gateway and nodes; nil for none.
    ///   - freePorts: finds so many free ports of a host, all different.
    /// - Throws: what `freePorts` throws.
    init(
        _ cluster: ClusterConfiguration, nodeArguments: [String], commonArguments: [String],
        certificates: ClusterCertificates? = nil,
        freePorts: (_ count: Int, _ host: String) throws -> [Int]
    ) throws {
        self.certificates = certificates
        let common = commonArguments + ["--exit-with-parent"]
        let binds = try Self.addresses(cluster, freePorts: freePorts)
        nodes = binds.nodes.enumerated().map { index, bind in
            let name = "node-\(index + 1)"
            return Process(
                name: name, address: bind.reachable, healthAddress: bind.reachable,
                arguments: Self.serve(cluster, bind: bind)
                    + (certificates?.nodeArguments ?? []) + ["--name=\(name)"] + nodeArguments
                    + common)
        }
        let (bind, adminPort) = (binds.gateway, binds.admin.port)
        gateway = Process(
            name: "gateway", address: bind.reachable, healthAddress: binds.admin,
            arguments: ["gateway"] + nodes.map { "--endpoint=\($0.address)" }
                + (certificates?.gatewayArguments ?? [])
                + (cluster.gateway.policy.map { ["--config=\($0)"] } ?? [])
                + ["--host=\(bind.host)", "--port=\(bind.port)", "--admin-port=\(adminPort)"]
                + common)
    }

    /// What the gateway will make of its arguments and of its policy.
    ///
    /// - Throws: `ConfigurationError` of the policy.
    func gatewayConfiguration() throws -> Gateway.Configuration {
        try GatewayCommand.parse(Array(gateway.arguments.dropFirst())).gatewayConfiguration()
    }

    /// The state file's content while the processes are as in a snapshot of nodes and gateway.
    func state(pid: Int32, _ snapshot: SupervisorSnapshot) -> ClusterState {
        let processes = snapshot.processes
        let gatewayPID = processes.first { $0.name == gateway.name }?.pid
        return ClusterState(
            pid: pid, certificates: certificates?.folder,
            gateway: .init(
                pid: gatewayPID, address: gateway.address.description,
                adminAddress: gateway.healthAddress.description),
            nodes: processes.filter { $0.name != gateway.name }.map {
                .init(
                    name: $0.name, pid: $0.pid, address: $0.address, restarts: $0.restarts,
                    state: $0.state.word)
            })
    }

    private static func serve(
        _ cluster: ClusterConfiguration, bind: NetworkAddress
    ) -> [String] {
        let engines = cluster.models.compactMap { model in
            model.engine.map { "--engine=\(model.name)=\($0.text)" }
        }
        let precisions = cluster.models.compactMap { model in
            model.precision.map { "--precision=\(model.name)=\($0.rawValue)" }
        }
        let targets = cluster.models.compactMap { model in
            model.targetLatencyMilliseconds.map {
                "--target-latency-ms-p99=\(model.name)=\($0)"
            }
        }
        let drafts = cluster.models.compactMap { model in
            model.draftModel.map { "--draft-model=\(model.name)=\($0)" }
        }
        let concurrencies = cluster.models.compactMap { model in
            model.expectedConcurrency.map { "--expected-concurrency=\(model.name)=\($0)" }
        }
        return ["serve"] + cluster.models.map { "--model=\($0.name)=\($0.path)" }
            + engines + precisions + targets + drafts + concurrencies
            + (cluster.modelRoot.map { ["--model-root=\($0)"] } ?? [])
            + [
                "--host=\(bind.host)", "--port=\(bind.port)",
                "--engine-threads=\(cluster.nodes.engineThreads)", "--trust-gateway",
            ] + cluster.languageModels.arguments
    }

    private static func addresses(
        _ cluster: ClusterConfiguration, freePorts: (Int, String) throws -> [Int]
    ) throws -> (nodes: [NetworkAddress], gateway: NetworkAddress, admin: NetworkAddress) {
        let firstPort = cluster.nodes.firstPort
        let wanted = (0..<cluster.nodes.count).map {
            NetworkAddress(host: cluster.nodes.host, port: firstPort == 0 ? 0 : firstPort + $0)
        }
        let gateway = NetworkAddress(host: cluster.gateway.host, port: cluster.gateway.port)
        let admin = NetworkAddress(host: "127.0.0.1", port: cluster.gateway.adminPort)
        var taken = Set((wanted + [gateway, admin]).map(\.port))
        func chosen(_ address: NetworkAddress) throws -> NetworkAddress {
            guard address.port == 0 else { return address }
            // One more than are taken, so that one is not.
            let ports = try freePorts(taken.count + 1, address.host)
            guard let port = ports.first(where: { !taken.contains($0) }) else {
                throw ServingError(.unavailable, "There is no free port of '\(address.host)'")
            }
            taken.insert(port)
            return NetworkAddress(host: address.host, port: port)
        }
        return (try wanted.map(chosen), try chosen(gateway), try chosen(admin))
    }
}
