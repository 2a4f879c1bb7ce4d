import ArgumentParser
import Foundation
import MartletOperations

/// `martlet certs revoke`: takes a certificate back.
struct CertsRevokeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Take a certificate back.",
        discussion: """
            Adds it to crl.pem, signed by the authority. Whoever checks certificates needs the new \
            file.

            EXAMPLES
              martlet certs revoke certs/alice.pem --reason key-compromise
              martlet certs revoke --serial 5C:07:DD:10:4B:22:90:A1:00:0F:6E:1A:77:35:C2:9B
            """)

    @Argument(help: "The certificate; the first one of a file counts.")
    var file: String?

    @Option(
        help: ArgumentHelp(
            "Serial number of the certificate, for one whose file is lost.",
            valueName: "hexadecimal"))
    var serial: String?

    @Option(help: "Why it is revoked.")
    var reason = RevocationReason.unspecified

    @Option(help: "Days after which the list has to be renewed, 1 to 365.")
    var days = 90

    @OptionGroup var options: CertsOptions

    func validate() throws {
        guard (file == nil) != (serial == nil) else {
            throw ValidationError("Name the file of a certificate, or its number with --serial")
        }
    }

    func run() throws {
        let target = serial.map(RevocationTarget.serial) ?? .file(file ?? "")
        try options.reporting { folder, now in
            let revocations = try folder.revoke(target, reason: reason, days: days, now: now)
            return options.json
                ? try revocations.json(now: now) : Data(revocations.text(now: now).utf8)
        }
    }
}
