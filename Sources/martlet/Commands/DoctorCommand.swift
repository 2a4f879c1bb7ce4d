import ArgumentParser
import Foundation
import MartletOperations
import MartletTransport

/// `martlet doctor`: whether a machine, a node or a cluster is as it should be.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check a machine, and what is to run or runs on it.",
        discussion: """
            Looks at processors and their quota, memory, limits, engines, and, of the nodes that are
            named, at threads, ports and models. Nothing is started, loaded or changed.

            EXAMPLES
              Is this machine fit, and which engines are there?
                martlet doctor
              What would this node do? Write its command line behind 'doctor':
                martlet doctor serve --model half_plus_two=/models/half_plus_two
              All nodes of a cluster at once, before 'martlet up':
                martlet doctor -c cluster.yaml
              A node that runs: has it more threads than cores to run them on?
                martlet doctor --node 127.0.0.1:8500
              One that wants to know who asks, such as those of a cluster with 'nodes.tls':
                martlet doctor --node https://127.0.0.1:8501 \\
                  --cacert ca.pem --cert gateway.pem --key gateway.key
              For a program:
                martlet doctor --json | jq -r '.checks[] | select(.result != "ok") | .remedy'

            Exits with 1 if a check fails, or by --strict if one warns.
            """)

    @Option(
        name: [.customShort("c"), .customLong("config")],
        help: ArgumentHelp("A cluster's configuration, to check all its nodes.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "A running node to watch, with https:// before it if it speaks TLS; may be repeated.",
            valueName: "host:port"))
    var node: [NodeAddress] = []

    @Option(help: "How long running nodes are watched, in seconds.")
    var watchSeconds = 1.0

    @Option(
        help: ArgumentHelp("Folder of the TensorFlow libraries, with --config.", valueName: "dir"))
    var tensorflowPath: String?

    @Option(
        help: ArgumentHelp(
            "File whose first API key is shown to running nodes.", valueName: "file"))
    var apiKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "Authorities that sign the certificates of running nodes; those that the system trusts "
                + "unless named.", valueName: "file"))
    var cacert: String?

    @Option(
        help: ArgumentHelp(
            "Certificate that is shown to running nodes that ask for one.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Private key of --cert, unencrypted.", valueName: "file"))
    var key: String?

    @Flag(help: "Print JSON instead of tables.")
    var json = false

    @Flag(help: "Let a warning be as bad as a failure.")
    var strict = false

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp(
            "The command line of a node to check: 'serve' and its flags.", valueName: "serve ..."))
    var command: [String] = []

    func validate() throws {
        guard command.isEmpty || command.first == "serve" else {
            throw ValidationError(
                "'\(command.first ?? "")' cannot be checked; write 'martlet doctor serve ...' with "
                    + "the flags of the node")
        }
        guard command.isEmpty || config == nil else {
            throw ValidationError("Name a cluster with --config or a node with 'serve', not both")
        }
        guard watchSeconds > 0, watchSeconds <= 600 else {
            throw ValidationError("--watch-seconds is \(watchSeconds); use more than 0, up to 600")
        }
        guard (cert == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        guard node.contains(where: \.speaksTLS) || cacert == nil && cert == nil else {
            throw ValidationError(
                "--cacert, --cert and --key are for nodes that speak TLS: write --node "
                    + "https://\(node.first.map(\.description) ?? "HOST:PORT")")
        }
    }

    func run() async throws {
        var code = ExitCodes.success
        do {
            let report = try await examine()
            let text =
                json
                ? try report.json() + Data("\n".utf8)
                : Data(report.text(hasColor: allowsColor(fileDescriptor: STDOUT_FILENO)).utf8)
            try FileHandle.standardOutput.write(contentsOf: text)
            if !report.isWell(isStrict: strict) { code = ExitCodes.failure }
        } catch {
            throw ExitCodes.report(error)
        }
        // Not exit(): the engines' libraries need not be torn down.
        _exit(code.rawValue)
    }

    private func examine() async throws -> DoctorReport {
        let onlyWatches = !node.isEmpty && command.isEmpty && config == nil
        var report = DoctorReport()
        if !onlyWatches { report.checks = try DoctorExamination(patient: patient).checks() }
        let apiKey = try apiKeyFile.map(ModelAdminClient.firstKey)
        for address in node {
            report.checks += await NodeWatch(
                address: address, seconds: watchSeconds, key: apiKey,
                tls: address.speaksTLS ? tls : nil
            ).checks()
        }
        return report
    }

    /// How nodes that speak TLS are known, and what they are shown.
    private var tls: ClientTLS {
        var tls = ClientTLS(authorities: cacert.map(PEMSource.file))
        if let cert, let key {
            tls.identity = .init(certificateChain: .file(cert), privateKey: .file(key))
        }
        return tls
    }

    private var patient: DoctorExamination.Patient {
        if let config {
            return .cluster(
                file: config,
                nodeArguments: tensorflowPath.map { ["--tensorflow-path=\($0)"] } ?? [])
        }
        return command.isEmpty ? .machine : .node(arguments: Array(command.dropFirst()))
    }
}
