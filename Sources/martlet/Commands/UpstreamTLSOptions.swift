import ArgumentParser
import MartletGateway

/// Flags about the encryption between a gateway and the nodes named by `--endpoint`.
struct UpstreamTLSOptions: ParsableArguments {
    @Option(
        name: .customLong("upstream-tls-ca"),
        help: ArgumentHelp(
            "Authorities that sign the certificates of the nodes named by --endpoint: encrypts "
                + "what they are sent.", valueName: "file"))
    var upstreamTLSCA: String?

    @Option(
        name: .customLong("upstream-tls-certificate"),
        help: ArgumentHelp(
            "Certificate that the gateway shows to those nodes, in PEM's format.",
            valueName: "file"))
    var upstreamTLSCertificate: String?

    @Option(
        name: .customLong("upstream-tls-key"),
        help: ArgumentHelp(
            "Private key of that certificate, unencrypted.", valueName: "file"))
    var upstreamTLSKey: String?

    func validate() throws {
        guard (upstreamTLSCertificate == nil) == (upstreamTLSKey == nil) else {
            throw ValidationError(
                "--upstream-tls-certificate and --upstream-tls-key go together; add the other one")
        }
        guard upstreamTLSCertificate == nil || upstreamTLSCA != nil else {
            throw ValidationError(
                "--upstream-tls-certificate needs --upstream-tls-ca, by which the nodes are known")
        }
    }

    /// What the flags say; `nil` to speak to nodes in the clear.
    var tls: Gateway.EndpointTLS? {
        upstreamTLSCA.map {
            Gateway.EndpointTLS(
                authorities: $0, certificate: upstreamTLSCertificate, key: upstreamTLSKey)
        }
    }
}
