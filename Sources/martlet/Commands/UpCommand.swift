import ArgumentParser
import Foundation
import Logging
import MartletCore
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
              nodes:
                count: 2
              models:
                - name: half_plus_two
                  path: models/half_plus_two

            Exits with 78 if the configuration is wrong, with 69 if the engine is missing.
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
        let plan = try ClusterPlan(
            cluster,
            nodeArguments: (tensorflowPath.map { ["--tensorflow-path=\($0)"] } ?? [])
                + ["--load-journal=\(journal)"],
            commonArguments: logOptions.arguments, freePorts: freePorts)
        let file = stateFile.map { URL(fileURLWithPath: $0) }
        let reporter = ClusterReporter(plan: plan, stateFile: file, logger: logger)
        do {
            try reporter.start()
        } catch {
            throw ServingError(
                .failedPrecondition,
                "Cannot write the state file '\(stateFile ?? "")'; name one in a folder that "
                    + "exists and may be written to with --state-file")
        }
        let supervisor = ProcessSupervisor(
            stages: stages(plan), logger: logger, onChange: reporter.report)
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [
                    .init(
                        service: supervisor, successTerminationBehavior: .gracefullyShutdownGroup),
                    .init(
                        service: WaitingNotice(reporter: reporter, logger: logger),
                        successTerminationBehavior: .ignore),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint],
                logger: Logger(label: "martlet.lifecycle")))
        try await group.run()
    }

    /// Nodes start before the gateway and stop after it.
    private func stages(_ plan: ClusterPlan) -> [[ProcessSpecification]] {
        let client = ControlClient(eventLoops: EventLoops(count: 1))
        let executable = Bundle.main.executablePath ?? CommandLine.arguments[0]
        func specification(_ process: ClusterPlan.Process) -> ProcessSpecification {
            let health = process.healthAddress
            return ProcessSpecification(
                name: process.name, executable: executable, arguments: process.arguments,
                address: process.address.description
            ) {
                let response = try? await client.get(
                    host: health.host, port: health.port, path: "/healthz/ready",
                    timeout: .seconds(1))
                return response?.status == 200
            }
        }
        return [plan.nodes.map(specification), [specification(plan.gateway)]]
    }
}
