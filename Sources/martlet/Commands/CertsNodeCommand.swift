import ArgumentParser
import MartletOperations

/// `martlet certs node`: makes a certificate for a node or a gateway.
struct CertsNodeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Make a certificate for a node or a gateway.",
        discussion: """
            It is good for serving, and for a gateway to show to its nodes. The file holds the \
            authority's certificate behind it. Renew it with --force; processes that use the files \
            read them again.

            EXAMPLES
              martlet certs node --host gateway.example --host 10.0.0.7
              martlet certs node --host node-1 --host localhost --host 127.0.0.1 --out node-1
              martlet serve --model half=/models/half \\
                --tls-certificate certs/node-1.pem --tls-key certs/node-1.key
            """)

    @Option(
        help: ArgumentHelp(
            "Name or address by which clients reach it, without a port; may be repeated.",
            valueName: "host"))
    var host: [String] = []

    @Option(help: "Days that the certificate is valid, 1 to 825.")
    var days = 397

    @OptionGroup var options: CertsIssueOptions

    func run() throws {
        try options.issue("the server's certificate and the authority's") {
            try .node(hosts: host, days: days, curve: options.key.curve)
        }
    }
}
