import ArgumentParser
import MartletOperations

/// `martlet certs client`: makes a certificate for a client.
struct CertsClientCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client",
        abstract: "Make a certificate for a client.",
        discussion: """
            It says whose requests the client sends: spiffe://martlet/tenant/TENANT, or names given \
            by --dns and --email.

            EXAMPLES
              martlet certs client --name alice --tenant team-a
              martlet certs client --name batch-7 --dns batch-7.example --days 30
              curl --cacert certs/ca.pem --cert certs/alice.pem --key certs/alice.key \\
                https://gateway.example:8080/v1/models/half
            """)

    @Option(help: ArgumentHelp("Name of the client, for people.", valueName: "name"))
    var name: String

    @Option(
        help: ArgumentHelp(
            "Tenant that the client belongs to; its name unless --dns or --email is given.",
            valueName: "tenant"))
    var tenant: String?

    @Option(
        help: ArgumentHelp(
            "DNS name by which the client is known; may be repeated.", valueName: "name"))
    var dns: [String] = []

    @Option(
        help: ArgumentHelp(
            "Mail address by which the client is known; may be repeated.", valueName: "address"))
    var email: [String] = []

    @Option(help: "Days that the certificate is valid, 1 to 825.")
    var days = 90

    @OptionGroup var options: CertsIssueOptions

    func run() throws {
        try options.issue("the client's certificate and the authority's") {
            try .client(
                name: name, tenant: tenant, dnsNames: dns, emailAddresses: email, days: days,
                curve: options.key.curve)
        }
    }
}
