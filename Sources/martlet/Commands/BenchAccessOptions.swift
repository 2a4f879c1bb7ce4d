import ArgumentParser
import Foundation
import MartletBench
import MartletCore
import MartletTransport

/// What `martlet bench` shows to a server, and how it knows it.
struct BenchAccessOptions: ParsableArguments {
    /// The variable that holds an API key.
    static let keyVariable = "MARTLET_API_KEY"

    @Option(
        help: ArgumentHelp(
            "File whose first API key is shown; else that of MARTLET_API_KEY, if there is one.",
            valueName: "file"))
    var apiKeyFile: String?

    @Option(
        help: ArgumentHelp(
            "A header field of every request; may be repeated.", valueName: "name:value"))
    var header: [String] = []

    @Option(
        help: ArgumentHelp(
            "Authorities that sign the certificates of servers; those that the system trusts "
                + "unless named.", valueName: "file"))
    var cacert: String?

    @Option(
        help: ArgumentHelp(
            "Certificate that is shown to a server that asks for one.", valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("Private key of --cert, unencrypted.", valueName: "file"))
    var key: String?

    func validate() throws {
        guard (cert == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together")
        }
        for field in header where !field.dropFirst().contains(":") {
            throw ValidationError("--header is '\(field)'; write NAME:VALUE")
        }
    }

    /// Whether a flag is of use for TLS only.
    var isForTLS: Bool { cacert != nil || cert != nil }

    /// How servers are known.
    var tls: ClientTLS {
        var tls = ClientTLS(authorities: cacert.map(PEMSource.file))
        if let cert, let key {
            tls.identity = .init(certificateChain: .file(cert), privateKey: .file(key))
        }
        return tls
    }

    /// The header fields of every request.
    ///
    /// - Throws: `ServingError` that names the file of a key.
    func headers(_ api: BenchAPI) throws -> HeaderFields {
        var fields = HeaderFields()
        for field in header {
            let parts = field.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            fields.add(
                parts[0].trimmingCharacters(in: .whitespaces),
                parts[1].trimmingCharacters(in: .whitespaces))
        }
        let variable = ProcessInfo.processInfo.environment[BenchAccessOptions.keyVariable]
        let key = try apiKeyFile.map(ModelAdminClient.firstKey) ?? variable
        if let key, !key.isEmpty {
            // What OpenAI's clients send; Martlet takes either.
            fields.add("authorization", "Bearer \(key)")
        }
        return fields
    }
}

/// The second target of `martlet bench`.
struct BenchComparisonOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A second server, which takes turns with the first: which is faster, and how sure is "
                + "that?", valueName: "target"))
    var compare: BenchAddress?

    @Option(
        help: ArgumentHelp(
            "With --compare: turns of each server, which share --duration.", valueName: "n"))
    var rounds = 6

    func validate() throws {
        guard (2...1000).contains(rounds) else {
            throw ValidationError("--rounds is \(rounds); use 2 to 1000")
        }
    }
}
