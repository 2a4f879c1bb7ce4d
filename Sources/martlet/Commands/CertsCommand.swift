import ArgumentParser

/// `martlet certs`: a small certificate authority for a cluster.
struct CertsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs",
        abstract: "Make certificates for a cluster and its clients.",
        discussion: """
            A folder is a certificate authority: it holds ca.pem and ca.key, what they sign, and \
            crl.pem, the list of what is revoked. Keep it on a machine of its own, and copy from \
            it what others need.

            EXAMPLES
              Make an authority, a server's certificate and a client's:
                martlet certs init
                martlet certs node --host gateway.example --host 10.0.0.7
                martlet certs client --name alice --tenant team-a
              Take one back, and see what is left:
                martlet certs revoke certs/alice.pem
                martlet certs show certs/*.pem

            Exits with 1 if it cannot be done, or show finds what is expired or will be soon; with \
            64 if the command line is wrong; with 77 if a file may not be read or written.
            """,
        subcommands: [
            CertsInitCommand.self, CertsNodeCommand.self, CertsClientCommand.self,
            CertsRevokeCommand.self, CertsCRLCommand.self, CertsShowCommand.self,
        ])
}
