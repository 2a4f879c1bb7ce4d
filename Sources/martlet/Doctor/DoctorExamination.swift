import ArgumentParser
import MartletConfiguration
import MartletCore
import MartletOperations
import MartletTransport

/// Puts together what `martlet doctor` looks at.
struct DoctorExamination {
    /// What is looked at besides the machine and the engines.
    enum Patient {
        /// Nothing.
        case machine
        /// A node, by the arguments of `martlet serve`.
        case node(arguments: [String])
        /// The processes of a cluster.
        case cluster(file: String, nodeArguments: [String])
    }

    let patient: Patient

    /// The checks of machine, engines and what is to run.
    ///
    /// - Throws: `ValidationError` when arguments of `martlet serve` are wrong.
    func checks() throws -> [DoctorCheck] {
        let facts = MachineFacts(openFiles: FileDescriptors.raiseLimit())
        var checks = DoctorCheck.machine(facts)
        let (nodes, gateway, failures) = try patientNodes()
        let settings = nodes.first?.settings ?? NodeSettings()
        let formats = nodes.first?.formats ?? []
        checks += EngineInspection(settings: settings, formats: formats).engines
            .map(DoctorCheck.engine)
        checks += failures
        let nodeFacts = nodes.map { $0.facts(cores: facts.processors.cores) }
        checks += DoctorCheck.nodes(nodeFacts, on: facts)
        let ports = nodeFacts.flatMap { node in node.addresses.map { (node.name, $0) } } + gateway
        checks += ports.map { name, address in
            DoctorCheck.port(
                address, of: name, problem: portProblem(host: address.host, port: address.port))
        }
        return checks
    }

    private typealias Processes = (
        nodes: [NodeInspection], gateway: [(String, NodeFacts.Address)], failures: [DoctorCheck]
    )

    private func patientNodes() throws -> Processes {
        switch patient {
        case .machine: return ([], [], [])
        case .node(let arguments):
            return try inspect([(name: "node", arguments: arguments)], gateway: [])
        case .cluster(let file, let nodeArguments):
            do {
                let cluster = try ClusterConfiguration.load(file: file)
                let plan = try ClusterPlan(
                    cluster, nodeArguments: nodeArguments, commonArguments: [],
                    certificates: cluster.nodes.givenCertificates, freePorts: freePorts)
                let gateway = plan.gateway
                var processes = try inspect(
                    plan.nodes.map { ($0.name, Array($0.arguments.dropFirst())) },
                    gateway: [gateway.address, gateway.healthAddress].map {
                        (gateway.name, .init(host: $0.host, port: $0.port))
                    })
                do {
                    _ = try plan.gatewayConfiguration()
                } catch let error as ConfigurationError {
                    processes.failures.append(failure(of: error.file, error))
                }
                return processes
            } catch let error as ConfigurationError {
                return ([], [], [failure(of: file, error)])
            }
        }
    }

    private func inspect(
        _ nodes: [(name: String, arguments: [String])], gateway: [(String, NodeFacts.Address)]
    ) throws -> Processes {
        var processes: Processes = ([], gateway, [])
        for (name, arguments) in nodes {
            let command = try serveCommand(arguments)
            do {
                let settings = try command.settings
                processes.nodes.append(
                    NodeInspection(name: settings.name ?? name, settings: settings))
            } catch {
                processes.failures.append(failure(of: name, error))
            }
        }
        return processes
    }

    private func serveCommand(_ arguments: [String]) throws -> ServeCommand {
        do {
            return try ServeCommand.parse(arguments)
        } catch {
            throw ServingError.invalidArgument(
                "These are not arguments of 'martlet serve': \(ServeCommand.message(for: error))")
        }
    }

    private func failure(of subject: String, _ error: any Error) -> DoctorCheck {
        DoctorCheck(
            "configuration", of: subject, .fail, NodeInspection.text(error),
            remedy: "correct it as it says")
    }
}
