import ArgumentParser
import Foundation
import MartletCore
import MartletModelServer
import MartletOperations
import MartletTransport

/// What all commands about the models of a node take.
struct ModelAdminOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Address of the node, with https:// before it if it speaks TLS.",
            valueName: "host:port"))
    var address = NodeAddress(network: NetworkAddress(host: "127.0.0.1", port: 8500))

    @Option(
        help: ArgumentHelp(
            "Authorities that sign the certificates of nodes; those that the system trusts unless "
                + "named.", valueName: "file"))
    var cacert: String?

    @Option(
        help: ArgumentHelp(
            "Certificate that is shown to a node that asks for one.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Private key of --cert, unencrypted.", valueName: "file"))
    var key: String?

    @Flag(help: "Print JSON instead of tables.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "File whose first API key is shown to a node that asks for one.", valueName: "file"))
    var apiKeyFile: String?

    @Option(help: "Longest wait for the node's answer, in seconds.")
    var timeoutSeconds = 300.0

    func validate() throws {
        guard timeoutSeconds > 0, timeoutSeconds < 1e6 else {
            throw ValidationError(
                "--timeout-seconds is \(timeoutSeconds); use more than 0, below 1e6")
        }
        guard (cert == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        guard address.speaksTLS || cacert == nil && cert == nil else {
            throw ValidationError(
                "--cacert, --cert and --key are for TLS: write --address https://\(address)")
        }
    }

    /// How the node is known; `nil` to speak in the clear.
    private var tls: ClientTLS? {
        guard address.speaksTLS else { return nil }
        var tls = ClientTLS(authorities: cacert.map(PEMSource.file))
        if let cert, let key {
            tls.identity = .init(certificateChain: .file(cert), privateKey: .file(key))
        }
        return tls
    }

    /// Talks to the node, and tells what went wrong by a message and an exit code.
    func reporting(_ body: (ModelAdminClient) async throws -> Void) async throws {
        do {
            try await body(
                ModelAdminClient(
                    address: address.network, timeout: .seconds(timeoutSeconds),
                    key: try apiKeyFile.map(ModelAdminClient.firstKey), tls: tls))
        } catch {
            throw ExitCodes.report(error)
        }
    }

    /// Prints models, as a table or as the node's answer.
    func show(_ models: [AdminModel], json body: [UInt8]) throws {
        guard !models.isEmpty else { return try tell("The node has no models.", json: body) }
        let hasColor = allowsColor(fileDescriptor: STDOUT_FILENO)
        try tell(String(models.table.text(hasColor: hasColor).dropLast()), json: body)
    }

    /// Prints a text, or the node's answer.
    func tell(_ text: String, json body: [UInt8]) throws {
        let output = json ? Data(body) : Data((text + "\n").utf8)
        try FileHandle.standardOutput.write(contentsOf: output)
    }
}

extension [AdminModel] {
    /// A row for each version that is served, comes, goes or failed.
    fileprivate var table: TextTable {
        var table = TextTable([
            .init("MODEL"), .init("VERSION", .right), .init("STATE"), .init("LABELS"),
            .init("POLICY"), .init("PATH"), .init("ENGINE"), .init("WHY"), .init("ERROR"),
        ])
        for model in self {
            let shown = model.versions.filter {
                !["START", "END"].contains($0.state) || !$0.error.isEmpty
            }
            let (policy, path) = (model.versionPolicy.text, model.basePath)
            for version in shown {
                let labels = model.labels.filter { $0.value == version.version }.keys.sorted()
                table.append([
                    .init(model.name), .init("\(version.version)"),
                    .init(version.state, version.tone),
                    .init(labels.isEmpty ? "-" : labels.joined(separator: ",")),
                    .init(policy), .init(path), .init(version.engine?.title ?? "-"),
                    .init(version.engine?.why ?? "-"),
                    .init(version.error.isEmpty ? "-" : version.error),
                ])
            }
            if shown.isEmpty {
                let state: TextTable.Cell = model.served ? .init("ABSENT", .pending) : "UNLOADED"
                table.append([
                    .init(model.name), "-", state, "-", .init(policy), .init(path), "-", "-", "-",
                ])
            }
        }
        return table
    }
}

extension AdminEngine {
    fileprivate var title: String { precision == "fast" ? "\(name):fast" : name }

    /// The reason in short; JSON has it in words and figures.
    fileprivate var why: String {
        reason + (speedup.map { String(format: ":%.1fx", $0) } ?? "")
    }
}

extension AdminModel.Version {
    fileprivate var tone: TextTable.Tone {
        if !error.isEmpty { return .bad }
        return state == "AVAILABLE" ? .good : .pending
    }
}

extension VersionPolicy {
    /// The policy as `martlet model load --versions` takes it.
    fileprivate var text: String {
        switch self {
        case .all: "all"
        case .latest(let count): count == 1 ? "latest" : "latest:\(count)"
        case .specific(let versions): versions.sorted().map(String.init).joined(separator: ",")
        }
    }
}
