import ArgumentParser
import Foundation
import MartletCore
import MartletGateway

/// `martlet key`: API keys for a gateway.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Make API keys for a gateway.",
        discussion: """
            EXAMPLES
              martlet key new --id alice --tenant team-a
            """,
        subcommands: [KeyNewCommand.self])
}

/// `martlet key new`: makes a key and its entry in the file of credentials.
struct KeyNewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Make a key, and its entry in the file of credentials.",
        discussion: """
            The entry goes to standard output and holds only a digest of the key. The key itself \
            goes to standard error, once: it is nowhere else.

            EXAMPLES
              martlet key new --id alice --tenant team-a >> credentials.yaml
              martlet key new --id ci --tenant team-a --model 'fraud-*' --verb predict \
            --expires 2027-01-31
            """)

    @Option(help: ArgumentHelp("The key's name.", valueName: "name"))
    var id: String

    @Option(help: ArgumentHelp("Whom it speaks for.", valueName: "name"))
    var tenant: String

    @Option(
        name: .customLong("model"),
        help: ArgumentHelp(
            "A model it may ask for, or a pattern; may be repeated.", valueName: "name"))
    var models: [String] = []

    @Option(
        name: .customLong("verb"),
        help: ArgumentHelp(
            "What it may ask: predict, classify, regress, metadata, status, chat, embeddings, "
                + "admin or any; may be repeated.", valueName: "verb"))
    var verbs: [String] = []

    @Option(
        help: ArgumentHelp(
            "The day or moment from which on it is refused, in UTC.", valueName: "date"))
    var expires: String?

    @Option(help: ArgumentHelp("What the key begins with.", valueName: "letters"))
    var prefix = APIKeyMint.standardPrefix

    func run() async throws {
        do {
            var generator = SystemRandomNumberGenerator()
            let minted = try mint(using: &generator)
            FileHandle.standardOutput.write(Data(minted.entry.utf8))
            let note = "The key of '\(id)', shown this once:\n\(minted.secret)\n"
            FileHandle.standardError.write(Data(note.utf8))
        } catch {
            throw ExitCodes.report(error)
        }
    }

    /// Makes the key.
    func mint(
        using generator: inout some RandomNumberGenerator
    ) throws(ServingError) -> APIKeyMint.Minted {
        try APIKeyMint(prefix: prefix).mint(
            id: id, tenant: tenant, models: models, verbs: verbs, expires: expires,
            using: &generator)
    }
}
