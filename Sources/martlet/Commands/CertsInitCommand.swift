import ArgumentParser
import Foundation
import MartletOperations

/// `martlet certs init`: makes a certificate authority.
struct CertsInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a certificate authority.",
        discussion: """
            Writes ca.pem, for whoever is to trust the authority, and ca.key, which signs: whoever \
            has it can make certificates.

            EXAMPLES
              martlet certs init
              martlet certs init --dir certs/clients --name "Clients of example.com" --days 1825
            """)

    @Option(
        help: ArgumentHelp(
            "Name of the authority; \"Martlet authority\" and a number unless given.",
            valueName: "name"))
    var name: String?

    @Option(help: "Days that the authority is valid, 1 to 7300.")
    var days = 3650

    @OptionGroup var key: CertsKeyOptions

    @OptionGroup var options: CertsOptions

    func run() throws {
        try options.reporting { folder, now in
            let issued = try folder.found(
                name: name, days: days, curve: key.curve, replacing: key.force, now: now)
            guard !options.json else { return try issued.json(now: now) }
            let text = issued.text(
                certificate: "the authority's certificate, for all who are to trust it",
                key: "its private key: keep it secret, and away from servers", now: now)
            return Data(text.utf8)
        }
    }
}
