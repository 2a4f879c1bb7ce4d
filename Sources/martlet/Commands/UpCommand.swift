import ArgumentParser
import Foundation
import Logging
import MartletCore
import MartletGateway
import MartletOperations
import MartletTelemetry
import MartletTransport
import ServiceLifecycle
import UnixSignals

/// `martlet up`: a gateway and its nodes as one command.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Run a gateway and its nodes, and keep them running.",
        discussion: """
            Processes that end are started again. Ctrl-C or SIGTERM stops all of them, the gateway
            first, and lets started requests finish. Logs go to standard error.

            EXAMPLES
              Run the cluster that cluster.yaml describes:
                martlet up -c cluster.yaml
              Tell other programs what runs:
                martlet up -c cluster.yaml --state-file cluster.json

            A small cluster.yaml:
              gateway:
                port: 8080
                policy: gateway.yaml    # keys, routes, TLS, cache: may be left out
              nodes:
                count: 2
                tls: true               # between the gateway and the nodes
              models:
                - name: half_plus_two
                  path: models/half_plus_two

            Exits with 78 if the configuration or policy is wrong, with 69 if the engine is missing.
            """)

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp("The cluster's configuration.", valueName: "file"))
    var config: String

    @Option(
        help: ArgumentHelp(
            "Keep the processes' addresses, numbers and states in this JSON file.",
            valueName: "file"))
    var stateFile: String?

    @Option(
        help: ArgumentHelp("Folder of the TensorFlow libraries, for the nodes.", valueName: "dir"))
    var tensorflowPath: String?

    @OptionGroup var logOptions: LogOptions

    func run() async throws {
        let logs = logOptions.start()
        do {
            try await up(Logger(label: "martlet.up"))
            logs.output.flush()
        } catch {
            logs.output.flush()
            throw ExitCodes.report(error)
        }
    }

    private func up(_ logger: Logger) async throws {
        let cluster = try ClusterConfiguration.load(file: config)
        let journal = FileManager.default.temporaryDirectory
            .appendingPathComponent("martlet-up-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: journal) }
        let certificates = try cluster.nodes.certificates()
        let ownCertificates = cluster.nodes.tls == .own ? certificates : nil
        defer { ownCertificates?.remove() }
        let plan = try ClusterPlan(
            cluster,
            nodeArguments: (tensorflowPath.map { ["--tensorflow-path=\($0)"] } ?? [])
                + ["--load-journal=\(journal)"],
            commonArguments: logOptions.arguments, certificates: certificates,
            freePorts: freePorts)
        // What is wrong with its policy is told before anything is started.
        let policy = try plan.gatewayConfiguration().policy?.policy
        let reporter = try reporter(
            of: plan, isEncrypted: policy?.isEncrypted ?? false, logger: logger)
        let supervisor = ProcessSupervisor(
            stages: try stages(plan), logger: logger, onChange: reporter.report)
        var services: [ServiceGroupConfiguration.ServiceConfiguration] = [
            .init(service: supervisor, successTerminationBehavior: .gracefullyShutdownGroup),
            .init(
                service: WaitingNotice(reporter: reporter, logger: logger),
                successTerminationBehavior: .ignore),
        ]
        if let ownCertificates {
            let renewal = ClusterRenewal(
                certificates: ownCertificates, host: cluster.nodes.certificateHost, logger: logger)
            services += [
                .init(
                    service: FilesInUse(certificates: ownCertificates),
                    successTerminationBehavior: .ignore),
                .init(service: renewal, successTerminationBehavior: .ignore),
            ]
        }
        try await ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "martlet.lifecycle"))
        ).run()
    }

    private func reporter(
        of plan: ClusterPlan, isEncrypted: Bool, logger: Logger
    ) throws -> ClusterReporter {
        let reporter = ClusterReporter(
            plan: plan, isEncrypted: isEncrypted,
            stateFile: stateFile.map { URL(fileURLWithPath: $0) }, logger: logger)
        do {
            try reporter.start()
        } catch {
            throw ServingError(
                .failedPrecondition,
                "Cannot write the state file '\(stateFile ?? "")'; name one in a folder that "
                    + "exists and may be written to with --state-file")
        }
        return reporter
    }

    /// Nodes start before the gateway and stop after it.
    private func stages(_ plan: ClusterPlan) throws -> [[ProcessSpecification]] {
        let eventLoops = EventLoops(count: 1)
        // Files that cannot be used are told at once.
        _ = try ControlClient(eventLoops: eventLoops, tls: plan.certificates?.client)
        let executable = Bundle.main.executablePath ?? CommandLine.arguments[0]
        func specification(
            _ process: ClusterPlan.Process, tls: ClientTLS?
        ) -> ProcessSpecification {
            let health = process.healthAddress
            return ProcessSpecification(
                name: process.name, executable: executable, arguments: process.arguments,
                address: process.address.description
            ) {
                // Made for each question: certificates may have been renewed.
                let client = try? ControlClient(eventLoops: eventLoops, tls: tls)
                let response = try? await client?.get(
                    host: health.host, port: health.port, path: "/healthz/ready",
                    timeout: .seconds(1))
                return response?.status == 200
            }
        }
        return [
            plan.nodes.map { specification($0, tls: plan.certificates?.client) },
            [specification(plan.gateway, tls: nil)],
        ]
    }
}

extension ClusterConfiguration.Nodes {
    /// Certificates that are there already; nil for none, and where `martlet up` makes them.
    var givenCertificates: ClusterCertificates? {
        guard case .folder(let folder) = tls else { return nil }
        return ClusterCertificates(folder: folder)
    }

    /// The name or address that certificates of nodes are for.
    fileprivate var certificateHost: String {
        NetworkAddress(host: host, port: firstPort).reachable.host
    }

    /// The certificates of a cluster with these nodes, made if they are to be its own; nil if it
    /// speaks in the clear.
    fileprivate func certificates() throws -> ClusterCertificates? {
        guard tls == .own else { return givenCertificates }
        return try ClusterCertificates.made(for: certificateHost)
    }
}
