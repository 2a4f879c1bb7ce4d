import ArgumentParser
import Foundation
import MartletOperations

/// `martlet certs crl`: renews the revocation list.
struct CertsCRLCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crl",
        abstract: "Renew the list of revoked certificates.",
        discussion: """
            Signs crl.pem anew before it is too old for those who check certificates, who then trust \
            none; makes an empty one if there is none.

            EXAMPLES
              martlet certs crl
              martlet certs crl --days 30
            """)

    @Option(help: "Days after which the list has to be renewed, 1 to 365.")
    var days = 90

    @OptionGroup var options: CertsOptions

    func run() throws {
        try options.reporting { folder, now in
            let revocations = try folder.renewList(days: days, now: now)
            return options.json
                ? try revocations.json(now: now) : Data(revocations.text(now: now).utf8)
        }
    }
}
